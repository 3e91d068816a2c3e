"""PDF: text page by page, lines joined into paragraphs, larger type taken for headings."""

import ctypes
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from indexer.documents.readers.base import Rejected, Source, TextBuilder
from indexer.types import BlockKind, ParsedDocument, SkipReason

_PASSWORD_ERROR = 4  # FPDF_ERR_PASSWORD
_HEADING_RATIO = 1.15  # type this much larger than the body's is a heading
_MAX_HEADING = 150
_GAP_RATIO = 1.6  # a step to the next line this much larger than usual starts a paragraph
_HYPHENATED = re.compile(r"\w[\u00ad\u2010\ufffe-]$")


@dataclass(frozen=True, slots=True)
class _Line:
    text: str
    size: float  # of its type, in points
    top: float  # distance from the page's bottom
    bottom: float
    left: float
    right: float


def parse(data: bytes, source: Source) -> list[ParsedDocument]:
    """One document with a place per page."""
    import pypdfium2 as pdfium

    try:
        pdf = pdfium.PdfDocument(data)
    except pdfium.PdfiumError as error:
        raise _verdict(error) from error
    try:
        return _read(pdf, source)
    finally:
        pdf.close()


def _verdict(error: Any) -> Rejected:
    if getattr(error, "err_code", None) == _PASSWORD_ERROR or "password" in str(error).lower():
        return Rejected(SkipReason.ENCRYPTED, "needs a password. Save it without one to index it.")
    return Rejected(SkipReason.BROKEN, f"cannot be opened as PDF: {error}")


def _read(pdf: Any, source: Source) -> list[ParsedDocument]:
    builder = TextBuilder(source.max_text)
    pages = [list(_lines(pdf, number)) for number in range(len(pdf))]
    body = _body_size(pages)
    levels = _heading_levels(pages, body)
    for number, lines in enumerate(pages, 1):
        builder.place(f"page {number}")
        _add_page(builder, lines, levels)
    if not builder.length:
        raise Rejected(
            SkipReason.EMPTY,
            f"has no text in {len(pages)} page(s): scanned? Run OCR on it to index it.",
        )
    information = {key.lower(): value for key, value in _information(pdf).items()}
    title = _believable_title(information.pop("title", ""))
    return [builder.document(source.format, title, {**information, "pages": len(pages)})]


def _information(pdf: Any) -> dict[str, str]:
    wanted = ("Title", "Author", "Subject", "Keywords", "CreationDate")
    values = {key: str(pdf.get_metadata_value(key)).strip() for key in wanted}
    return {key: value for key, value in values.items() if value}


def _believable_title(title: str) -> str:
    """Many programs write a file name here; that is no title."""
    stem = title.lower()
    if stem.startswith(("microsoft word", "untitled", "powerpoint presentation")):
        return ""
    return "" if re.search(r"\.(?:docx?|tex|pdf|pptx?|indd|dvi|xlsx?|odt|qxd)$", stem) else title


def _lines(pdf: Any, number: int) -> Iterator[_Line]:
    """The lines of a page in the order of its text stream."""
    import pypdfium2.raw as raw

    page = pdf[number]
    text_page = page.get_textpage()
    try:
        n_characters = text_page.count_chars()
        start = 0
        for piece in _split_lines(text_page, n_characters):
            text = piece.rstrip("\r\n")
            if text.strip():
                yield _line(raw, text_page, text, start)
            start += len(piece)
    finally:
        text_page.close()
        page.close()


def _split_lines(text_page: Any, n_characters: int) -> list[str]:
    """Lines with their ends. One character of each stands for one PDFium character index."""
    import pypdfium2.raw as raw

    codes = [raw.FPDFText_GetUnicode(text_page.raw, n) for n in range(n_characters)]
    text = "".join(chr(code) if 0 < code < 0x110000 else "\ufffd" for code in codes)
    return re.findall(r"[^\r\n]*(?:\r\n|\r|\n)|[^\r\n]+", text)


