"""OpenDocument texts, sheets and presentations, zipped or flat."""

from collections.abc import Iterator

from lxml import etree

from indexer.documents.readers.base import Rejected, Source, TextBuilder
from indexer.documents.readers.container import Container
from indexer.documents.readers.xml import parse_xml
from indexer.types import BlockKind, ParsedDocument, SkipReason

_NS = "{urn:oasis:names:tc:opendocument:xmlns:"
_OFFICE, _TEXT = f"{_NS}office:1.0}}", f"{_NS}text:1.0}}"
_TABLE, _DRAW = f"{_NS}table:1.0}}", f"{_NS}drawing:1.0}}"
_META = f"{_NS}meta:1.0}}"
_DC = "{http://purl.org/dc/elements/1.1/}"
_PRESENTATION = f"{_NS}presentation:1.0}}"
_UNSEEN = frozenset(
    {f"{_TEXT}tracked-changes", f"{_OFFICE}annotation", f"{_TEXT}note-citation"}
    | {f"{_TEXT}sequence-decls", f"{_OFFICE}forms", f"{_TEXT}ruby-text"}
)
_SPACES = {f"{_TEXT}tab": "\t", f"{_TEXT}line-break": "\n"}
_MAX_REPEATED = 100
_PROPERTIES = {
    f"{_DC}creator": "author",
    f"{_META}initial-creator": "author",
    f"{_DC}subject": "subject",
    f"{_DC}description": "description",
    f"{_DC}date": "modified",
    f"{_DC}language": "language",
}


def parse(data: bytes, source: Source) -> list[ParsedDocument]:
    """One document; sheets and slides are places."""
    content, meta = _parts(data)
    body = content.find(f".//{_OFFICE}body")
    if body is None:
        raise Rejected(SkipReason.BROKEN, "has no body: no OpenDocument file")
    builder = TextBuilder(source.max_text)
    pages, sheets = 0, 0
    for element in _top(body):
        if element.tag == f"{_DRAW}page":
            pages += 1
            builder.place(f"slide {pages}")
            _add_slide(builder, element)
        elif element.tag == f"{_TABLE}table" and source.format == "ods":
            sheets += 1
            name = element.get(f"{_TABLE}name") or f"{sheets}"
            _add_sheet(builder, element, name)
        else:
            _add(builder, element)
    title, properties = _properties(meta)
    named = source.format != "ods"  # the first sheet's name is no title
    return [builder.document(source.format, title, properties, named_by_heading=named)]


def _parts(data: bytes) -> tuple[etree._Element, etree._Element | None]:
    """The trees of the content and of the properties."""
    if not data.startswith(b"PK"):
        root = parse_xml(data)
        return root, root
    container = Container(data)
    manifest = container.read("META-INF/manifest.xml") or b""
    if b"encryption-data" in manifest:
        raise Rejected(SkipReason.ENCRYPTED, "needs a password. Save it without one to index it.")
    content = container.xml("content.xml")
    if content is None:
        raise Rejected(SkipReason.BROKEN, "has no part content.xml: no OpenDocument file")
    return content, container.xml("meta.xml")


def _properties(meta: etree._Element | None) -> tuple[str, dict[str, str]]:
    title, found = "", {}
    for each in meta.iter() if meta is not None else ():
        text = (each.text or "").strip()
        if text and each.tag == f"{_DC}title":
            title = title or text
        elif text and each.tag in _PROPERTIES:
            found[_PROPERTIES[str(each.tag)]] = text
    return title, found


def _top(body: etree._Element) -> Iterator[etree._Element]:
    """The children of office:text, office:spreadsheet or office:presentation."""
    for kind in body:
        yield from kind


