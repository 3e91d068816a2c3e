"""Workbooks: each sheet under its name, rows as lines, values as last calculated."""

import io
import re
import warnings
import zipfile
from collections.abc import Iterator
from datetime import date, datetime, time, timedelta
from typing import Any

from indexer.documents.readers.base import Rejected, Source, TextBuilder
from indexer.documents.readers.container import Container, core_properties
from indexer.types import BlockKind, ParsedDocument, SkipReason

# The names programs give; they say nothing.
_UNNAMED = re.compile(
    r"(?:sheet|tabelle|feuil|hoja|foglio|лист|工作表|シート)\s*\d*$", re.IGNORECASE
)
_MAX_EMPTY_ROWS = 100_000  # a stray cell far down must not cost a minute


def parse(data: bytes, source: Source) -> list[ParsedDocument]:
    """One document with a place per sheet."""
    container = Container(data)
    container.check_size((".xml",))
    import openpyxl
    from openpyxl.utils.exceptions import InvalidFileException

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about drawings and validation rules it leaves out
        try:
            book = openpyxl.load_workbook(
                io.BytesIO(data), read_only=True, data_only=True, keep_links=False
            )
        except (InvalidFileException, zipfile.BadZipFile, KeyError, ValueError) as error:
            raise Rejected(SkipReason.BROKEN, f"cannot be opened as workbook: {error}") from error
        builder = TextBuilder(source.max_text)
        for sheet in book.worksheets:
            _add_sheet(builder, sheet)
        book.close()
    properties = core_properties(container)
    title = properties.pop("title", "")
    properties_and_sheets = {**properties, "sheets": book.sheetnames}
    return [builder.document(source.format, title, properties_and_sheets, named_by_heading=False)]


def _add_sheet(builder: TextBuilder, sheet: Any) -> None:
    sheet.reset_dimensions()  # files lie about them
    blocks = _blocks(sheet)
    first = next(blocks, None)
    if first is None:
        return
    builder.place(f"sheet {sheet.title}")
    if _UNNAMED.match(sheet.title):
        builder.leave_sections()
    else:
        builder.add_heading(sheet.title, 1)
    builder.add(BlockKind.TABLE, first)
    for block in blocks:
        builder.add(BlockKind.TABLE, block)


def _blocks(sheet: Any) -> Iterator[str]:
    """Tables of a sheet: rows between empty rows."""
    lines: list[str] = []
    empty = 0
    for row in sheet.iter_rows(values_only=True):
        cells = [_show(value) for value in row]
        while cells and not cells[-1]:
            cells.pop()
        if cells:
            lines.append(" | ".join(cells))
            empty = 0
            continue
        empty += 1
        if lines:
            yield "\n".join(lines)
            lines = []
        if empty > _MAX_EMPTY_ROWS:
            return
    if lines:
        yield "\n".join(lines)


def _show(value: Any) -> str:
    """A cell as a person reads it."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "TRUE" if value else "FALSE"
    if isinstance(value, float):
        return str(int(value)) if value.is_integer() and abs(value) < 1e15 else f"{value:.12g}"
    if isinstance(value, datetime):
        return value.date().isoformat() if value.time() == time() else value.isoformat(" ")
    if isinstance(value, date | time | timedelta):
        return str(value)
    return " ".join(str(value).split())
