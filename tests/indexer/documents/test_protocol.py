import io
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from indexer.documents import protocol
from indexer.documents.readers.base import Rejected
from indexer.types import Block, BlockKind, ParsedDocument, Place, SkipReason

DOCUMENT = ParsedDocument(
    text="Héllo\n😀",
    format="pdf",
    title="T",
    member="m",
    blocks=(Block(BlockKind.HEADING, 0, 5, 1, "Héllo"), Block(BlockKind.TABLE, 6, 7)),
    places=(Place(0, "page 1"),),
    metadata={"a": [1, None]},
)


def reply(**changes: object) -> bytes:
    good = json.loads(protocol.encode_documents([DOCUMENT]))["documents"][0]
    return json.dumps({"documents": [{**good, **changes}]}).encode()


def test_documents_come_back_as_sent() -> None:
    assert protocol.decode_reply(protocol.encode_documents([DOCUMENT])) == [DOCUMENT]


def test_verdict_comes_back_as_raised() -> None:
    sent = protocol.encode_rejected(Rejected(SkipReason.ENCRYPTED, "locked"))
    with pytest.raises(Rejected, match="locked") as caught:
        protocol.decode_reply(sent)
    assert caught.value.reason is SkipReason.ENCRYPTED


@pytest.mark.parametrize(
    "payload",
    [
        b"",
        b"\x80\x04pickle",
        b"[]",
        b"null",
        b'{"documents": 3}',
        b'{"rejected": ["no such reason", ""]}',
        b"[" * 100_000,
        reply(text="a\0b"),
        reply(text="\ud800"),
        reply(text=3),
        reply(blocks=[["heading", 0, 99, 0, ""]]),
        reply(blocks=[["heading", 3, 4, 0, ""], ["table", 1, 2, 0, ""]]),
        reply(blocks=[["heading", True, 2, 0, ""]]),
        reply(blocks=[["no kind", 0, 1, 0, ""]]),
        reply(places=[[-1, "x"]]),
        reply(metadata=[]),
    ],
)
def test_reply_that_makes_no_sense_is_a_protocol_error(payload: bytes) -> None:
    with pytest.raises(protocol.ProtocolError):
        protocol.decode_reply(payload)


@given(st.lists(st.binary(max_size=50)))
def test_frames_come_back_in_order(payloads: list[bytes]) -> None:
    stream = io.BytesIO(b"".join(map(protocol.frame, payloads)))
    assert [protocol.read_frame(stream.read, 50) for _ in payloads] == payloads
    assert protocol.read_frame(stream.read, 50) is None


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"\0\0", "within a length"),
        (protocol.frame(b"12345")[:-1], "after 4 of 5"),
        (protocol.frame(b"x" * 11), "11 bytes, 10 allowed"),
    ],
)
def test_frame_cut_off_or_too_long_is_a_protocol_error(data: bytes, words: str) -> None:
    with pytest.raises(protocol.ProtocolError, match=words):
        protocol.read_frame(io.BytesIO(data).read, 10)
