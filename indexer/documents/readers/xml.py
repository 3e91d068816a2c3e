"""Any XML: text by elements, headings where an element is called title."""

from itertools import groupby

from lxml import etree

from indexer.documents.readers.base import Rejected, Source, TextBuilder
from indexer.documents.readers.html import parse as parse_html
from indexer.documents.readers.markup import inline_text, is_out_of_memory, local_name, table_rows
from indexer.types import BlockKind, ParsedDocument, SkipReason

_TITLES = frozenset({"title", "head", "heading", "article-title", "invention-title"})
_CODE = frozenset({"code", "programlisting", "preformat", "screen", "pre", "codeblock"})
_TABLES = frozenset({"table", "tgroup"})
_MAX_LEVEL = 6
# Of journal articles: what only catalogues read.
_UNSEEN = frozenset({"journal-meta", "article-id", "article-categories", "pub-id", "object-id"})
_SHORT = 80


def parse_xml(data: bytes) -> etree._Element:
    """The tree of an XML file. Entities stay unresolved, nothing is fetched.

    Raises:
        Rejected: it is not well formed.
    """
    parser = etree.XMLParser(
        resolve_entities=False,
        no_network=True,
        load_dtd=False,
        huge_tree=False,
        remove_comments=True,
        remove_pis=True,
    )
    try:
        return etree.fromstring(data, parser)
    except etree.XMLSyntaxError as error:
        if is_out_of_memory(error):
            raise MemoryError from error
        raise Rejected(SkipReason.BROKEN, f"is not well-formed XML: {error}") from error


def parse(data: bytes, source: Source) -> list[ParsedDocument]:
    """One document; XHTML is read as HTML."""
    root = parse_xml(data)
    if local_name(root) == "html":
        return parse_html(data, source)
    builder = TextBuilder(source.max_text)
    _add(builder, root, 1)
    language = root.get("{http://www.w3.org/XML/1998/namespace}lang")
    return [builder.document(source.format, metadata={"language": language} if language else {})]


def _add(builder: TextBuilder, element: etree._Element, level: int) -> None:
    """Append an element's text. Depth is bounded: libxml2 refuses trees deeper than 256."""
    name = local_name(element)
    if not name or name in _UNSEEN:
        return
    if name in _TITLES:
        builder.add_heading(inline_text(element), min(level, _MAX_LEVEL))
    elif name in _TABLES:
        rows = list(table_rows(element))
        builder.add(BlockKind.TABLE, "\n".join(rows) if rows else inline_text(element))
    elif name in _CODE:
        builder.add(BlockKind.CODE, "".join(_texts(element)))
    elif _has_own_text(element) or len(element) == 0:
        builder.add(BlockKind.PARAGRAPH, inline_text(element))
    else:
        titled = any(local_name(child) in _TITLES for child in element)
        for _, run in groupby(element, _is_short_leaf):
            children = list(run)
            if _is_short_leaf(children[0]) and len(children) > 1:  # the fields of a record
                texts = (inline_text(child) for child in children)
                builder.add(BlockKind.PARAGRAPH, "\n".join(text for text in texts if text))
                continue
            for child in children:
                own = local_name(child) in _TITLES
                _add(builder, child, level if own or not titled else level + 1)


def _is_short_leaf(element: etree._Element) -> bool:
    if len(element) or local_name(element) in _TITLES | _UNSEEN | _CODE:
        return False
    return len(element.text or "") <= _SHORT


def _texts(element: etree._Element) -> list[str]:
    return [text for text in element.itertext() if isinstance(text, str)]


def _has_own_text(element: etree._Element) -> bool:
    """True when text stands beside child elements, as in a paragraph with emphasis."""
    if element.text and element.text.strip():
        return True
    return any(child.tail and child.tail.strip() for child in element)