def _add_slide(builder: TextBuilder, page: etree._Element) -> None:
    frames = list(page.iterchildren(f"{_DRAW}frame"))
    title = next((x for x in frames if x.get(f"{_PRESENTATION}class") == "title"), None)
    name = " ".join(_text(title).split()) if title is not None else ""
    if name:
        builder.add_heading(name, 1)
    else:
        builder.leave_sections()
    for child in page:
        if child is not title and child.tag != f"{_PRESENTATION}notes":
            _add(builder, child)
    for notes in page.iterchildren(f"{_PRESENTATION}notes"):
        text = _text(notes).strip()
        builder.add(BlockKind.PARAGRAPH, f"Notes: {text}" if text else "")


def _add_sheet(builder: TextBuilder, table: etree._Element, name: str) -> None:
    text = "\n".join(_rows(table))
    if text:
        builder.place(f"sheet {name}")
        builder.add_heading(name, 1)
        builder.add(BlockKind.TABLE, text)


def _add(builder: TextBuilder, element: etree._Element) -> None:
    """Append an element's blocks. Depth is bounded by libxml2."""
    tag = element.tag
    if tag in _UNSEEN:
        return
    if tag == f"{_TEXT}h":
        level = element.get(f"{_TEXT}outline-level", "1")
        builder.add_heading(_text(element), min(int(level), 9) if level.isdigit() else 1)
    elif tag == f"{_TEXT}p":
        builder.add(BlockKind.PARAGRAPH, _text(element))
        for box in _outermost_boxes(element):
            for child in box:
                _add(builder, child)
    elif tag == f"{_TEXT}list" and not _holds_headings(element):
        builder.add(BlockKind.LIST, "\n".join(_list_lines(element, 0)))
    elif tag == f"{_TABLE}table":
        builder.add(BlockKind.TABLE, "\n".join(_rows(element)))
    else:
        for child in element:
            _add(builder, child)


def _holds_headings(element: etree._Element) -> bool:
    return next(element.iter(f"{_TEXT}h"), None) is not None


def _outermost_boxes(element: etree._Element) -> Iterator[etree._Element]:
    for child in element:
        if child.tag == f"{_DRAW}text-box":
            yield child
        else:
            yield from _outermost_boxes(child)


def _list_lines(element: etree._Element, depth: int) -> Iterator[str]:
    for item in element:
        mark = "- "
        for child in item:
            if child.tag == f"{_TEXT}list":
                yield from _list_lines(child, depth + 1)
            elif text := " ".join(_text(child).split()):
                yield f"{'  ' * depth}{mark}{text}"
                mark = "  "


def _rows(table: etree._Element) -> Iterator[str]:
    for row in _nearest(table, f"{_TABLE}table-row"):
        cells: list[str] = []
        for cell in _nearest(row, f"{_TABLE}table-cell"):
            text = " ".join(" ".join(_text(each) for each in cell).split())
            repeated = cell.get(f"{_TABLE}number-columns-repeated", "1")
            cells += [text] * (min(int(repeated), _MAX_REPEATED) if repeated.isdigit() else 1)
        while cells and not cells[-1]:
            cells.pop()
        if cells:
            yield " | ".join(cells)


def _nearest(element: etree._Element, tag: str) -> Iterator[etree._Element]:
    for child in element:
        if child.tag == tag:
            yield child
        elif child.tag != f"{_TABLE}table":
            yield from _nearest(child, tag)


def _text(element: etree._Element) -> str:
    return "".join(_pieces(element))


def _pieces(element: etree._Element) -> Iterator[str]:
    """Visible text, without that of text boxes."""
    yield element.text or ""
    for child in element:
        tag = child.tag
        if tag == f"{_TEXT}s":
            count = child.get(f"{_TEXT}c", "1")
            yield " " * (min(int(count), 100) if count.isdigit() else 1)
        elif tag in _SPACES:
            yield _SPACES[str(tag)]
        elif tag not in _UNSEEN and (tag != f"{_DRAW}text-box" or element.tag == f"{_DRAW}frame"):
            yield from _pieces(child)
            if tag in (f"{_TEXT}p", f"{_TEXT}h", f"{_TEXT}list-item"):
                yield "\n"
        yield child.tail or ""
