"""Documents as the client of a service gives them."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self


@dataclass(frozen=True, slots=True)
class StoredDocument:
    """What became of a document that was sent. `status`: "added", "replaced" or "unchanged"."""

    external_id: str
    document_id: int
    status: str
    chunks: int

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Self:
        """From an entry of the answer to POST /documents."""
        return cls(values["id"], values["document_id"], values["status"], values["chunks"])


@dataclass(frozen=True, slots=True)
class ListedDocument:
    """A document without its text. `external_id` is None for one that lies in a file."""

    document_id: int
    external_id: str | None
    path: str
    member: str
    title: str
    format: str

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Self:
        """From an entry of GET /documents."""
        return cls(
            values["id"],
            values["external_id"],
            values["path"],
            values["member"],
            values["title"],
            values["format"],
        )


@dataclass(frozen=True, slots=True)
class Document:
    """A whole document: its extracted text, and its metadata with those of its front matter."""

    document_id: int
    external_id: str | None
    path: str
    member: str
    title: str
    format: str
    metadata: Mapping[str, Any]
    text: str

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Self:
        """From the answer of GET /documents/{id}."""
        return cls(
            values["id"],
            values["external_id"],
            values["path"],
            values["member"],
            values["title"],
            values["format"],
            values["metadata"],
            values["text"],
        )


@dataclass(frozen=True, slots=True)
class SimilarDocument:
    """A document like another, by the passage that is most like it; the score is a cosine."""

    rank: int
    score: float
    document_id: int
    path: str
    title: str
    chunk_id: int
    heading: str
    text: str

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Self:
        """From a hit of GET /documents/{id}/similar."""
        document, chunk = values["document"], values["chunk"]
        return cls(
            values["rank"],
            values["score"],
            document["id"],
            document["path"],
            document["title"],
            chunk["id"],
            chunk["heading"],
            chunk["text"],
        )
