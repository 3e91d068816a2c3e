"""Books: the chapters in reading order, each a place."""

import posixpath
from urllib.parse import unquote

from lxml import etree

from indexer.documents.readers.base import Rejected, Source, TextBuilder
from indexer.documents.readers.container import Container
from indexer.documents.readers.html import parse_tree
from indexer.documents.readers.markup import add_html, local_name
from indexer.types import ParsedDocument, SkipReason

_OPF = "{http://www.idpf.org/2007/opf}"
_CONTAINER = "META-INF/container.xml"
_FONT_OBFUSCATION = ("http://www.idpf.org/2008/embedding", "http://ns.adobe.com/pdf/enc#RC")
_PROPERTIES = {
    "creator": "author",
    "language": "language",
    "publisher": "publisher",
    "date": "date",
    "subject": "subject",
    "description": "description",
}


def parse(data: bytes, source: Source) -> list[ParsedDocument]:
    """One document of all chapters."""
    container = Container(data)
    _refuse_protected(container)
    path = _package_path(container)
    package = container.xml(path)
    if package is None:
        raise Rejected(SkipReason.BROKEN, f"has no part {path}: no book")
    builder = TextBuilder(source.max_text)
    number = 0
    for part in _chapters(package, posixpath.dirname(path)):
        raw = container.read(part)
        root = parse_tree(raw) if raw else None
        if root is not None:
            before = builder.length
            builder.place(f"chapter {number + 1}")
            add_html(builder, root)
            number += builder.length > before
    title, metadata = _metadata(package)
    return [builder.document(source.format, title, metadata)]


def _refuse_protected(container: Container) -> None:
    """Reject a book under digital rights management; scrambled fonts alone do not matter."""
    root = container.xml("META-INF/encryption.xml")
    for element in root.iter() if root is not None else ():
        method = element.get("Algorithm")
        if local_name(element) == "encryptionmethod" and method not in _FONT_OBFUSCATION:
            raise Rejected(SkipReason.ENCRYPTED, "is protected by digital rights management")


def _package_path(container: Container) -> str:
    root = container.xml(_CONTAINER)
    for element in root.iter() if root is not None else ():
        if local_name(element) == "rootfile" and element.get("full-path"):
            return element.get("full-path") or ""
    found = next((name for name in container.names if name.endswith(".opf")), None)
    if found is None:
        raise Rejected(SkipReason.BROKEN, f"has no {_CONTAINER}: no book")
    return found


def _chapters(package: etree._Element, folder: str) -> list[str]:
    """Part names in reading order, without the table of contents."""
    parts: dict[str, str] = {}
    for item in package.iter(f"{_OPF}item"):
        is_text = "html" in (item.get("media-type") or "")
        if is_text and "nav" not in (item.get("properties") or "").split():
            target = unquote(item.get("href") or "")
            parts[item.get("id") or ""] = posixpath.normpath(posixpath.join(folder, target))
    spine = [item.get("idref") or "" for item in package.iter(f"{_OPF}itemref")]
    return [parts[name] for name in spine if name in parts]


def _metadata(package: etree._Element) -> tuple[str, dict[str, str]]:
    title = ""
    found: dict[str, str] = {}
    for element in package.iter():
        name, text = local_name(element), (element.text or "").strip()
        if text and name == "title":
            title = title or text
        elif text and name in _PROPERTIES:
            found.setdefault(_PROPERTIES[name], text)
    return title, found
