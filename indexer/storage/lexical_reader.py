"""The lexical copy, read: exactly the verified files, through a private folder of links.

tantivy opens whatever `meta.json` lies in a folder, which a writer may change at any time and which
may be damaged. So a snapshot gets a folder of its own: links to the files of the manifest, and the
manifest's
    `meta.json`.
It also makes read-only media work, as tantivy writes a lock file beside the index it opens.
"""

import math
import os
import shutil
import tempfile
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from indexer.storage.analysis import query_terms
from indexer.storage.catalog import Head
from indexer.storage.lexical import (
    BODY,
    FOLDER,
    HEAD,
    ID,
    NAME,
    id_query,
    open_index,
    read_manifest,
    verify,
)

# benchmarks/store/lexical_boosts.py: nDCG@10 on cranfield, xquad-en, xquad-zh.
BOOSTS = {BODY: 1.0, HEAD: 0.5, NAME: 0.5}
_TIE_BREAKER = 0.2
_MAX_WORDS = 256  # distinct words of a query that count; more is a pasted document


class LexicalSnapshot:
    """An opened lexical copy at one generation."""

    def __init__(self, generation: int, index: Any) -> None:
        self.generation = generation
        self._schema = index.schema
        self._searcher = index.searcher()

    @property
    def stored(self) -> int:
        """Entries held."""
        return int(self._searcher.num_docs)

    def search(self, query: str, languages: Iterable[str], k: int) -> list[tuple[int, float]]:
        """(chunk id, BM25 score), best first, ties by id; may name chunks that are gone.

        Args:
            query: any string; it is taken literally, there is no syntax.
            languages: stemmers in use by the collection.
            k: at least 1.
        """
        words = query_terms(query, languages)[:_MAX_WORDS]
        if not words or self.stored == 0:
            return []
        found = self._found(self._build(words), min(k, self.stored))
        return sorted(found, key=lambda item: (-item[1], item[0]))

    def scores(self, query: str, languages: Iterable[str], ids: Sequence[int]) -> dict[int, float]:
        """{chunk id: BM25 score} of those of the ids that hold a word of the query."""
        import tantivy

        words = query_terms(query, languages)[:_MAX_WORDS]
        if not words or not ids:
            return {}
        # The filter must add nothing to the score, or it would differ from that of `search`.
        these = tantivy.Query.boost_query(id_query(self._schema, ids), 0.0)
        must = tantivy.Occur.Must
        query_of_these = tantivy.Query.boolean_query([(must, these), (must, self._build(words))])
        return dict(self._found(query_of_these, len(ids)))

    def weight(self, query: str, languages: Iterable[str]) -> float:
        """Sum of the words' inverse document frequencies: BM25 of about one mention of each."""
        total = 0.0
        for forms in query_terms(query, languages)[:_MAX_WORDS]:
            held_by = max(self._searcher.doc_freq(BODY, form) for form in forms)
            held_by = min(held_by, self.stored)  # tantivy still counts removed entries
            # BM25's own idf (Robertson and Zaragoza 2009), as tantivy computes it.
            total += math.log1p((self.stored - held_by + 0.5) / (held_by + 0.5))
        return total

    def _found(self, query: Any, limit: int) -> list[tuple[int, float]]:
        """(chunk id, score) of the best entries."""
        hits = self._searcher.search(query, limit, count=False).hits
        ids = self._searcher.fast_field_values(ID, [address for _, address in hits])
        return [(int(chunk_id), float(hit[0])) for chunk_id, hit in zip(ids, hits, strict=True)]

    def ids(self) -> list[int]:
        """Chunk ids held, ascending, one per entry."""
        import tantivy

        if self.stored == 0:
            return []
        hits = self._searcher.search(tantivy.Query.all_query(), self.stored, count=False).hits
        return sorted(self._searcher.fast_field_values(ID, [address for _, address in hits]))

    def _build(self, words: list[tuple[str, ...]]) -> Any:
        import tantivy

        should = tantivy.Occur.Should
        clauses = []
        for forms in words:
            for field, boost in BOOSTS.items():
                terms = [
                    tantivy.Query.term_query(self._schema, field, form, "freq") for form in forms
                ]
                one = (
                    terms[0]
                    if len(terms) == 1
                    else tantivy.Query.disjunction_max_query(terms, _TIE_BREAKER)
                )
                clauses.append((should, tantivy.Query.boost_query(one, boost)))
        return tantivy.Query.boolean_query(clauses)


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
