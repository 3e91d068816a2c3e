"""What one collection gives to an answer: ranked documents, read while its snapshot is open."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from app.search.answer import Duplicate, Hit, Match
from app.search.file_state import file_state
from app.search.fusion import Fused
from app.search.query import Mode, Query
from indexer.storage.snapshot import Snapshot
from indexer.types import StoredChunk, StoredFile

# Of the score of the document's best chunk: less, and a reader would not call it a match. Every
# chunk of a small collection is a candidate, so without it each document would show its worst.
STILL_A_MATCH = 0.6


@dataclass(frozen=True, slots=True)
class Found:
    """A document found in one collection, before merging."""

    collection: str
    contract: str  # fingerprint
    rank: int  # in this collection
    item: Fused
    chunk: StoredChunk
    more: tuple[Match, ...]
    around: tuple[StoredChunk, ...]
    file: StoredFile
    duplicates: tuple[Duplicate, ...]
    rerank: float | None = None  # what the reranker said, 0 to 1; None: it was not asked

    def hit(self, rank: int, mode: Mode) -> Hit:
        """As the answer shows it."""
        return Hit(
            rank,
            self.item.score,
            dense=None if mode is Mode.LEXICAL else self.item.dense,
            lexical=None if mode is Mode.DENSE else self.item.lexical,
            rerank=self.rerank,
            collection=self.collection,
            chunk=self.chunk,
            more=self.more,
            before=tuple(c for c in self.around if c.ordinal < self.chunk.ordinal),
            after=tuple(c for c in self.around if c.ordinal > self.chunk.ordinal),
            duplicates=self.duplicates,
            file=file_state(self.file.stamp),
        )


def load(
    now: Snapshot,
    collection: str,
    items: Sequence[Fused],
    files: Mapping[int, StoredFile],
    query: Query,
) -> list[Found]:
    """The ranked documents with everything that the answer shows of them."""
    more = {item.document_id: _matches(item)[: query.more] for item in items}
    wanted = [item.chunk_id for item in items]
    wanted += [chunk_id for matches in more.values() for chunk_id, _ in matches]
    chunks = now.chunks(wanted)
    contract = now.head.contract.fingerprint
    found = []
    for rank, item in enumerate(items, start=1):
        chunk = chunks[item.chunk_id]
        around = now.chunks_around(chunk, query.neighbours) if query.neighbours else ()
        found.append(
            Found(
                collection,
                contract,
                rank,
                item,
                chunk,
                tuple(Match(score, chunks[i]) for i, score in more[item.document_id]),
                tuple(around),
                files[item.document_id],
                tuple(Duplicate(i, files[i].stamp.path, files[i].member) for i in item.duplicates),
            )
        )
    return found


def _matches(item: Fused) -> list[tuple[int, float]]:
    """Its further chunks that match, best first."""
    return [(i, score) for i, score in item.more if score >= STILL_A_MATCH * item.chunk_score > 0]


def merge(found: list[Found], mode: Mode) -> list[Found]:
    """One ranking: by score where scores compare (one contract), else by rank, turn by turn.

    BM25 depends on a collection's own word counts, so a lexical ranking goes by rank.
    """
    one_contract = len({item.contract for item in found}) <= 1
    comparable = one_contract and mode is not Mode.LEXICAL
    if comparable or len({item.collection for item in found}) <= 1:
        return sorted(found, key=lambda f: (-f.item.score, f.collection, f.chunk.id))
    return sorted(found, key=lambda f: (f.rank, f.collection))
