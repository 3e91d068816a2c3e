"""A collection bound to its contract: made if new, refused under another, emptied to embed anew."""

import uuid
from datetime import UTC, datetime
from pathlib import Path

from sqlalchemy import Connection, delete, insert, select, update

from indexer.errors import ContractError
from indexer.paths import UPLOADED, display_path
from indexer.storage import catalog, provenance, staging
from indexer.storage.catalog import Head
from indexer.storage.encoding import encode_contract
from indexer.storage.tables import (
    ChunkRow,
    CollectionRow,
    DocumentRow,
    EmbeddingRow,
    FileRow,
    RemovalRow,
)
from indexer.types import Contract


def claim(connection: Connection, folder: Path, contract: Contract, reembed: bool) -> Head:
    """The collection's row, made if new, emptied if it is to be embedded anew.

    Raises:
        ContractError: it has another contract and is not to be embedded anew, or would lose what
            lies in no file.
    """
    if connection.scalar(select(CollectionRow.id)) is None:
        row = {"id": 1, "generation": 0, "removals_from": 0, "uuid": uuid.uuid4().hex}
        created = datetime.now(UTC).isoformat(timespec="seconds")
        text = encode_contract(contract)
        connection.execute(insert(CollectionRow).values(**row, contract=text, created=created))
        return catalog.head(connection)
    head = catalog.head(connection)
    differences = head.contract.differences(contract)
    if differences and not reembed:
        raise _contract_error(folder, head.contract, contract)
    if differences:
        _check_uploads(connection, folder)
        _empty(connection, head, contract)
    return catalog.head(connection)


def _contract_error(folder: Path, stored: Contract, asked: Contract) -> ContractError:
    lines = [
        f"  {name}: {old!r} in the collection, {new!r} asked for"
        for name, (old, new) in stored.differences(asked).items()
    ]
    return ContractError(
        f"{folder}: embedded under another contract ({stored.fingerprint[:12]} there, "
        f"{asked.fingerprint[:12]} asked for); its vectors cannot be compared.\n"
        + "\n".join(lines)
        + "\nUse the collection's model and settings, or embed everything again: "
        "semsearch index --reembed"
    )


def _check_uploads(connection: Connection, folder: Path) -> None:
    """Refuse to empty a collection of what indexing its roots will not bring back."""
    lost = catalog.uploads(connection)
    if lost:
        raise ContractError(
            f"{folder}: {lost:,} of its documents came through the API and lie in no file; "
            "embedding everything again would lose them. Embed into a new collection "
            "(--collection NAME) and send them there, or forget them first: semsearch rm "
            f"{display_path(UPLOADED)}"
        )


def _empty(connection: Connection, head: Head, contract: Contract) -> None:
    """Drop all content; ids go on counting, and the new uuid disowns copies of the old content."""
    for table in (ChunkRow, EmbeddingRow, DocumentRow, FileRow, RemovalRow):
        connection.execute(delete(table))
    staging.clear(connection)
    provenance.clear(connection)
    generation = head.generation + 1
    connection.execute(
        update(CollectionRow).values(
            uuid=uuid.uuid4().hex,
            contract=encode_contract(contract),
            generation=generation,
            removals_from=generation,
        )
    )
