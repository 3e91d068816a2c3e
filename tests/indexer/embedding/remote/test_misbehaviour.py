"""Endpoints that fail in every way we know: retried where it helps, named where it does not."""

import socket
import time
from collections.abc import Callable
from contextlib import closing
from typing import Any

import numpy as np
import pytest

from fake_endpoint import (
    Answer,
    FakeEndpoint,
    cut_off,
    hang_up,
    raw,
    rows,
    serve,
    sleeping,
    status,
    trickle,
    vector_of,
)
from indexer.embedding.pooling import finish
from indexer.embedding.remote.client import EndpointClient
from indexer.embedding.remote.embedder import RemoteEmbedder
from indexer.embedding.remote.faults import EndpointFault, MomentFault
from indexer.embedding.wishes import Endpoint
from indexer.errors import ModelError, PlacementError, SemsearchError
from indexer.types import Kind, Vectors

Start = Callable[..., FakeEndpoint]
Connect = Callable[..., RemoteEmbedder]
TEXTS = ["alpha", "beta", "gamma"]
KEY = "sk-secret-0123456789"


def right() -> Vectors:
    return finish(np.stack([vector_of(text, 64) for text in TEXTS]), 64)


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


def set_index(data: list[dict[str, Any]], index: object) -> None:
    data[0]["index"] = index


def first_row(change: Callable[[list[float]], list[Any]]) -> Callable[[list[dict[str, Any]]], None]:
    def apply(data: list[dict[str, Any]]) -> None:
        data[0]["embedding"] = change(data[0]["embedding"])

    return apply


HEALING: dict[str, list[Answer]] = {
    "429 at once": [status(429, {"error": "busy", "error_type": "Overloaded"})],
    "429 with seconds": [status(429, {"error": {"message": "slow down"}}, Retry_After="0.05")],
    "429 with a date": [status(429, {}, Retry_After="Sun, 22 Nov 2020 12:00:00 GMT")],
    "503 loading": [status(503, {"error": {"message": "Loading model"}}), status(503)],
    "500 then 502": [status(500, {"object": "error", "message": "x"}), raw(b"<html>", 502)],
    "424 of TEI": [status(424, {"error": "inference failed", "error_type": "Backend"})],
    "hangs up": [hang_up, hang_up],
    "half an answer": [cut_off(10)],
    "half JSON": [raw(b'{"data": [{"index": 0, "embedd')],
    "empty answer": [raw(b"")],
    "no UTF-8": [raw(b'{"data": "\xff\xfe"}')],
}


@pytest.mark.parametrize("name", HEALING)
def test_what_may_heal_is_tried_again(start: Start, connect: Connect, name: str) -> None:
    endpoint = start(script=list(HEALING[name]))
    np.testing.assert_allclose(
        connect(endpoint.url).embed(TEXTS, Kind.DOCUMENT), right(), atol=1e-6
    )
    assert len(endpoint.requests) == len(HEALING[name]) + 1


@pytest.mark.parametrize("name", HEALING)
def test_what_never_heals_ends_after_a_few_tries(start: Start, connect: Connect, name: str) -> None:
    endpoint = start(always=HEALING[name][0])
    with pytest.raises(PlacementError, match=f"Endpoint {endpoint.url}/embeddings: "):
        connect(endpoint.url).embed(TEXTS, Kind.DOCUMENT)
    assert len(endpoint.requests) == 9


def test_query_is_given_up_sooner(start: Start, connect: Connect) -> None:
    endpoint = start(always=status(503))
    with pytest.raises(PlacementError, match="answered 503"):
        connect(endpoint.url).embed(["a"], Kind.QUERY)
    assert len(endpoint.requests) == 3


