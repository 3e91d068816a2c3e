"""What the parsing child and its parent say: length-prefixed frames, only JSON out of the child.

The child has parsed hostile files and may have been taken over: nothing it says is executed (no
pickle), everything is checked.
"""

import json
import struct
from collections.abc import Callable
from typing import Any

from indexer.documents.encoding import clean
from indexer.documents.readers.base import Rejected
from indexer.types import Block, BlockKind, ParsedDocument, Place, SkipReason

_LENGTH = struct.Struct(">Q")
Read = Callable[[int], bytes]


class ProtocolError(Exception):
    """The other side said something that makes no sense, or stopped in the middle."""


def frame(payload: bytes) -> bytes:
    """The payload with its length before it."""
    return _LENGTH.pack(len(payload)) + payload


def read_frame(read: Read, max_bytes: int) -> bytes | None:
    """The next payload; None at the end of the stream.

    Raises:
        ProtocolError: it is longer than `max_bytes`, or the stream ends within it.
    """
    head = read(_LENGTH.size)
    if not head:
        return None
    if len(head) < _LENGTH.size:
        raise ProtocolError("ended within a length")
    (length,) = _LENGTH.unpack(head)
    if length > max_bytes:
        raise ProtocolError(f"a frame of {length} bytes, {max_bytes} allowed")
    payload = read(length)
    if len(payload) < length:
        raise ProtocolError(f"ended after {len(payload)} of {length} bytes")
    return payload


def encode_documents(documents: list[ParsedDocument]) -> bytes:
    """A reply that holds documents."""
    values = [
        {
            "text": document.text,
            "format": document.format,
            "title": document.title,
            "member": document.member,
            "blocks": [
                [block.kind, block.start, block.end, block.level, block.heading]
                for block in document.blocks
            ],
            "places": [[place.start, place.label] for place in document.places],
            "metadata": document.metadata,
        }
        for document in documents
    ]
    return json.dumps({"documents": values}, ensure_ascii=False).encode()


def encode_rejected(rejected: Rejected) -> bytes:
    """A reply that holds a verdict."""
    return json.dumps({"rejected": [rejected.reason, rejected.detail]}).encode()


def decode_reply(payload: bytes) -> list[ParsedDocument]:
    """The documents of a reply.

    Raises:
        Rejected: the reply is a verdict.
        ProtocolError: the reply is no such thing.
    """
    try:
        values = json.loads(payload)
        if "rejected" in values:
            reason, detail = values["rejected"]
            raise Rejected(SkipReason(reason), str(detail)[:1000])
        return [_document(each) for each in values["documents"]]
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise ProtocolError(f"{type(error).__name__}: {error}") from error


def _document(values: Any) -> ParsedDocument:
    text, metadata = _text(values["text"]), values["metadata"]
    if not isinstance(metadata, dict):
        raise TypeError("metadata is no object")
    blocks: list[Block] = []
    reached = 0
    for kind, start, end, level, heading in values["blocks"]:
        if not reached <= _number(start) <= _number(end) <= len(text):
            raise ValueError(f"a block at {start}:{end} after {reached} of {len(text)}")
        blocks.append(Block(BlockKind(kind), start, end, _number(level), _text(heading)))
        reached = end
    places: list[Place] = []
    reached = 0
    for start, label in values["places"]:
        if not reached <= _number(start) <= len(text):
            raise ValueError(f"a place at {start} after {reached} of {len(text)}")
        places.append(Place(start, _text(label)))
        reached = start
    return ParsedDocument(
        text=text,
        format=_text(values["format"]),
        title=_text(values["title"]),
        member=_text(values["member"]),
        blocks=tuple(blocks),
        places=tuple(places),
        metadata=metadata,
    )


def _text(value: Any) -> str:
    if not isinstance(value, str) or clean(value) != value:
        raise TypeError("a text that is none, or not clean")
    return value


def _number(value: Any) -> int:
    if type(value) is not int or value < 0:
        raise TypeError("a position that is none")
    return value
