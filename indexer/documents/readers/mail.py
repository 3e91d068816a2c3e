"""E-mails, single or in a mailbox: the text part is preferred, attachments are named only."""

import re
from collections.abc import Iterator
from email import policy
from email.errors import MessageError
from email.message import EmailMessage, Message
from email.parser import BytesParser
from importlib.util import find_spec
from typing import Any

from indexer.documents.encoding import decode
from indexer.documents.readers.base import Source, TextBuilder
from indexer.types import BlockKind, ParsedDocument

_SHOWN = ("From", "To", "Cc", "Date")
_START = re.compile(rb"^From [^\n]*\d{4}[^\n]*\n", re.MULTILINE)
_QUOTED_FROM = re.compile(rb"^>(>*From )", re.MULTILINE)
_TAG = re.compile(r"<[^<>]{0,1000}>")
_MAX_HEADER = 2_000


def parse(data: bytes, source: Source) -> list[ParsedDocument]:
    """One document for a mail, one per mail for a mailbox; a member is named by its Message-ID."""
    if source.format == "email":
        return [_document(data, source, "")]
    documents: list[ParsedDocument] = []
    names: set[str] = set()
    left = source.max_text
    for number, raw in enumerate(_split(data), 1):
        limits = Source(source.format, left)
        document = _document(raw, limits, f"{number}", names)
        names.add(document.member)
        left -= len(document.text)
        documents.append(document)
    return documents


def _split(data: bytes) -> Iterator[bytes]:
    starts = list(_START.finditer(data))
    for start, following in zip(starts, [*starts[1:], None], strict=True):
        end = following.start() if following else len(data)
        yield _QUOTED_FROM.sub(rb"\1", data[start.end() : end])


def _document(
    raw: bytes, source: Source, fallback: str, taken: set[str] | None = None
) -> ParsedDocument:
    message = BytesParser(policy=policy.default).parsebytes(raw)
    builder = TextBuilder(source.max_text)
    headers = {name.lower(): value for name in _SHOWN if (value := _header(message, name))}
    subject = _header(message, "Subject")
    lines = [f"{name.capitalize()}: {value}" for name, value in headers.items()]
    lines += [f"Subject: {subject}"] if subject else []
    builder.add(BlockKind.PARAGRAPH, "\n".join(lines))
    _add_body(builder, message)
    attachments = _attachment_names(message)
    if attachments:
        builder.add(BlockKind.PARAGRAPH, f"Attachments: {', '.join(attachments)}")
        headers["attachments"] = ", ".join(attachments)
    identity = _header(message, "Message-ID").strip("<>") or fallback
    member = fallback if not fallback or identity in (taken or ()) else identity
    document = builder.document("email", subject, headers)
    return ParsedDocument(
        text=document.text,
        format=document.format,
        title=document.title,
        member=member,
        blocks=document.blocks,
        metadata=document.metadata,
    )


def _header(message: EmailMessage, name: str) -> str:
    """A header in one line; "" when it is missing or cannot be parsed."""
    try:
        value = str(message.get(name, ""))
    except (MessageError, ValueError, LookupError, TypeError, AttributeError):
        return ""  # the email package fails on some malformed headers
    return " ".join(value.split())[:_MAX_HEADER]


def _add_body(builder: TextBuilder, message: EmailMessage) -> None:
    body = message.get_body(preferencelist=("plain", "html"))
    if body is None:
        return
    text = _content(body)
    if body.get_content_subtype() != "html":
        builder.add(BlockKind.PARAGRAPH, text)
    elif find_spec("lxml") is None:
        builder.add(BlockKind.PARAGRAPH, _TAG.sub(" ", text))
    else:
        from indexer.documents.readers.html import tree_of
        from indexer.documents.readers.markup import add_html

        root = tree_of(text) if text.strip() else None
        if root is not None:
            add_html(builder, root)


def _content(part: "Message[Any, Any]") -> str:
    payload = part.get_payload(decode=True)
    if not isinstance(payload, bytes):
        return ""
    return decode(payload, part.get_content_charset()) or ""


def _attachment_names(message: EmailMessage) -> list[str]:
    names: list[str] = []
    for part in message.walk():
        try:
            name = part.get_filename()
        except (MessageError, ValueError, LookupError, TypeError, AttributeError):
            continue
        if name:
            names.append(" ".join(str(name).split())[:200])
    return names
