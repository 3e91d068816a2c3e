"""Ranked hits as the public API gives them."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Self


@dataclass(frozen=True, slots=True)
class Hit:
    """The best passage of one document. Offsets count code points, lines from 1.

    `score` is the fusion of both parts (hybrid), the cosine (dense) or BM25 (lexical); the parts
    are the document's best, None for a search that was not made.
    """

    rank: int
    score: float
    dense_score: float | None
    lexical_score: float | None
    collection: str
    document_id: int
    path: str
    member: str
    title: str
    chunk_id: int
    heading: str
    place: str
    text: str
    start_line: int
    end_line: int
    start: int
    end: int
    snippet: str  # the stretch of the text that shows best why it was found
    file: str | None  # "same", "changed" or "missing" since it was indexed; None: no file

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Self:
        """A hit from the JSON shape of `search --json` and POST /search."""
        document, chunk, parts = values["document"], values["chunk"], values["parts"]
        return cls(
            rank=values["rank"],
            score=values["score"],
            dense_score=parts["dense"],
            lexical_score=parts["lexical"],
            collection=values["collection"],
            document_id=document["id"],
            path=document["path"],
            member=document["member"],
            title=document["title"],
            chunk_id=chunk["id"],
            heading=chunk["heading"],
            place=chunk["place"],
            text=chunk["text"],
            start_line=chunk["start_line"],
            end_line=chunk["end_line"],
            start=chunk["start"],
            end=chunk["end"],
            snippet=values["snippet"]["text"],
            file=document["file"],
        )


class Hits(list[Hit]):
    """Ranked hits, best first.

    `degraded_reason` says why a hybrid search was answered by words alone; None when it was not.
    `next` is the cursor of the hits after these; None when there are none.
    """

    def __init__(
        self,
        hits: Iterable[Hit] = (),
        degraded_reason: str | None = None,
        next: str | None = None,
    ) -> None:
        super().__init__(hits)
        self.degraded_reason = degraded_reason
        self.next = next

    @classmethod
    def from_dict(cls, answer: Mapping[str, Any]) -> Self:
        """The hits of the JSON shape of `search --json` and POST /search."""
        return cls(map(Hit.from_dict, answer["hits"]), answer["degraded_reason"], answer["next"])
