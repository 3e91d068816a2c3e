"""Word documents: body elements in order, headings by style, lists, tables, text boxes, notes."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from lxml import etree

from indexer.documents.readers.base import Rejected, Source, TextBuilder
from indexer.documents.readers.container import Container, core_properties
from indexer.types import BlockKind, ParsedDocument, SkipReason

_W = "{http://schemas.openxmlformats.org/wordprocessingml/2006/main}"
_W_STRICT = "http://purl.oclc.org/ooxml/wordprocessingml/main"
_M = "{http://schemas.openxmlformats.org/officeDocument/2006/math}"
_FALLBACK = "{http://schemas.openxmlformats.org/markup-compatibility/2006}Fallback"
_BOX = f"{_W}txbxContent"
_UNSEEN = frozenset({f"{_W}del", f"{_W}moveFrom", f"{_W}instrText", f"{_W}pPr", _FALLBACK})
_BREAKS = {f"{_W}tab": "\t", f"{_W}br": "\n", f"{_W}cr": "\n", f"{_W}noBreakHyphen": "-"}
_HEADING_NAME = re.compile(r"heading (\d)$", re.IGNORECASE)
_CODE_NAME = re.compile(r"code|preformatted|source|listing|macro", re.IGNORECASE)
_NOTES = (("footnotes", "footnote"), ("endnotes", "endnote"), ("comments", "comment"))
_TITLE_LEVEL = 1


@dataclass(frozen=True, slots=True)
class _Style:
    level: int = 0  # of a heading
    is_title: bool = False
    is_list: bool = False
    is_code: bool = False


_PLAIN = _Style()


def parse(data: bytes, source: Source) -> list[ParsedDocument]:
    """One document; headers, footers and deleted text are left out."""
    container = Container(data)
    part = _main_part(container)
    raw = container.read(part)
    if raw is None:
        raise Rejected(SkipReason.BROKEN, f"has no part {part}: no Word document")
    root = _tree(raw)
    reading = _Reading(TextBuilder(source.max_text), _styles(container, part))
    body = root.find(f"{_W}body")
    reading.add_all(body if body is not None else root)
    for file, tag in _NOTES:
        reading.add_notes(container.read(part.rpartition("/")[0] + f"/{file}.xml"), tag)
    properties = core_properties(container)
    title = properties.pop("title", "")
    if title.lower() in ("word document", "document", "untitled"):
        title = ""
    return [reading.builder.document(source.format, reading.title or title, properties)]


def _main_part(container: Container) -> str:
    targets = container.relations("").values()
    return next((path for kind, path in targets if kind == "officeDocument"), "word/document.xml")


def _tree(data: bytes) -> etree._Element:
    from indexer.documents.readers.xml import parse_xml

    # The strict variant of the format differs in its namespaces only.
    return parse_xml(data.replace(_W_STRICT.encode(), _W[1:-1].encode()))


def _styles(container: Container, part: str) -> dict[str, _Style]:
    """{style id: what it means}, inherited from the styles they are based on."""
    data = container.read(part.rpartition("/")[0] + "/styles.xml")
    if data is None:
        return {}
    elements = {each.get(f"{_W}styleId", ""): each for each in _tree(data).iter(f"{_W}style")}
    found: dict[str, _Style] = {}
    for name in elements:
        chain: list[etree._Element] = []
        at = name
        while at in elements and elements[at] not in chain:
            chain.append(elements[at])
            at = _value(elements[at], "basedOn")
        found[name] = next((style for each in chain if (style := _style(each)) != _PLAIN), _PLAIN)
    return found


def _style(element: etree._Element) -> _Style:
    name = _value(element, "name")
    heading = _HEADING_NAME.match(name)
    properties = element.find(f"{_W}pPr")
    level = int(heading[1]) if heading else _outline_level(properties)
    return _Style(
        level=level,
        is_title=name.lower() == "title",
        is_list=properties is not None and properties.find(f"{_W}numPr") is not None,
        is_code=_CODE_NAME.search(name) is not None,
    )


def _value(element: etree._Element | None, name: str) -> str:
    child = element.find(f"{_W}{name}") if element is not None else None
    return child.get(f"{_W}val", "") if child is not None else ""


def _outline_level(properties: etree._Element | None) -> int:
    value = _value(properties, "outlineLvl")
    return int(value) + 1 if value.isdigit() and int(value) < 9 else 0


class _Reading:
    """Walks the body; lists and code of several paragraphs become one block each."""

    def __init__(self, builder: TextBuilder, styles: dict[str, _Style]) -> None:
        self.builder = builder
        self.title = ""
        self._styles = styles
        self._run: list[str] = []
        self._run_kind = BlockKind.PARAGRAPH

    def add_all(self, parent: etree._Element) -> None:
        """Append the block elements below `parent`."""
        for element in _block_elements(parent):
            if element.tag == f"{_W}tbl":
                self._flush()
                self.builder.add(BlockKind.TABLE, "\n".join(_rows(element)))
            else:
                self._paragraph(element)
        self._flush()

    def add_notes(self, data: bytes | None, tag: str) -> None:
        """Append footnotes, endnotes or comments."""
        for note in _tree(data).iter(f"{_W}{tag}") if data is not None else ():
            if note.get(f"{_W}type") in (None, "normal"):
                text = " ".join(_text(each) for each in note.iter(f"{_W}p")).strip()
                author = note.get(f"{_W}author")
                mark = f"{tag.capitalize()} by {author}" if author else tag.capitalize()
                self.builder.add(BlockKind.PARAGRAPH, f"{mark}: {text}" if text else "")

    def _paragraph(self, element: etree._Element) -> None:
        properties = element.find(f"{_W}pPr")
        style = self._styles.get(_value(properties, "pStyle"), _PLAIN)
        text = _text(element)
        level = _outline_level(properties) or style.level
        if (style.is_title or level) and text.strip():
            self._flush()
            self.title = self.title or (text if style.is_title else "")
            self.builder.add_heading(text, level or _TITLE_LEVEL)
        elif _numbering(properties, style):
            indent = "  " * _indent(properties)
            self._collect(BlockKind.LIST, f"{indent}- {text.strip()}" if text.strip() else "")
        elif style.is_code:
            self._collect(BlockKind.CODE, text)
        else:
            self._flush()
            self.builder.add(BlockKind.PARAGRAPH, text)
        for box in _outermost(element, _BOX):
            self.add_all(box)

    def _collect(self, kind: BlockKind, line: str) -> None:
        if kind is not self._run_kind:
            self._flush()
        self._run_kind = kind
        self._run.append(line)

    def _flush(self) -> None:
        lines = self._run if self._run_kind is BlockKind.CODE else [x for x in self._run if x]
        self.builder.add(self._run_kind, "\n".join(lines))
        self._run = []
        self._run_kind = BlockKind.PARAGRAPH


def _block_elements(parent: etree._Element) -> Iterator[etree._Element]:
    """Paragraphs and tables in order, also those inside content controls and insertions."""
    for child in parent:
        if child.tag in (f"{_W}p", f"{_W}tbl"):
            yield child
        elif child.tag not in _UNSEEN and child.tag != f"{_W}sectPr":
            yield from _block_elements(child)


def _numbering(properties: etree._Element | None, style: _Style) -> bool:
    own = properties.find(f"{_W}numPr") if properties is not None else None
    return style.is_list if own is None else _value(own, "numId") != "0"


def _indent(properties: etree._Element | None) -> int:
    own = properties.find(f"{_W}numPr") if properties is not None else None
    value = _value(own, "ilvl")
    return min(int(value), 9) if value.isdigit() else 0


def _text(element: etree._Element) -> str:
    return "".join(_pieces(element)).strip("\n")


def _pieces(element: etree._Element) -> Iterator[str]:
    """Visible text, without that of text boxes."""
    for child in element:
        tag = child.tag
        if tag in (f"{_W}t", f"{_M}t"):
            yield child.text or ""
        elif tag in _BREAKS:
            yield _BREAKS[str(tag)]
        elif tag not in _UNSEEN and tag != _BOX:
            yield from _pieces(child)


def _outermost(element: etree._Element, tag: str) -> Iterator[etree._Element]:
    for child in element:
        if child.tag == tag:
            yield child
        elif child.tag != _FALLBACK:
            yield from _outermost(child, tag)


def _rows(table: etree._Element) -> Iterator[str]:
    for row in _nearest(table, f"{_W}tr"):
        cells = [_cell(cell) for cell in _nearest(row, f"{_W}tc")]
        if any(cells):
            yield " | ".join(cells)


def _nearest(element: etree._Element, tag: str) -> Iterator[etree._Element]:
    """Rows of this table, or cells of this row: not those of a table within."""
    for child in element:
        if child.tag == tag:
            yield child
        elif child.tag not in _UNSEEN and child.tag != f"{_W}tbl":
            yield from _nearest(child, tag)


def _cell(cell: etree._Element) -> str:
    texts = (" ".join(_text(paragraph).split()) for paragraph in cell.iter(f"{_W}p"))
    return " ".join(text for text in texts if text)
