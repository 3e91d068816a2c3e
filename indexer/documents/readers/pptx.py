"""Presentations: slide by slide, titles as headings, then text, tables, charts and notes."""

import re
from collections.abc import Iterator

from lxml import etree

from indexer.documents.readers.base import Rejected, Source, TextBuilder
from indexer.documents.readers.container import Container, core_properties
from indexer.types import BlockKind, ParsedDocument, SkipReason

_A = "{http://schemas.openxmlformats.org/drawingml/2006/main}"
_P = "{http://schemas.openxmlformats.org/presentationml/2006/main}"
_C = "{http://schemas.openxmlformats.org/drawingml/2006/chart}"
_R = "{http://schemas.openxmlformats.org/officeDocument/2006/relationships}"
_FALLBACK = "{http://schemas.openxmlformats.org/markup-compatibility/2006}Fallback"
_TITLE_TYPES = ("title", "ctrTitle")
_FURNITURE = ("sldNum", "dt", "ftr", "hdr", "sldImg")
_NO_TITLE = re.compile(r"(?:power ?point presentation|presentation|slide \d+|untitled)$", re.I)
_SLIDE = re.compile(r"ppt/slides/slide(\d+)\.xml$")


def parse(data: bytes, source: Source) -> list[ParsedDocument]:
    """One document with a place per slide."""
    container = Container(data)
    slides = _slides(container)
    if not slides:
        raise Rejected(SkipReason.BROKEN, "has no slides: no presentation")
    builder = TextBuilder(source.max_text)
    for number, part in enumerate(slides, 1):
        root = container.xml(part)
        if root is not None:
            builder.place(f"slide {number}")
            _add_slide(builder, container, part, root)
    properties = core_properties(container)
    title = properties.pop("title", "")
    if _NO_TITLE.match(title):
        title = ""
    return [builder.document(source.format, title, {**properties, "slides": len(slides)})]


def _slides(container: Container) -> list[str]:
    """Part names in the order they are shown; by number if the presentation does not say."""
    main = "ppt/presentation.xml"
    root, relations = container.xml(main), container.relations(main)
    listed: list[str] = []
    for each in root.iter(f"{_P}sldId") if root is not None else ():
        kind, path = relations.get(each.get(f"{_R}id", ""), ("", ""))
        if kind == "slide":
            listed.append(path)
    found = [(int(match[1]), name) for name in container.names if (match := _SLIDE.match(name))]
    return listed or [name for _, name in sorted(found)]


def _add_slide(builder: TextBuilder, container: Container, part: str, root: etree._Element) -> None:
    shapes = list(_shapes(root))
    relations = container.relations(part)
    title = next((shape for shape in shapes if _role(shape) in _TITLE_TYPES), None)
    name = " ".join(" ".join(_paragraphs(title)).split()) if title is not None else ""
    if name:
        builder.add_heading(name, 1)
    else:
        builder.leave_sections()
    for shape in shapes:
        if shape is not title and _role(shape) not in _FURNITURE:
            _add_shape(builder, container, relations, shape)
    for kind, path in relations.values():
        if kind == "notesSlide":
            _add_notes(builder, container, path)


def _shapes(element: etree._Element) -> Iterator[etree._Element]:
    """Shapes and frames in order, those of groups too."""
    for child in element:
        if child.tag in (f"{_P}sp", f"{_P}graphicFrame"):
            yield child
        elif child.tag != _FALLBACK:
            yield from _shapes(child)


def _role(shape: etree._Element) -> str:
    """The placeholder type: "title", "body" ...; "" for a free shape."""
    placeholder = shape.find(f"./{_P}nvSpPr/{_P}nvPr/{_P}ph")
    return placeholder.get("type", "body") if placeholder is not None else ""


def _add_shape(
    builder: TextBuilder,
    container: Container,
    relations: dict[str, tuple[str, str]],
    shape: etree._Element,
) -> None:
    for table in shape.iter(f"{_A}tbl"):
        builder.add(BlockKind.TABLE, "\n".join(_rows(table)))
    for chart in shape.iter(f"{_C}chart"):
        _, path = relations.get(chart.get(f"{_R}id", ""), ("", ""))
        root = container.xml(path) if path else None
        if root is not None:
            builder.add(BlockKind.TABLE, "\n".join(_chart_lines(root)))
    lines = list(_paragraphs(shape)) if shape.tag == f"{_P}sp" else []
    kind = BlockKind.LIST if len(lines) > 1 else BlockKind.PARAGRAPH
    builder.add(kind, "\n".join(lines))


def _paragraphs(shape: etree._Element) -> Iterator[str]:
    """Lines of a shape, deeper levels indented."""
    for paragraph in shape.iter(f"{_A}p"):
        text = _text(paragraph).strip()
        properties = paragraph.find(f"{_A}pPr")
        level = properties.get("lvl", "0") if properties is not None else "0"
        if text:
            yield "  " * (int(level) if level.isdigit() and len(level) == 1 else 0) + text


def _text(paragraph: etree._Element) -> str:
    pieces: list[str] = []
    for each in paragraph.iter(f"{_A}t", f"{_A}br", f"{_A}tab"):
        pieces.append((each.text or "") if each.tag == f"{_A}t" else " ")
    return "".join(pieces)


def _rows(table: etree._Element) -> Iterator[str]:
    for row in table.iter(f"{_A}tr"):
        cells = [" ".join(_text(cell).split()) for cell in row.iter(f"{_A}tc")]
        if any(cells):
            yield " | ".join(cells)


def _chart_lines(root: etree._Element) -> Iterator[str]:
    """The chart's title, then each series with its categories and values."""
    title = root.find(f".//{_C}title")
    if title is not None:
        yield " ".join(_text(title).split())
    for series in root.iter(f"{_C}ser"):
        columns = {
            name: [value.text or "" for value in series.iterfind(f"./{_C}{name}//{_C}v")]
            for name in ("tx", "cat", "val", "xVal", "yVal")
        }
        left = columns["cat"] or columns["xVal"]
        right = columns["val"] or columns["yVal"]
        points = ", ".join(f"{a}: {b}" for a, b in zip(left, right, strict=False))
        yield f"{' '.join(columns['tx'])} | {points}"


def _add_notes(builder: TextBuilder, container: Container, path: str) -> None:
    root = container.xml(path)
    for shape in _shapes(root) if root is not None else ():
        text = "\n".join(_paragraphs(shape))
        if text and _role(shape) not in _FURNITURE:
            builder.add(BlockKind.PARAGRAPH, f"Notes: {text}")
