"""Blocks of an HTML tree, for web pages, books and mails."""

import re
from collections.abc import Iterator

from lxml import etree

from indexer.documents.readers.base import TextBuilder
from indexer.types import BlockKind

_SKIPPED = frozenset(
    {"script", "style", "template", "noscript", "svg", "iframe", "object", "embed", "audio"}
    | {"video", "canvas", "map", "select", "datalist", "head", "annotation", "nav", "dialog"}
)
_HEADINGS = {f"h{level}": level for level in range(1, 7)}
_BLOCKS = frozenset(
    {"p", "div", "section", "article", "main", "header", "footer", "aside", "blockquote"}
    | {"figure", "figcaption", "address", "details", "summary", "form", "fieldset", "center"}
    | {"body", "html", "hr", "li", "dt", "dd", "tr", "td", "th", "caption", "tbody", "thead"}
    | {"tfoot", "legend", "option", "table", "ul", "ol", "dl", "menu", "pre"}
)
_STRUCTURED = frozenset({"table", "pre", *_HEADINGS})
# Menus that pages mark by class only, and MediaWiki's boxes of links.
_FURNITURE = frozenset(
    {"noprint", "navbox", "navbar", "breadcrumb", "breadcrumbs", "interlanguage-link", "skip-link"}
    | {"mw-editsection", "mw-jump-link", "visually-hidden", "sr-only"}
)
_HIDDEN = re.compile(r"display\s*:\s*none|visibility\s*:\s*hidden", re.IGNORECASE)
_SPACE = re.compile(r"\s+")
_AROUND_BREAK = re.compile(r"[^\S\n]*\n[^\S\n]*")


def local_name(element: etree._Element) -> str:
    """The lower-case name without its namespace; "" for comments and instructions."""
    tag = element.tag
    return tag.rpartition("}")[2].lower() if isinstance(tag, str) else ""


def is_out_of_memory(error: etree.XMLSyntaxError) -> bool:
    """True when libxml2 gave up for want of memory, which it reports as (unknown) syntax error."""
    return getattr(error, "code", None) in (None, 0, etree.ErrorTypes.ERR_NO_MEMORY)


def add_html(builder: TextBuilder, root: etree._Element) -> None:
    """Append the visible content below `root`."""
    walk = _Walk(builder)
    walk.enter(root)
    walk.flush()


class _Walk:
    """Depth is bounded: libxml2 refuses trees deeper than 256."""

    def __init__(self, builder: TextBuilder) -> None:
        self._builder = builder
        self._inline: list[str] = []

    def flush(self) -> None:
        text = tidy("".join(self._inline))
        self._inline.clear()
        self._builder.add(BlockKind.PARAGRAPH, text)

    def enter(self, element: etree._Element) -> None:
        name = local_name(element)
        if name and name not in _SKIPPED and not _is_hidden(element):
            if name in _BLOCKS or name in _HEADINGS:
                self.flush()
                self._block(element, name)
                self.flush()
            else:
                self._inline_element(element, name)

    def _block(self, element: etree._Element, name: str) -> None:
        if name in _HEADINGS:
            self._builder.add_heading(inline_text(element), _HEADINGS[name])
        elif name == "pre":
            self._builder.add(BlockKind.CODE, "".join(_pre_text(element)))
        elif name == "table" and not _has(element, _STRUCTURED):
            self._builder.add(BlockKind.TABLE, "\n".join(table_rows(element)))
        elif name in ("ul", "ol", "menu") and not _has(element, _STRUCTURED):
            self._builder.add(BlockKind.LIST, "\n".join(_list_lines(element, 0)))
        elif name == "dl" and not _has(element, _STRUCTURED | {"dl"}):
            self._builder.add(BlockKind.LIST, "\n".join(_definition_lines(element)))
        else:
            self._children(element)

    def _inline_element(self, element: etree._Element, name: str) -> None:
        if name == "br":
            self._inline.append("\0")
        elif name == "img":
            self._inline.append(f" {element.get('alt', '')[:500]} ")
        else:
            self._children(element)

    def _children(self, element: etree._Element) -> None:
        self._inline.append(element.text or "")
        for child in element:
            self.enter(child)
            self._inline.append(child.tail or "")


def tidy(text: str) -> str:
    """White space as a browser shows it; NUL stands for a line break."""
    text = _SPACE.sub(" ", text).replace("\0", "\n")
    return _AROUND_BREAK.sub("\n", text).strip()


def inline_text(element: etree._Element) -> str:
    """All visible text of an element, in one line."""
    return " ".join("".join(_pieces(element)).replace("\0", " ").split())


def _pieces(element: etree._Element) -> Iterator[str]:
    name = local_name(element)
    if not name or name in _SKIPPED or _is_hidden(element):
        return
    if name in _BLOCKS or name == "br":
        yield " "
    if name == "img":
        yield element.get("alt", "")[:500]
    yield element.text or ""
    for child in element:
        yield from _pieces(child)
        yield child.tail or ""
    if name in _BLOCKS:
        yield " "


def _pre_text(element: etree._Element) -> Iterator[str]:
    yield element.text or ""
    for child in element:
        if local_name(child) == "br":
            yield "\n"
        elif local_name(child) not in _SKIPPED:
            yield from _pre_text(child)
        yield child.tail or ""


def table_rows(table: etree._Element) -> Iterator[str]:
    """One line per row, cells between bars."""
    for row in table.iter():
        name = local_name(row)
        if name == "caption":
            yield inline_text(row)
        elif name in ("tr", "row"):
            cells = [inline_text(cell) for cell in row if local_name(cell) in _CELLS]
            if any(cells):
                yield " | ".join(cells)


_CELLS = ("td", "th", "entry", "cell")


def _list_lines(element: etree._Element, depth: int) -> Iterator[str]:
    for n, item in enumerate(element, 1):
        if local_name(item) in ("ul", "ol", "menu"):
            yield from _list_lines(item, depth + 1)
        elif local_name(item) == "li" and not _is_hidden(item):
            mark = f"{n}." if local_name(element) == "ol" else "-"
            own, inner = _split_item(item)
            if own:
                yield f"{'  ' * depth}{mark} {own}"
            for each in inner:
                yield from _list_lines(each, depth + 1)


def _split_item(item: etree._Element) -> tuple[str, list[etree._Element]]:
    """The text of a list item without its inner lists, and these lists."""
    pieces, inner = [item.text or ""], []
    for child in item:
        if local_name(child) in ("ul", "ol", "menu"):
            inner.append(child)
        else:
            pieces.extend(_pieces(child))
        pieces.append(child.tail or "")
    return " ".join("".join(pieces).replace("\0", " ").split()), inner


def _definition_lines(element: etree._Element) -> Iterator[str]:
    for item in element.iter():
        if local_name(item) == "dt":
            yield inline_text(item)
        elif local_name(item) == "dd":
            yield f"  {inline_text(item)}"


def _has(element: etree._Element, names: frozenset[str]) -> bool:
    return any(local_name(each) in names for each in element.iterdescendants())


def _is_hidden(element: etree._Element) -> bool:
    if element.get("hidden") is not None or element.get("aria-hidden") == "true":
        return True
    if element.get("role") == "navigation":
        return True
    if not _FURNITURE.isdisjoint((element.get("class") or "").split()):
        return True
    style = element.get("style")
    return style is not None and _HIDDEN.search(style) is not None
