"""Codes whose candidates are ranked by rows of the SQLite catalog, read by id: what a map saves."""

from pathlib import Path
from typing import Any

import numpy as np
from made_files import commit_rows, plain_contract
from sqlalchemy import select
from studied import Studied

from indexer.storage.catalog import among
from indexer.storage.commit import Writer
from indexer.storage.encoding import decode_vectors
from indexer.storage.engine import open_reader_engine
from indexer.storage.tables import EmbeddingRow

_TEXT = "a passage of some words, of which nothing is read here "


class StudiedCatalog(Studied):
    """The product's catalog beside the codes; row i has the embedding id i + 1."""

    @property
    def _folder(self) -> Path:
        return self._path.with_suffix(".collection")

    def build(self) -> dict[str, Any]:
        """Codes as ever, then all rows through the product's writer."""
        told = super().build()
        with Writer.open(self._folder, plain_contract(self._dimension)) as writer:
            commit_rows(writer, self.base, [_TEXT])
        return told

    def open(self) -> None:
        """Codes and catalog; the last row must be the one that went in last."""
        super().open()
        self._reader = open_reader_engine(self._folder / "catalog.sqlite3")
        last = len(self.base) - 1
        same = np.allclose(self.rows_of(np.array([last]))[0], self.base[last], atol=1e-3)
        assert same, "embedding ids do not follow the rows"

    def search(self, query: Any, k: int, effort: Any = None, chosen: Any = None) -> list[int]:
        """Candidates by code, ranked by their rows."""
        candidates = max(k, effort["candidates"])
        found = super().search(query, candidates, effort, chosen)
        scores = self.rows_of(np.array(found)) @ query
        return [found[i] for i in np.argsort(-scores)[:k]]

    def rows_of(self, numbers: Any) -> Any:
        """By embedding id, in the order asked for; without a look at chunks, as for a map."""
        ids = (numbers + 1).tolist()
        query = select(EmbeddingRow.id, EmbeddingRow.vector).where(among(EmbeddingRow.id, ids))
        with self._reader.begin() as connection:
            found = {row[0]: row[1] for row in connection.execute(query)}
        return decode_vectors([found[i] for i in ids], self._dimension)

    def disk_bytes(self) -> int:
        """Of codes and catalog."""
        files = [path for path in self._folder.rglob("*") if path.is_file()]
        return super().disk_bytes() + sum(path.stat().st_size for path in files)
