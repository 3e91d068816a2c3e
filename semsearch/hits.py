"""A ranked hit as the public API gives it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self


@dataclass(frozen=True, slots=True)
class Hit:
    """The best passage of one document. Offsets count code points, lines from 1."""

    rank: int
    score: float
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

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Self:
        """A hit from the JSON shape of `search --json` and POST /search."""
        document, chunk = values["document"], values["chunk"]
        return cls(
            rank=values["rank"],
            score=values["score"],
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
        )
