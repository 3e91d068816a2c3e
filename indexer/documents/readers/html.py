"""Web pages: the main part's blocks, the title and what the head says about the page."""

import re

from lxml import etree

from indexer.documents.readers.base import Source, TextBuilder, decode_or_reject
from indexer.documents.readers.markup import add_html, inline_text, is_out_of_memory, local_name
from indexer.types import ParsedDocument

_CHARSET = re.compile(rb"<meta[^>]{0,200}?charset\s*=\s*[\"']?\s*([\w.:-]{2,40})", re.IGNORECASE)
_XML_ENCODING = re.compile(rb"<\?xml[^>]{0,200}?encoding\s*=\s*[\"']([\w.:-]{2,40})")
_META_NAMES = ("description", "author", "keywords", "date", "article:published_time")
# A page's <main> is believed to be the page if at least this share of the text is in it.
_MAIN_SHARE = 0.2


def parse(data: bytes, source: Source) -> list[ParsedDocument]:
    """One document of the visible text."""
    root = parse_tree(data)
    builder = TextBuilder(source.max_text)
    if root is None:
        return []
    add_html(builder, _main_part(root))
    title, metadata = _head(root)
    return [builder.document(source.format, title, metadata)]


def parse_tree(data: bytes) -> etree._Element | None:
    """The tree of an HTML or XHTML file; None when it is empty."""
    head = data[:2048]
    declared = _CHARSET.search(head) or _XML_ENCODING.match(head)
    text = decode_or_reject(data, declared[1].decode("ascii") if declared else None)
    if not text.strip():
        return None
    return tree_of(text)


def tree_of(text: str) -> etree._Element | None:
    """The tree of decoded HTML. Nothing is fetched, whatever the page asks for."""
    parser = etree.HTMLParser(encoding="utf-8", no_network=True, remove_comments=True)
    try:
        return etree.fromstring(text.encode(), parser)
    except etree.XMLSyntaxError as error:
        if is_out_of_memory(error):
            raise MemoryError from error
        return None  # nothing but comments and the like


def _main_part(root: etree._Element) -> etree._Element:
    found = [each for each in root.iter("main") if each.get("hidden") is None]
    found = found or list(root.iter("article"))
    if len(found) != 1:
        return root
    inner, outer = _text_length(found[0]), _text_length(root)
    return found[0] if inner >= outer * _MAIN_SHARE else root


def _text_length(element: etree._Element) -> int:
    return sum(len(text) for text in element.itertext())


def _head(root: etree._Element) -> tuple[str, dict[str, str]]:
    """The title and what the page says of itself."""
    title = next((inline_text(each) for each in root.iter("title") if _in_head(each)), "")
    metadata: dict[str, str] = {}
    for meta in root.iter("meta"):
        name = (meta.get("name") or meta.get("property") or "").lower()
        content = (meta.get("content") or "").strip()
        if name in _META_NAMES and content:
            metadata[name] = content
        elif name == "og:title" and content:
            title = title or content
    language = root.get("lang")
    if language:
        metadata["language"] = language
    return title, metadata


def _in_head(element: etree._Element) -> bool:
    parent = element.getparent()
    return parent is None or local_name(parent) in ("head", "html", "body")
