"""Our index in a process of its own: built by the product's code from raw rows, then measured.

Reads commands as JSON lines on stdin and answers on stdout, so that a driver can take turns between
engines.
"""

import argparse
import hashlib
import os
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
from engine import Engine, serve

from indexer.storage.manifest import write_bytes
from indexer.storage.vectors.append import RowAppender
from indexer.storage.vectors.index import VectorIndex
from indexer.storage.vectors.layout import RowMap, RowsManifest, block_rows
from indexer.storage.vectors.process import build_apart
from indexer.storage.vectors.stored import open_stored
from indexer.storage.vectors.wishes import BuildWishes

_ADD = 20_000


def head_of(dimension: int, generation: int = 1) -> Any:
    """As much of a catalog's head as vectors need."""
    contract = SimpleNamespace(dimension=dimension, fingerprint="benchmark")
    return SimpleNamespace(uuid="benchmark", contract=contract, generation=generation)


def append_rows(folder: Path, rows: Path, dimension: int) -> None:
    """Through the product's appender, as a sync of the catalog would put them."""
    base = np.memmap(rows, "<f2", "r").reshape(-1, dimension)
    with RowAppender.new(folder, head_of(dimension)) as appender:
        for start in range(0, len(base), _ADD):
            block = np.asarray(base[start : start + _ADD])
            appender.add(np.arange(start, start + len(block)) + 1, block)
        appender.finish(1, np.empty(0, np.int64))


def link_rows(folder: Path, rows: Path, dimension: int) -> None:
    """What the appender would leave, but the rows are one file with VECTORS: half the disk.

    Only to build codes over and to search; appending would grow the file of VECTORS.
    """
    base = np.memmap(rows, "<f2", "r").reshape(-1, dimension)
    step = block_rows(dimension)
    blocks = (base[start : start + step].data for start in range(0, len(base), step))
    digests = b"".join(hashlib.sha256(block).digest() for block in blocks)
    ids = np.arange(1, len(base) + 1)
    data = RowMap(ids, np.zeros(len(base), np.bool_), digests).to_bytes()
    manifest = RowsManifest(
        collection="benchmark",
        contract="benchmark",
        dimension=dimension,
        generation=1,
        last_id=len(base),
        count=len(base),
        dead=0,
        build="linked",
        map_generation=1,
        map_sha256=hashlib.sha256(data).hexdigest(),
    )
    os.link(rows, folder / manifest.rows_file)
    write_bytes(folder / manifest.map_file, data)
    manifest.write(folder)


class Ours(Engine):
    """The product's vector index over a folder of its own."""

    name = "semsearch"

    def __init__(
        self,
        folder: Path,
        rows: Path,
        dimension: int,
        threads: int,
        link: bool = False,
        **wishes: Any,
    ) -> None:
        self._folder, self._rows, self._dimension = folder, rows, dimension
        self._put_rows = link_rows if link else append_rows
        self._wishes = BuildWishes(threads=threads, **wishes)
        self._index: VectorIndex | None = None

    def build(self) -> dict[str, Any]:
        """Put the rows there and build the codes, as the product does it: in a child process."""
        self._folder.mkdir(parents=True, exist_ok=True)
        if RowsManifest.read(self._folder) is None:
            self._put_rows(self._folder, self._rows, self._dimension)
        certificate = build_apart(self._folder, self._wishes, self.on_stage)
        return {} if certificate is None else {"certificate": certificate.to_dict()}

    def open(self) -> None:
        """As a reader does."""
        stored = open_stored(self._folder, head_of(self._dimension))
        assert stored is not None
        self._index = VectorIndex.of(stored)

    def search(self, query: Any, k: int, effort: Any = None) -> list[int]:  # noqa: ARG002
        """Row numbers from 0; the effort is the certificate's."""
        assert self._index is not None
        return [i - 1 for i in self._index.search(query, k)[0][:k]]

    def disk_bytes(self) -> int:
        """Of all its files."""
        return sum(path.stat().st_size for path in self._folder.iterdir())


def main() -> None:
    """Serve one engine."""
    parser = argparse.ArgumentParser()
    for name in ("folder", "rows"):
        parser.add_argument(name, type=Path)
    parser.add_argument("dimension", type=int)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--target", type=float)
    parser.add_argument("--ram-budget-mib", type=int)
    parser.add_argument("--link", action="store_true", help="rows by a hard link, not a copy")
    given = parser.parse_args()
    budget = None if given.ram_budget_mib is None else given.ram_budget_mib << 20
    serve(
        Ours(
            given.folder,
            given.rows,
            given.dimension,
            given.threads,
            link=given.link,
            target_recall=given.target,
            ram_budget_bytes=budget,
        )
    )


if __name__ == "__main__":
    main()
