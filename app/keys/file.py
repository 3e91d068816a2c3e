"""`keys.json`: read strictly, written whole. A file that cannot be understood lets nobody in."""

import json
from pathlib import Path
from typing import Annotated, BinaryIO

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from app.keys.key import Key, Scope
from app.settings import COLLECTION_NAME
from indexer.errors import CorruptError, StoreError
from indexer.storage.manifest import write_atomically

_VERSION = 1


class _Entry(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    id: Annotated[str, Field(min_length=1, max_length=64)]
    name: str
    scopes: Annotated[frozenset[Scope], Field(min_length=1)]
    collections: frozenset[Annotated[str, Field(pattern=COLLECTION_NAME)]] | None
    created: str
    sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


class _File(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    version: Annotated[int, Field(ge=_VERSION, le=_VERSION)]
    keys: tuple[_Entry, ...]


def read_keys(path: Path) -> tuple[Key, ...]:
    """The keys in this file; none if there is no such file.

    Raises:
        CorruptError: it is not what we write. Its content is not repeated.
        StoreError: it cannot be read.
    """
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        return ()
    except OSError as error:
        raise StoreError(f"{path}: cannot be read: {error.strerror}.") from None
    try:
        entries = _File.model_validate_json(content).keys
    except ValidationError as error:
        where = ".".join(str(part) for part in error.errors()[0]["loc"])
        raise CorruptError(
            f"{path}: not a list of keys as this version writes it ({where or 'no JSON'}). Restore "
            "it, or delete it and make new keys with `semsearch key create`."
        ) from None
    return tuple(
        Key(e.id, e.name, e.scopes, e.collections, e.created, digest=e.sha256) for e in entries
    )


def write_keys(path: Path, keys: tuple[Key, ...]) -> None:
    """Replace the file; only its owner may read it.

    Raises:
        StoreError: it cannot be written; the old one is untouched.
    """
    entries = [
        {
            "id": key.id,
            "name": key.name,
            "scopes": sorted(key.scopes),
            "collections": None if key.collections is None else sorted(key.collections),
            "created": key.created,
            "sha256": key.digest,
        }
        for key in keys
    ]
    content = (json.dumps({"version": _VERSION, "keys": entries}, indent=2) + "\n").encode()

    def write(file: BinaryIO) -> None:
        file.write(content)

    try:
        write_atomically(path, write)
    except OSError as error:
        raise StoreError(f"{path}: cannot be written: {error.strerror}.") from None