def _line(raw: Any, text_page: Any, text: str, start: int) -> _Line:
    first = start + len(text) - len(text.lstrip())
    last = start + len(text.rstrip()) - 1
    left, right, bottom, top = (ctypes.c_double() for _ in range(4))
    raw.FPDFText_GetCharBox(text_page.raw, first, left, right, bottom, top)
    far_left, far_right = ctypes.c_double(), ctypes.c_double()
    unused = ctypes.c_double(), ctypes.c_double()
    raw.FPDFText_GetCharBox(text_page.raw, last, far_left, far_right, *unused)
    size = raw.FPDFText_GetFontSize(text_page.raw, (first + last) // 2)
    height = max(top.value - bottom.value, 0.0)
    # Some files draw at size 1 and scale: then the height of the letters tells more.
    size = float(size) if size > 1.5 else height * 1.4
    return _Line(text.strip(), size, top.value, bottom.value, left.value, far_right.value)


def _body_size(pages: Sequence[Sequence[_Line]]) -> float:
    """The type size most characters have."""
    sizes: Counter[float] = Counter()
    for lines in pages:
        for line in lines:
            sizes[round(line.size, 1)] += len(line.text)
    return sizes.most_common(1)[0][0] if sizes else 0.0


def _heading_levels(pages: Sequence[Sequence[_Line]], body: float) -> dict[float, int]:
    """{type size: heading level} for the sizes above the body's, largest first."""
    sizes: Counter[float] = Counter()
    for lines in pages:
        for line in lines:
            if line.size > body * _HEADING_RATIO and _may_head(line.text):
                sizes[round(line.size, 1)] += 1
    return {size: min(level, 6) for level, size in enumerate(sorted(sizes, reverse=True), 1)}


def _may_head(text: str) -> bool:
    letters = sum(character.isalpha() for character in text)
    return len(text) <= _MAX_HEADING and letters * 2 > len(text) and letters > 2


def _add_page(builder: TextBuilder, lines: Sequence[_Line], levels: dict[float, int]) -> None:
    step = _usual_step(lines)
    waiting: list[_Line] = []
    for line in lines:
        if waiting and not _continues(waiting[-1], line, step, levels):
            _add_lines(builder, waiting, levels)
            waiting = []
        waiting.append(line)
    _add_lines(builder, waiting, levels)


def _usual_step(lines: Sequence[_Line]) -> float:
    steps = Counter(
        round(above.bottom - below.bottom, 0)
        for above, below in zip(lines, lines[1:], strict=False)
        if 0 < above.bottom - below.bottom < 4 * max(above.size, 1.0)
    )
    return steps.most_common(1)[0][0] if steps else 0.0


def _continues(above: _Line, below: _Line, step: float, levels: dict[float, int]) -> bool:
    """True when two lines are of one paragraph (or one heading of two lines)."""
    if _level(above, levels) != _level(below, levels):
        return False
    down = above.bottom - below.bottom
    usual = max(step, above.size)
    # Upwards is the next column: a paragraph may go on there, unless a sentence has just ended.
    if down < -above.size:
        return not above.text.endswith((".", "!", "?", ":"))
    return down <= usual * _GAP_RATIO


def _level(line: _Line, levels: dict[float, int]) -> int:
    return levels.get(round(line.size, 1), 0) if _may_head(line.text) else 0


def _add_lines(builder: TextBuilder, lines: Sequence[_Line], levels: dict[float, int]) -> None:
    if not lines:
        return
    level = _level(lines[0], levels)
    text = _join(lines)
    if level and len(text) <= _MAX_HEADING:
        builder.add_heading(text, level)
    else:
        builder.add(BlockKind.PARAGRAPH, text)


def _join(lines: Sequence[_Line]) -> str:
    """Lines as they stand, but words that were divided at a line's end made whole."""
    text = lines[0].text
    for line in lines[1:]:
        if _HYPHENATED.search(text) and line.text[:1].islower():
            text = text[:-1] + line.text
        else:
            text = f"{text}\n{line.text}"
    return text