REFUSED: dict[str, tuple[Answer, type[SemsearchError], str]] = {
    "401": (
        status(401, {"error": {"message": f"Incorrect API key {KEY}"}}),
        PlacementError,
        r"answered 401 \(Incorrect API key \*\*\*\)\. Check the key",
    ),
    "403": (status(403), PlacementError, r"answered 403\. Check the key"),
    "301": (
        raw(b"", 301, Location="http://evil.example/x"),
        PlacementError,
        r"answered 301 and points to http://evil\.example/x\. Redirects are not followed",
    ),
    "307 to itself": (raw(b"", 307, Location="/v1/embeddings"), PlacementError, "answered 307"),
    "300 nowhere": (
        raw(b"", 300, Location="http://x:y/"),
        PlacementError,
        "an address that is none",
    ),
    "quota": (
        status(429, {"error": {"message": "spent", "code": "insufficient_quota"}}),
        PlacementError,
        "nothing left to spend",
    ),
    "501": (status(501, {"error": {"message": "no embeddings"}}), PlacementError, "no embeddings"),
    "410": (status(410), PlacementError, "answered 410"),
    "HTML": (raw(b"<html>Log in</html>", Content_Type="text/html"), ModelError, "text/html"),
    "gzip": (raw(b"\x1f\x8b", Content_Encoding="gzip"), ModelError, r"packed its answer \(gzip\)"),
    "huge": (raw(b" " * (9 << 20)), ModelError, "more than 8192 KiB"),
    "nested": (raw(b"[" * 200_000), ModelError, "nested too deep"),
    "error as success": (
        status(200, {"error": {"message": "out of memory"}}),
        ModelError,
        "but the error 'out of memory'",
    ),
    "one too few": (rows(lambda data: data[:-1]), ModelError, "gave 2 vectors for 3 texts"),
    "one too many": (rows(lambda data: [*data, data[0]]), ModelError, "gave 4 vectors"),
    "index twice": (rows(lambda data: set_index(data, 1)), ModelError, "gave index 1"),
    "index beyond": (rows(lambda data: set_index(data, 3)), ModelError, "gave index 3"),
    "no index": (rows(lambda data: set_index(data, None)), ModelError, "gave index None"),
    "shorter (MRL)": (
        rows(lambda data: first_row(lambda row: row[:32])(data)),
        ModelError,
        "vectors of 32 values where the model gives 64",
    ),
    "longer": (rows(first_row(lambda row: row * 2)), ModelError, "vectors of 128 values"),
    "NaN": (rows(first_row(lambda _: [float("nan")] * 64)), ModelError, "NaN or infinity"),
    "null": (rows(first_row(lambda _: [None] * 64)), ModelError, "null stands for NaN"),
    "zeros": (rows(first_row(lambda _: [0.0] * 64)), ModelError, "a vector of zeros"),
    "text": (rows(first_row(lambda row: [str(x) for x in row])), ModelError, "than numbers"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_waiting_does_not_mend_is_named_at_once(
    start: Start, connect: Connect, name: str
) -> None:
    answer, kind, said = REFUSED[name]
    endpoint = start(always=answer)
    with pytest.raises(kind, match=said) as caught:
        connect(endpoint.url, key=KEY).embed(TEXTS, Kind.DOCUMENT)
    assert f"Endpoint {endpoint.url}/embeddings: " in str(caught.value)
    assert KEY not in repr(caught.value)
    assert 1 <= len(endpoint.requests) <= 2  # 501 is asked again for floats


def test_401_without_a_key_tells_how_to_give_one(start: Start, connect: Connect) -> None:
    endpoint = start(always=status(401))
    with pytest.raises(PlacementError, match="wants a key: set SEMSEARCH_ENDPOINT_KEY"):
        connect(endpoint.url).embed(TEXTS, Kind.DOCUMENT)


def test_redirect_target_never_sees_texts_or_key(start: Start, connect: Connect) -> None:
    other = start()
    endpoint = start(always=raw(b"", 307, Location=f"{other.url}/embeddings"))
    with pytest.raises(PlacementError, match=other.root):
        connect(endpoint.url, key=KEY).embed(TEXTS, Kind.DOCUMENT)
    assert (other.requests, other.headers) == ([], [])


def test_unknown_model_lists_what_is_served(start: Start, connect: Connect) -> None:
    endpoint = start(models=("Qwen/Qwen3-Embedding-0.6B", "other"))
    said = "does not serve 'tiny-qwen3'; it offers Qwen/Qwen3-Embedding-0.6B, other"
    with pytest.raises(PlacementError, match=said):
        connect(endpoint.url).embed(TEXTS, Kind.DOCUMENT)


def test_server_that_lists_no_models_is_told_by_its_path(start: Start, connect: Connect) -> None:
    endpoint = start(always=status(404, {"error": {"message": "model not found"}}), models=())
    with pytest.raises(PlacementError, match=r"404 \(model not found\)\. Check the path"):
        connect(endpoint.url).embed(TEXTS, Kind.DOCUMENT)


def test_tei_refusals_are_named_like_any(start: Start, connect: Connect) -> None:
    gone = start(always=status(404))
    with pytest.raises(PlacementError, match="answered 404. Check the path"):
        connect(f"{gone.root}/embed").embed(TEXTS, Kind.DOCUMENT)
    empty = start(always=status(422, {"error": "`inputs` cannot be empty", "error_type": "Empty"}))
    with pytest.raises(PlacementError, match="`inputs` cannot be empty"):
        connect(f"{empty.root}/embed").embed(["a"], Kind.DOCUMENT)


def test_wrong_path_is_told_from_a_wrong_model(endpoint: FakeEndpoint, connect: Connect) -> None:
    with pytest.raises(PlacementError, match=r"answered 404 \(Not Found\)\. Check the path"):
        connect(f"{endpoint.root}/v2").embed(TEXTS, Kind.DOCUMENT)


@pytest.mark.parametrize(
    "answer",
    [
        status(400, {"object": "error", "message": "maximum context length is 32 tokens"}),
        status(413, {"error": "must have less than 32 tokens", "error_type": "Validation"}),
        status(422, {"error": "must have less than 32 tokens", "error_type": "Validation"}),
    ],
)
def test_text_the_server_finds_too_long_is_named(
    start: Start, connect: Connect, answer: Answer
) -> None:
    endpoint = start(always=answer)
    with pytest.raises(PlacementError, match=r"32 tokens\)\. If it takes fewer") as caught:
        connect(endpoint.url).embed(["word " * 90], Kind.DOCUMENT)
    assert "refuses text 0 (longest: " in str(caught.value)
    assert "the model takes 32768" in str(caught.value)


def test_nobody_listens(connect: Connect) -> None:
    url = f"http://127.0.0.1:{free_port()}/v1"
    with pytest.raises(PlacementError, match=r"out of reach \(.+\)\. Start the server") as caught:
        connect(url).embed(TEXTS, Kind.DOCUMENT)
    assert url in str(caught.value)


def test_name_that_leads_nowhere(connect: Connect) -> None:
    with pytest.raises(PlacementError, match="out of reach"):
        connect("http://nowhere.invalid/v1").embed(TEXTS, Kind.DOCUMENT)


def test_https_to_a_plain_server_says_so(endpoint: FakeEndpoint, connect: Connect) -> None:
    url = endpoint.url.replace("http:", "https:")
    with pytest.raises(PlacementError, match="no secure connection .+ speaks https at all"):
        connect(url).embed(TEXTS, Kind.DOCUMENT)


def test_silence_ends_with_the_timeout(start: Start, connect: Connect) -> None:
    endpoint = start(always=sleeping(0.5))
    with pytest.raises(PlacementError, match=r"no answer within 0\.05 s"):
        connect(endpoint.url, timeout_s=0.05).embed(["a"], Kind.QUERY)


def test_trickle_ends_with_the_timeout(start: Start, connect: Connect) -> None:
    """Each byte comes in time; the answer does not."""
    endpoint = start(always=trickle)
    with pytest.raises(PlacementError, match="did not finish its answer in time"):
        connect(endpoint.url, timeout_s=0.2).embed(["a"], Kind.QUERY)


def test_retry_after_beyond_patience_is_not_waited_for(start: Start, connect: Connect) -> None:
    endpoint = start(always=status(429, {"error": "full"}, Retry_After="3600"))
    started = time.monotonic()
    with pytest.raises(PlacementError, match="asks to come back in 3600 s"):
        connect(endpoint.url).embed(TEXTS, Kind.DOCUMENT)
    assert time.monotonic() - started < 60
    assert len(endpoint.requests) == 1


def test_retry_after_is_waited_in_full(start: Start, connect: Connect) -> None:
    endpoint = start(script=[status(429, {}, Retry_After="0.3")])
    times: list[float] = []
    well = endpoint.next_answer

    def timed() -> Answer:
        times.append(time.monotonic())
        return well()

    endpoint.next_answer = timed  # type: ignore[method-assign]
    connect(endpoint.url).embed(TEXTS, Kind.DOCUMENT)
    assert times[1] - times[0] >= 0.3


def test_refused_connection_may_heal_only_after_an_answer() -> None:
    """A server that restarts is waited for; one that never was there is a wrong address."""
    with serve(FakeEndpoint(64, script=[raw(b"{}", 500, Connection="close")])) as endpoint:
        known = EndpointClient(Endpoint(endpoint.url), "tiny-qwen3", 64)
        with pytest.raises(MomentFault, match="answered 500"):
            known.embed(TEXTS)
    new = EndpointClient(Endpoint(endpoint.url), "tiny-qwen3", 64)
    with closing(known), pytest.raises(MomentFault, match="the connection broke"):
        known.embed(TEXTS)
    with closing(new), pytest.raises(EndpointFault, match="out of reach"):
        new.embed(TEXTS)


def test_errors_of_the_callers_progress_come_through(
    endpoint: FakeEndpoint, connect: Connect
) -> None:
    def interrupt(_texts: int, _tokens: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        connect(endpoint.url).embed(TEXTS, Kind.DOCUMENT, on_batch=interrupt)
