"""JSON Lines: each line with an id is a document of its own, the others make one together."""

import json
from collections.abc import Iterator
from typing import Any

from indexer.documents.encoding import clean
from indexer.documents.readers.base import Source, TextBuilder, decode_or_reject, json_values
from indexer.types import BlockKind, ParsedDocument

_IDS = ("_id", "id")
_TEXTS = ("text", "contents", "content", "body", "passage")
_MAX_DEPTH = 4
_MAX_ID = 1_000


def parse(data: bytes, source: Source) -> list[ParsedDocument]:
    """Documents named by their ids, and one named "" for the lines without (or broken)."""
    documents: list[ParsedDocument] = []
    names: set[str] = set()
    rest = TextBuilder(source.max_text)
    for number, line in enumerate(decode_or_reject(data).split("\n"), 1):
        if not line.strip():
            continue
        value = _load(line)
        identity = _identity(value)
        if identity:
            member = _unique(identity, names)
            names.add(member)
            documents.append(_document(value, member, source))
        else:
            rest.place(f"line {number}")
            rest.add(BlockKind.PARAGRAPH, _shown(value, line))
    if rest.length:
        documents.append(rest.document(source.format))
    return documents


def _load(line: str) -> Any:
    try:
        return json.loads(line)
    except (ValueError, RecursionError):
        return None


def _identity(value: Any) -> str:
    for key in _IDS if isinstance(value, dict) else ():
        identity = value.get(key)
        if isinstance(identity, str | int) and not isinstance(identity, bool):
            return clean(str(identity)).strip()[:_MAX_ID]
    return ""


def _unique(identity: str, names: set[str]) -> str:
    """The id, numbered when the file uses it twice."""
    member, number = identity, 1
    while member in names:
        number += 1
        member = f"{identity}#{number}"
    return member


def _document(value: dict[str, Any], member: str, source: Source) -> ParsedDocument:
    title = value.get("title")
    title = " ".join(clean(title).split()) if isinstance(title, str) else ""
    main = next((key for key in _TEXTS if isinstance(value.get(key), str)), None)
    if main is not None:
        text = clean(value[main])
    else:
        left = {key: item for key, item in value.items() if key not in (*_IDS, "title")}
        text = clean("\n".join(_lines(left, "", _MAX_DEPTH)))
    metadata = value.get("metadata")
    return ParsedDocument(
        text=text if text.strip() else title,
        format=source.format,
        title=title,
        member=member,
        metadata=json_values(metadata if isinstance(metadata, dict) else {}),
    )


def _shown(value: Any, line: str) -> str:
    if isinstance(value, dict):
        return "\n".join(_lines(value, "", _MAX_DEPTH))
    return value if isinstance(value, str) else line


def _lines(value: Any, name: str, depth: int) -> Iterator[str]:
    """A line `key: text` for every string inside."""
    if isinstance(value, str):
        yield f"{name}: {value}" if name else value
    elif isinstance(value, dict) and depth:
        for key, item in value.items():
            yield from _lines(item, f"{name}.{key}" if name else str(key), depth - 1)
    elif isinstance(value, list) and depth:
        for item in value:
            yield from _lines(item, name, depth - 1)
