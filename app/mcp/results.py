"""Results as agents get them: lines to read, and the same as data."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from app.search.answer import Hit
from app.search.snippets import snippet
from indexer.paths import display_path
from indexer.types import StoredChunk

SHOWN_CHARS = 240  # of a passage without a query to cut it by


@dataclass(frozen=True, slots=True)
class Result:
    """Of a tool: text for the model that reads it, and data of the same content."""

    text: str
    data: dict[str, Any]


def name_of(chunk: StoredChunk) -> str:
    """The document's name: its path, and its id inside a file of many."""
    path = display_path(chunk.path)
    return f"{path}#{chunk.member}" if chunk.member else path


def hit_data(hit: Hit, query: str) -> dict[str, Any]:
    """A hit of a search."""
    shown = snippet(hit.chunk.text, query).text
    return result_data(hit.collection, hit.score, hit.chunk, shown)


def result_data(collection: str, score: float, chunk: StoredChunk, shown: str) -> dict[str, Any]:
    """One result. `context` is where in the document the snippet stands."""
    place = [" > ".join(chunk.heading), chunk.place]
    return {
        "docid": f"#{chunk.document_id}",
        "collection": collection,
        "file": name_of(chunk),
        "title": chunk.title,
        "score": round(score, 4),
        "context": " - ".join(part for part in place if part),
        "line": chunk.start_line,
        "snippet": shown,
    }


def results(data: Sequence[dict[str, Any]], notes: Sequence[str] = (), **more: Any) -> Result:
    """Ranked results; `notes` are said before them, `more` stands beside them in the data."""
    lines = list(notes)
    for item in data:
        lines.append(f"{item['docid']} {item['file']}:{item['line']} (score {item['score']})")
        if about := item["context"] or item["title"]:
            lines.append(f"  {about}")
        lines.append("  " + " ".join(item["snippet"].split()))
    if not data:
        lines.append("Nothing found.")
    return Result("\n".join(lines), {"results": list(data), **more})
