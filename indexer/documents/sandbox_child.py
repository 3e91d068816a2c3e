"""The child process that parses untrusted formats: few rights, little memory.

It ignores Ctrl-C (its parent decides), cannot write files or reach the network, and ends when its
parent does.
"""

import faulthandler
import importlib
import json
import os
import signal
import socket
import sys
from typing import Any, BinaryIO, NoReturn

from indexer.documents import caps, protocol
from indexer.documents.readers.base import Rejected, Source
from indexer.types import ParsedDocument, SkipReason

_MAX_REQUEST_BYTES = 1 << 40  # the parent is trusted and holds the data itself
_GRACE_S = 5.0  # the parent kills at the time limit; this is for a parent that is gone


def main() -> None:
    """Serve requests from stdin until it ends."""
    replies = os.fdopen(os.dup(1), "wb")
    requests = os.fdopen(os.dup(0), "rb")
    with open(os.devnull, "r+b") as nowhere:  # a library that prints must not break the protocol
        for descriptor in (0, 1, 2):
            os.dup2(nowhere.fileno(), descriptor)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    _cut_off()
    while True:
        head = protocol.read_frame(requests.read, _MAX_REQUEST_BYTES)
        data = protocol.read_frame(requests.read, _MAX_REQUEST_BYTES)
        if head is None or data is None:
            return
        _serve(json.loads(head), data, replies)


def _cut_off() -> None:
    def refuse(*_args: object, **_kwargs: object) -> NoReturn:
        raise OSError("a document tried to reach the network")

    setattr(socket.socket, "connect", refuse)  # noqa: B010  (mypy: a method)
    socket.create_connection = refuse
    socket.getaddrinfo = refuse
    # openpyxl loads numpy when it is there: 100 MB for nothing.
    sys.modules["numpy"] = None  # type: ignore[assignment]  # the documented way to forbid an import
    sys.modules["pandas"] = None  # type: ignore[assignment]


def _serve(head: dict[str, Any], data: bytes, replies: BinaryIO) -> None:
    caps.limit_self(head["memory_bytes"])
    with open(os.devnull, "wb") as nowhere:
        faulthandler.dump_traceback_later(head["timeout_s"] + _GRACE_S, exit=True, file=nowhere)
        try:
            reply = _parse(head, data)
        finally:
            faulthandler.cancel_dump_traceback_later()
    replies.write(protocol.frame(reply))
    replies.flush()


def _parse(head: dict[str, Any], data: bytes) -> bytes:
    reader = importlib.import_module(f"indexer.documents.readers.{head['reader']}")
    source = Source(head["format"], head["max_text"])
    try:
        documents: list[ParsedDocument] = reader.parse(data, source)
        return protocol.encode_documents(documents)
    except Rejected as rejected:
        return protocol.encode_rejected(rejected)
    except MemoryError:
        return protocol.encode_rejected(Rejected(SkipReason.MEMORY, ""))
    except Exception as error:  # whatever a parser raises on a hostile file costs that file only
        detail = f"cannot be parsed: {type(error).__name__}: {str(error)[:200]}"
        return protocol.encode_rejected(Rejected(SkipReason.BROKEN, detail))
