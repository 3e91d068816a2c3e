"""How a collection's vectors are searched, told from the manifests alone: no FAISS, no big file."""

from dataclasses import dataclass
from pathlib import Path

from indexer.storage.catalog import Head
from indexer.storage.vectors.certificate import Certificate
from indexer.storage.vectors.choice import own_ram, predicted_ram
from indexer.storage.vectors.index_manifest import IndexManifest
from indexer.storage.vectors.layout import RowsManifest
from indexer.storage.vectors.wishes import IndexWishes


@dataclass(frozen=True, slots=True)
class IndexStatus:
    """Exact while the collection is small; codes find the candidates once it is large."""

    kind: str  # "exact" or "codes"
    rows: int  # on disk, dead ones included
    dead: int
    covered: int  # rows that have codes; the rest is searched exactly
    prefix_dim: int | None  # of each row, so many dimensions from the first on; None: all
    lists: int
    subquantizers: int
    ram_bytes: int  # that searches keep in use
    own_bytes: int  # of those, what is not mapped and cannot be given back
    wishes: IndexWishes  # what was asked, of these codes or of those to come
    certificate: Certificate | None  # what the codes were measured to find


def index_status(folder: Path, head: Head) -> IndexStatus:
    """From what the manifests say; rows that are not on disk yet are not counted."""
    rows, wishes = RowsManifest.read(folder), IndexWishes.kept(folder)
    if rows is None or not rows.fits(head):
        return IndexStatus("exact", 0, 0, 0, None, 0, 0, 0, 0, wishes, None)
    named = IndexManifest.read(folder, rows)
    if named is None:
        own = own_ram(None, rows.count, rows.dimension)
        return IndexStatus(
            "exact", rows.count, rows.dead, 0, None, 0, 0, rows.rows_bytes + own, own, wishes, None
        )
    return IndexStatus(
        "codes",
        rows.count,
        rows.dead,
        named.covered,
        None if named.coded_dimension == rows.dimension else named.coded_dimension,
        named.lists,
        named.subquantizers,
        predicted_ram(named.spec, named.covered, named.coded_dimension),
        own_ram(named.spec, named.covered, named.coded_dimension),
        wishes,
        named.certificate,
    )
