"""The lexical copy, read: exactly the verified files, through a private folder of links.

tantivy opens whatever `meta.json` lies in a folder, which a writer may change at any time and which
may be damaged. So a snapshot gets a folder of its own: links to the files of the manifest, and the
manifest's `meta.json`. It also makes read-only media work, as tantivy writes a lock file beside the
index it opens.
"""

import os
import shutil
import tempfile
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from indexer.storage.catalog import Head
from indexer.storage.filters.fields import ChunkSet
from indexer.storage.lexical import FOLDER, id_query, open_index, read_manifest, verify
from indexer.storage.lexical_clauses import Clause, Clauses, weightless, words_of
from indexer.storage.lexical_entries import ID
from indexer.storage.lexical_query import Constraints, LexicalQuery

Ids = npt.NDArray[np.int64]


class LexicalSnapshot:
    """An opened lexical copy at one generation."""

    def __init__(self, generation: int, index: Any) -> None:
        self.generation = generation
        self._schema = index.schema
        self._searcher = index.searcher()
        self._clauses = Clauses(self._schema, self._searcher)

    @property
    def stored(self) -> int:
        """Entries held."""
        return int(self._searcher.num_docs)

    def search(
        self, query: LexicalQuery, languages: Iterable[str], k: int
    ) -> list[tuple[int, float]]:
        """(chunk id, BM25 score), best first, ties by id; may name chunks that are gone.

        Args:
            query: see `lexical_query`.
            languages: stemmers in use by the collection.
            k: at least 1.
        """
        clauses = self._clauses.of(query, languages)
        if not clauses or self.stored == 0:
            return []
        found = self._found(clauses, min(k, self.stored))
        return sorted(found, key=lambda item: (-item[1], item[0]))

    def scores(
        self, query: LexicalQuery, languages: Iterable[str], ids: Sequence[int]
    ) -> dict[int, float]:
        """{chunk id: BM25 score} of those of the ids that `search` can find."""
        import tantivy

        clauses = self._clauses.of(query, languages)
        if not clauses or not ids:
            return {}
        must = tantivy.Occur.Must
        # The filter must add nothing to the score, or it would differ from that of `search`.
        these = (must, weightless(id_query(self._schema, ids)))
        one = (must, tantivy.Query.boolean_query(clauses))
        return dict(self._found([these, one], len(ids)))

    def weight(self, query: LexicalQuery, languages: Iterable[str]) -> float:
        """Sum of the words' inverse document frequencies: BM25 of about one mention of each."""
        return sum(self._clauses.idf(forms) for forms in words_of(query, languages))

    def holding(self, constraints: Constraints) -> ChunkSet:
        """The chunks of this copy that hold the constraints, which must not be empty."""
        import tantivy

        if constraints.phrases:
            return ChunkSet(self._ids(self._clauses.limits(constraints)), excluded=False)
        should = tantivy.Occur.Should
        barred = [(should, self._clauses.exactly(phrase)) for phrase in constraints.excluded]
        return ChunkSet(self._ids(barred), excluded=True)

    def ids(self) -> list[int]:
        """Chunk ids held, ascending, one per entry."""
        import tantivy

        return sorted(self._ids([(tantivy.Occur.Must, tantivy.Query.all_query())]).tolist())

    def _ids(self, clauses: list[Clause]) -> Ids:
        import tantivy

        if self.stored == 0:
            return np.empty(0, np.int64)
        query = tantivy.Query.const_score_query(tantivy.Query.boolean_query(clauses), 1.0)
        hits = self._searcher.search(query, self.stored, count=False).hits
        addresses = [address for _, address in hits]
        return np.array(self._searcher.fast_field_values(ID, addresses), np.int64)

    def _found(self, clauses: list[Clause], limit: int) -> list[tuple[int, float]]:
        """(chunk id, score) of the best entries."""
        import tantivy

        query = tantivy.Query.boolean_query(clauses)
        hits = self._searcher.search(query, limit, count=False).hits
        ids = self._searcher.fast_field_values(ID, [address for _, address in hits])
        return [(int(chunk_id), float(hit[0])) for chunk_id, hit in zip(ids, hits, strict=True)]


def open_snapshot(folder: Path, head: Head) -> LexicalSnapshot | None:
    """The copy as its manifest describes it; None if missing, damaged or another collection's."""
    for _ in range(3):  # a writer may remove files of the manifest we just read
        manifest = read_manifest(folder, head)
        if manifest is None:
            return None
        if verify(folder, manifest):
            try:
                return LexicalSnapshot(manifest["generation"], _open_linked(folder, manifest))
            except (OSError, ValueError):
                pass
        if read_manifest(folder, head) == manifest:
            return None
    return None


def _open_linked(folder: Path, manifest: dict[str, Any]) -> Any:
    private = Path(tempfile.mkdtemp(prefix="semsearch-lexical-"))
    try:
        for name in manifest["files"]:
            _link((folder / FOLDER / name).absolute(), private / name)
        (private / "meta.json").write_text(manifest["meta"], "utf-8")
        index = open_index(private)
        index.config_reader("manual")
        index.searcher().num_docs  # noqa: B018 - maps every file now; the folder may go
        return index
    finally:
        # The maps outlive the names; where they do not (Windows), the system cleans its folder.
        shutil.rmtree(private, ignore_errors=True)


def _link(source: Path, target: Path) -> None:
    """A symbolic link, or a copy where the system refuses one."""
    try:
        os.symlink(source, target)
    except (OSError, NotImplementedError):
        shutil.copyfile(source, target)
