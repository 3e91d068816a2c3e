"""Which format a file has: by its content where that is certain, else by its name."""

import os
import re
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec

from indexer.documents import languages
from indexer.documents.builtin import CONVERT, unreadable_kind
from indexer.documents.readers.base import Rejected
from indexer.types import SkipReason


@dataclass(frozen=True, slots=True)
class Format:
    """How one format is read."""

    name: str  # as shown: "markdown", "pdf", "python"
    reader: str  # module in readers/
    isolated: bool = False  # parsed in the child process whatever its size
    extra: str = ""  # pip extra that brings `module`
    module: str = ""

    def require(self) -> None:
        """Check that the packages for it are there.

        Raises:
            Rejected: they are not; the detail has the command that installs them.
        """
        if self.module and not _is_installed(self.module):
            raise Rejected(
                SkipReason.MISSING_EXTRA,
                f"{self.name} files need an extra: pip install 'semsearch[{self.extra}]'",
            )


@cache
def _is_installed(module: str) -> bool:
    return find_spec(module) is not None


_FORMATS = (
    Format("markdown", "markdown"),
    Format("text", "plain"),
    Format("rst", "rst"),
    Format("latex", "latex"),
    Format("subtitles", "subtitles"),
    Format("csv", "delimited"),
    Format("tsv", "delimited"),
    Format("json", "plain"),
    Format("jsonl", "jsonlines"),
    Format("notebook", "notebook"),
    Format("html", "html", True, "html", "lxml"),
    Format("xml", "xml", True, "html", "lxml"),
    Format("pdf", "pdf", True, "pdf", "pypdfium2"),
    Format("docx", "docx", True, "office", "lxml"),
    Format("pptx", "pptx", True, "office", "lxml"),
    Format("xlsx", "xlsx", True, "office", "openpyxl"),
    Format("odt", "odf", True, "html", "lxml"),
    Format("ods", "odf", True, "html", "lxml"),
    Format("odp", "odf", True, "html", "lxml"),
    Format("epub", "epub", True, "html", "lxml"),
    Format("email", "mail", True),
    Format("mbox", "mail", True),
)
FORMATS = {each.name: each for each in _FORMATS}

_SUFFIXES = {
    "markdown": "md markdown mdown mkd mdx qmd rmd",
    "text": "txt text log adoc asciidoc org bib bbl cls sty bst",
    "rst": "rst rest",
    "latex": "tex latex ltx",
    "subtitles": "vtt srt",
    "csv": "csv",
    "tsv": "tsv tab",
    "json": "json geojson webmanifest",
    "jsonl": "jsonl ndjson",
    "notebook": "ipynb",
    "html": "html htm xhtml",
    "xml": "xml nxml rss atom opml tei dita docbook dbk xsd",
    "pdf": "pdf",
    "docx": "docx docm dotx dotm",
    "pptx": "pptx pptm potx ppsx",
    "xlsx": "xlsx xlsm xltx xltm",
    "odt": "odt ott fodt",
    "ods": "ods ots",
    "odp": "odp otp",
    "epub": "epub",
    "email": "eml",
    "mbox": "mbox",
}
_BY_SUFFIX = {f".{suffix}": name for name, line in _SUFFIXES.items() for suffix in line.split()}
_CONTAINERS = frozenset(["pdf", "docx", "pptx", "xlsx", "odt", "ods", "odp", "epub"])

_OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
_MAGIC = (  # content that is never text, whatever the name
    (b"\x89PNG\r\n", "an image"),
    (b"\xff\xd8\xff", "an image"),
    (b"GIF8", "an image"),
    (b"\x1f\x8b", "an archive"),
    (b"7z\xbc\xaf\x27", "an archive"),
    (b"Rar!\x1a\x07", "an archive"),
    (b"\xfd7zXZ\0", "an archive"),
    (b"\x7fELF", "a program"),
    (b"MZ\x90\0", "a program"),
    (b"SQLite format 3\0", "a database"),
    (b"OggS", "a recording"),
    (b"ID3\x03", "a recording"),
    (b"fLaC", "a recording"),
)
_MAIL = re.compile(rb"(?:[A-Z][\w-]*: [^\n]*\n(?:[ \t][^\n]*\n)*){3,}", re.ASCII)
_MAIL_KEYS = re.compile(rb"^(?:From|Received|Message-ID|Delivered-To):", re.MULTILINE | re.I)

