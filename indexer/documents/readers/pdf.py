"""PDF: text page by page, lines joined into paragraphs, larger type taken for headings."""

import ctypes
import math
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
_BOLD_WEIGHT = 600
_BOLD_NAME = re.compile(rb"bold|black|heavy|CMBX", re.IGNORECASE)
_JOINED = "\x02"  # where PDFium has made a divided word whole
_HYPHENATED = re.compile(r"\w[\u00ad\u2010\ufffe-]$")


@dataclass(frozen=True, slots=True)
class _Line:
    text: str
    size: float  # of its type, in points
    baseline: float  # distance from the page's bottom
    is_bold: bool


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
    type = _type_of(pages)
    for number, lines in enumerate(pages, 1):
        builder.place(f"page {number}")
        _add_page(builder, lines, type)
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
    import pypdfium2 as pdfium
    import pypdfium2.raw as raw

    try:
        page = pdf[number]
        text_page = page.get_textpage()
    except pdfium.PdfiumError:  # a damaged page costs its own text
        return
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
    x, baseline = ctypes.c_double(), ctypes.c_double()
    raw.FPDFText_GetCharOrigin(text_page.raw, first, x, baseline)
    size = float(raw.FPDFText_GetFontSize(text_page.raw, first))
    matrix = raw.FS_MATRIX()  # many files draw at size 1 and scale
    if raw.FPDFText_GetMatrix(text_page.raw, first, matrix):
        size *= math.hypot(matrix.c, matrix.d) or 1.0
    last = start + len(text.rstrip()) - 1
    is_bold = _is_bold(raw, text_page, first) and _is_bold(raw, text_page, last)
    return _Line(text.replace(_JOINED, "").strip(), size, baseline.value, is_bold)


def _is_bold(raw: Any, text_page: Any, index: int) -> bool:
    name = ctypes.create_string_buffer(128)
    raw.FPDFText_GetFontInfo(text_page.raw, index, name, len(name), None)
    if _BOLD_NAME.search(name.value):
        return True
    return int(raw.FPDFText_GetFontWeight(text_page.raw, index)) >= _BOLD_WEIGHT


@dataclass(frozen=True, slots=True)
class _Type:
    """How headings of a file stand out."""

    levels: dict[float, int]  # {type size: heading level} for sizes above the body's
    bold_level: int  # of bold lines in the body's size; 0 when the body is bold itself

    def level(self, line: _Line) -> int:
        """The heading level of a line; 0 for body text."""
        if not _may_head(line.text):
            return 0
        size_level = self.levels.get(round(line.size, 1), 0)
        bold = line.is_bold and not line.text.endswith((".", ",", ";"))
        return size_level or (self.bold_level if bold else 0)


def _type_of(pages: Sequence[Sequence[_Line]]) -> _Type:
    lines = [line for page in pages for line in page]
    sizes: Counter[float] = Counter()
    weights: Counter[bool] = Counter()
    for line in lines:
        sizes[round(line.size, 1)] += len(line.text)
        weights[line.is_bold] += len(line.text)
    body = sizes.most_common(1)[0][0] if sizes else 0.0
    larger = {
        round(line.size, 1)
        for line in lines
        if line.size > body * _HEADING_RATIO and _may_head(line.text)
    }
    levels = {size: min(level, 5) for level, size in enumerate(sorted(larger, reverse=True), 1)}
    is_bold_rare = weights[True] * 4 < weights[False]
    return _Type(levels, max(levels.values(), default=0) + 1 if is_bold_rare else 0)


def _may_head(text: str) -> bool:
    letters = sum(character.isalpha() for character in text)
    return len(text) <= _MAX_HEADING and letters * 2 > len(text) and letters > 2


def _add_page(builder: TextBuilder, lines: Sequence[_Line], type: _Type) -> None:
    step = _usual_step(lines)
    waiting: list[_Line] = []
    for line in lines:
        if waiting and not _continues(waiting[-1], line, step, type):
            _add_lines(builder, waiting, type)
            waiting = []
        waiting.append(line)
    _add_lines(builder, waiting, type)


def _usual_step(lines: Sequence[_Line]) -> float:
    steps = Counter(
        round(above.baseline - below.baseline, 0)
        for above, below in zip(lines, lines[1:], strict=False)
        if 0 < above.baseline - below.baseline < 4 * max(above.size, 1.0)
    )
    return steps.most_common(1)[0][0] if steps else 0.0


def _continues(above: _Line, below: _Line, step: float, type: _Type) -> bool:
    """True when two lines are of one paragraph (or one heading of two lines)."""
    if type.level(above) != type.level(below):
        return False
    down = above.baseline - below.baseline
    usual = max(step, above.size)
    # Upwards is the next column: a paragraph may go on there, unless a sentence has just ended.
    if down < -above.size:
        return not above.text.endswith((".", "!", "?", ":"))
    return down <= usual * _GAP_RATIO


def _add_lines(builder: TextBuilder, lines: Sequence[_Line], type: _Type) -> None:
    if not lines:
        return
    level = type.level(lines[0])
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
