"""An answer's bytes and what they hold, read with suspicion."""

import json
import time
from typing import Any

import httpx

from indexer.embedding.remote.faults import AnswerFault, MomentFault, cleaned

MAX_ERROR_BYTES = 64 << 10
_MIN_CAP_BYTES = 8 << 20
_NUMBER_BYTES = 32  # a float64 in JSON takes at most 25, its comma and a space


def cap_bytes(count: int, dimension: int) -> int:
    """The most an honest answer with `count` vectors can take.

    A floor leaves room for the vectors of a wrong, larger model, so that the message can name it.
    """
    return max(_MIN_CAP_BYTES, count * (dimension * _NUMBER_BYTES + 1024))


def read_body(response: httpx.Response, max_bytes: int, until: float) -> bytes:
    """The body of a streamed response.

    Args:
        response: opened with `stream`, not read yet.
        max_bytes: longer ones are refused unread.
        until: `time.monotonic()` by which it must have come, however steadily it trickles.

    Raises:
        AnswerFault: longer, or packed although that was not offered (a bomb unpacks to any size).
        MomentFault: too slow.
        httpx.TransportError: broken off.
    """
    packing = response.headers.get("content-encoding", "identity")
    if packing.lower() != "identity":
        raise AnswerFault(f"packed its answer ({cleaned(packing)[:40]}), which was not offered")
    body = bytearray()
    for block in response.iter_raw():
        body += block
        if len(body) > max_bytes:
            raise AnswerFault(f"sent more than {max_bytes >> 10} KiB for one answer")
        if time.monotonic() > until:
            raise MomentFault("did not finish its answer in time")
    return bytes(body)


def parse_json(response: httpx.Response, body: bytes) -> Any:
    """The JSON value of a successful answer.

    Raises:
        AnswerFault: declared as something else, or nested without end.
        MomentFault: not JSON, as an answer that was cut off.
    """
    kind = response.headers.get("content-type", "application/json").partition(";")[0].strip()
    if kind.lower() != "application/json" and not kind.lower().endswith("+json"):
        raise AnswerFault(f"answered with {cleaned(kind)[:40]}, not JSON: this is another service")
    try:
        return json.loads(body)
    except RecursionError:
        raise AnswerFault("answered with JSON that is nested too deep") from None
    except ValueError:  # UnicodeDecodeError is one
        raise MomentFault(f"answered with {len(body)} bytes that are no whole JSON") from None