NAMES = frozenset(FORMATS) | languages.NAMES  # every format that a document may have


def by_word(word: str) -> str | None:
    """The name of the format that goes by this name or file suffix, whatever its case."""
    lower = word.lower().removeprefix(".")
    if lower in FORMATS:
        return lower
    return _BY_SUFFIX.get(f".{lower}") or languages.by_word(lower)


def detect(name: str, data: bytes) -> Format:
    """The format of a file.

    Args:
        name: its file name, without folders.
        data: its bytes.

    Raises:
        Rejected: it is of a kind that cannot be read, or its content is not what its name says.
    """
    suffix = os.path.splitext(name)[1].lower()
    container = _container(suffix, data)
    if container:
        return FORMATS[container]
    kind = unreadable_kind(suffix) or next(
        (kind for magic, kind in _MAGIC if data.startswith(magic)), None
    )
    if kind is not None:
        raise Rejected(SkipReason.BINARY, kind)
    named = _BY_SUFFIX.get(suffix)
    if named in _CONTAINERS and not (named == "odt" and suffix == ".fodt"):
        raise Rejected(
            SkipReason.BROKEN,
            f"named {suffix} but it is none: it starts with {data[:8]!r}. Save it again.",
        )
    if named:
        return FORMATS[named]
    language = languages.by_name(name, data)
    if language:
        return Format(language, "code", isolated=True)
    return FORMATS[_by_content(data)]


def _container(suffix: str, data: bytes) -> str | None:
    """The format of a PDF or of a zip or OLE container, by its content."""
    if b"%PDF-" in data[:1024]:
        return "pdf"
    if data.startswith((b"PK\x03\x04", b"PK\x05\x06")):
        return _zip_kind(suffix, data)
    if data.startswith(_OLE):
        raise _ole_verdict(suffix, data)
    return None


def _zip_kind(suffix: str, data: bytes) -> str:
    # The first entry of these formats is stored plain and tells the type.
    head = data[:200]
    for marker, kind in _ZIP_MARKERS:
        if marker in head:
            return kind
    # The list of names is at the end of the file.
    tail = data[-(1 << 20) :]
    for marker, kind in ((b"word/", "docx"), (b"ppt/", "pptx"), (b"xl/", "xlsx")):
        if marker in tail and b"[Content_Types].xml" in data:
            return kind
    named = _BY_SUFFIX.get(suffix, "")
    if named in _CONTAINERS and named != "pdf":
        return named  # the reader tells what is wrong with it
    if suffix in CONVERT:
        raise Rejected(SkipReason.BINARY, unreadable_kind(suffix) or "")
    raise Rejected(SkipReason.BINARY, "an archive. Unpack it to index what is in it.")


_ZIP_MARKERS = (
    (b"mimetypeapplication/epub+zip", "epub"),
    (b"mimetypeapplication/vnd.oasis.opendocument.text", "odt"),
    (b"mimetypeapplication/vnd.oasis.opendocument.spreadsheet", "ods"),
    (b"mimetypeapplication/vnd.oasis.opendocument.presentation", "odp"),
)


def _ole_verdict(suffix: str, data: bytes) -> Rejected:
    """What an OLE file is: an encrypted Office document, or one of before 2007."""
    if "EncryptedPackage".encode("utf-16-le") in data:
        return Rejected(SkipReason.ENCRYPTED, "needs a password. Save it without one to index it.")
    detail = unreadable_kind(suffix) or "an old Office document. Save it in today's format."
    return Rejected(SkipReason.BINARY, detail)


def _by_content(data: bytes) -> str:
    """The text format of a file whose name tells nothing."""
    head = data[:4096].lstrip(b"\xef\xbb\xbf \t\r\n")
    lower = head[:512].lower()
    if lower.startswith((b"<!doctype html", b"<html")):
        return "html"
    if lower.startswith(b"<?xml"):
        return "html" if b"<html" in lower else "xml"
    if head.startswith(b"WEBVTT"):
        return "subtitles"
    if head.startswith((b"\\documentclass", b"\\documentstyle")):
        return "latex"
    if head.startswith(b"From ") and _MAIL_KEYS.search(head):
        return "mbox"
    if _MAIL.match(head) and _MAIL_KEYS.search(head):
        return "email"
    return "text"
