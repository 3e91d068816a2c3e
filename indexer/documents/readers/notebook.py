"""Jupyter notebooks: Markdown and code cells in order, with what the code printed."""

import json
from collections.abc import Iterator
from typing import Any

from indexer.documents.encoding import clean
from indexer.documents.readers.base import Rejected, Source, TextBuilder, decode_or_reject
from indexer.documents.readers.markdown import parse_text
from indexer.types import BlockKind, ParsedDocument, SkipReason

_MAX_OUTPUT = 2_000  # characters of one cell's output: logs drown what was written by hand


def parse(data: bytes, source: Source) -> list[ParsedDocument]:
    """One document with a place per cell."""
    try:
        notebook = json.loads(decode_or_reject(data))
    except (ValueError, RecursionError) as error:
        raise Rejected(SkipReason.BROKEN, f"is no notebook: {error}") from error
    if not isinstance(notebook, dict):
        raise Rejected(SkipReason.BROKEN, "is no notebook: its JSON holds no object")
    builder = TextBuilder(source.max_text)
    for number, cell in enumerate(_cells(notebook), 1):
        builder.place(f"cell {number}")
        _add_cell(builder, cell)
    metadata = notebook.get("metadata")
    language, title = "", ""
    if isinstance(metadata, dict):
        title = str(metadata.get("title") or "")
        kernel = metadata.get("kernelspec")
        language = str(kernel.get("language", "")) if isinstance(kernel, dict) else ""
    return [builder.document(source.format, title, {"language": language} if language else {})]


def _cells(notebook: dict[str, Any]) -> Iterator[dict[str, Any]]:
    sheets = notebook.get("worksheets")  # format 3
    holders = [notebook, *(sheets if isinstance(sheets, list) else [])]
    for holder in holders:
        cells = holder.get("cells") if isinstance(holder, dict) else None
        for cell in cells if isinstance(cells, list) else ():
            if isinstance(cell, dict):
                yield cell


def _add_cell(builder: TextBuilder, cell: dict[str, Any]) -> None:
    kind = cell.get("cell_type")
    text = clean(_joined(cell.get("source", cell.get("input"))))
    if kind == "markdown":
        builder.append(parse_text(text, "markdown"))
    elif kind == "heading":
        level = cell.get("level")
        builder.add_heading(text, level if isinstance(level, int) and 0 < level < 7 else 1)
    else:
        builder.add(BlockKind.CODE if kind == "code" else BlockKind.PARAGRAPH, text)
        outputs = cell.get("outputs")
        shown = "".join(_outputs(outputs if isinstance(outputs, list) else []))
        builder.add(BlockKind.CODE, shown[:_MAX_OUTPUT])


def _outputs(outputs: list[Any]) -> Iterator[str]:
    for output in outputs:
        if not isinstance(output, dict):
            continue
        data = output.get("data")
        if isinstance(data, dict):
            yield _joined(data.get("text/plain")) + "\n"
        elif output.get("output_type") in ("stream", "pyout"):
            yield _joined(output.get("text"))


def _joined(value: Any) -> str:
    if isinstance(value, list):
        return "".join(str(line) for line in value)
    return value if isinstance(value, str) else ""
