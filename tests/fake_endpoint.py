"""An embeddings server on localhost that misbehaves by script: each request takes the next fault.

Its vectors are made from a hash of the text and the seed, so every test knows the right answer.
"""

import base64
import hashlib
import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import numpy as np

from indexer.types import Vectors

Answer = Callable[["_Handler", dict[str, Any]], None]  # writes a whole answer, or half of one


def vector_of(text: str, dimension: int) -> Vectors:
    """What the endpoint gives for a text, not of unit length."""
    seed = int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "little")
    return np.random.default_rng(seed).standard_normal(dimension).astype(np.float32)


@dataclass
class FakeEndpoint:
    """What it serves, how it fails, and what it was asked."""

    dimension: int
    models: tuple[str, ...] = ("tiny-qwen3",)
    script: list[Answer] = field(default_factory=list)  # for the next requests, then well-behaved
    always: Answer | None = None  # for every request
    max_texts: int | None = None  # more are refused with 422, as TEI does
    delay_s: float = 0.0
    requests: list[dict[str, Any]] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    in_flight: int = 0
    most_in_flight: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)
    root: str = ""

    @property
    def url(self) -> str:
        return f"{self.root}/v1"

    def texts(self) -> list[str]:
        return [text for request in self.requests for text in inputs_of(request)]

    def next_answer(self) -> Answer:
        with self.lock:
            return self.script.pop(0) if self.script else self.always or well_behaved


def inputs_of(request: dict[str, Any]) -> list[str]:
    found: list[str] = request.get("input", request.get("inputs"))
    return found


class _Server(ThreadingHTTPServer):
    endpoint: FakeEndpoint
    daemon_threads = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        pass  # clients break off on purpose here


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # headers and body are two writes

    def log_message(self, format: str, *args: Any) -> None:
        pass

    @property
    def endpoint(self) -> FakeEndpoint:
        return self.server.endpoint

    def do_GET(self) -> None:
        endpoint = self.endpoint
        endpoint.headers.append(dict(self.headers.items()))
        if self.path != "/v1/models":
            self.send(404, b"")
            return
        self.send_json(200, {"object": "list", "data": [{"id": m} for m in endpoint.models]})

    def do_POST(self) -> None:
        endpoint = self.endpoint
        request = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        with endpoint.lock:
            endpoint.requests.append({"path": self.path, **request})
            endpoint.headers.append(dict(self.headers.items()))
            endpoint.in_flight += 1
            endpoint.most_in_flight = max(endpoint.most_in_flight, endpoint.in_flight)
        try:
            time.sleep(endpoint.delay_s)
            endpoint.next_answer()(self, request)
        finally:
            with endpoint.lock:
                endpoint.in_flight -= 1

    def send_json(self, status: int, values: object, **headers: str) -> None:
        self.send(status, json.dumps(values).encode(), **headers)

    def send(self, status: int, body: bytes, **headers: str) -> None:
        self.send_response(status)
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        for name, value in {"Content-Type": "application/json", **named}.items():
            self.send_header(name, value)
        if "Transfer-Encoding" not in named:
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


def well_behaved(handler: _Handler, request: dict[str, Any]) -> None:
    """Both wire formats, base64 or floats as asked; rows in reverse order where `index` tells."""
    endpoint = handler.endpoint
    texts = inputs_of(request)
    if endpoint.max_texts is not None and len(texts) > endpoint.max_texts:
        message = f"batch size {len(texts)} > maximum allowed batch size {endpoint.max_texts}"
        handler.send_json(422, {"error": message, "error_type": "Validation"})
        return
    rows = [vector_of(text, endpoint.dimension) for text in texts]
    if handler.path == "/embed":
        handler.send_json(200, [row.tolist() for row in rows])
        return
    if handler.path != "/v1/embeddings":
        handler.send_json(404, {"detail": "Not Found"})
        return
    if request["model"] not in endpoint.models:
        message = f"The model `{request['model']}` does not exist."
        handler.send_json(404, {"object": "error", "message": message, "code": 404})
        return
    packed = request.get("encoding_format") == "base64"
    items = [
        {"index": i, "embedding": to_base64(row) if packed else row.tolist()}
        for i, row in enumerate(rows)
    ]
    handler.send_json(200, {"object": "list", "data": items[::-1], "model": request["model"]})


def to_base64(row: Vectors) -> str:
    return base64.b64encode(row.astype("<f4").tobytes()).decode()


def status(code: int, body: object = None, **headers: str) -> Answer:
    """Answers with this status, a JSON body and headers (`Retry_After="1"`)."""
    return lambda handler, _: handler.send_json(code, body, **headers)


def rows(change: Callable[[list[dict[str, Any]]], object], *, packed: bool = False) -> Answer:
    """A well-formed answer whose `data` was changed: {"index", "embedding"} for each text."""

    def answer(handler: _Handler, request: dict[str, Any]) -> None:
        made = [vector_of(text, handler.endpoint.dimension) for text in inputs_of(request)]
        data: object = [
            {"index": i, "embedding": to_base64(row) if packed else row.tolist()}
            for i, row in enumerate(made)
        ]
        changed = change(data)  # type: ignore[arg-type]
        handler.send_json(200, {"data": data if changed is None else changed})

    return answer


def raw(body: bytes, code: int = 200, **headers: str) -> Answer:
    return lambda handler, _: handler.send(code, body, **headers)


def cut_off(after: int) -> Answer:
    """Promises a whole answer, sends the start of it and hangs up."""

    def answer(handler: _Handler, request: dict[str, Any]) -> None:
        handler.send_response(200)
        handler.send_header("Content-Type", "application/json")
        handler.send_header("Content-Length", "100000")
        handler.end_headers()
        handler.wfile.write(b'{"data": [' + b" " * after)
        handler.close_connection = True

    return answer


def hang_up(handler: _Handler, request: dict[str, Any]) -> None:
    """Closes the connection without a word."""
    handler.close_connection = True


def trickle(handler: _Handler, request: dict[str, Any]) -> None:
    """One space at a time, for as long as somebody reads."""
    handler.send_response(200)
    handler.send_header("Content-Type", "application/json")
    handler.end_headers()
    handler.close_connection = True
    for _ in range(200):
        handler.wfile.write(b" ")
        time.sleep(0.02)


def sleeping(seconds: float) -> Answer:
    """Says nothing for so long, then hangs up."""

    def answer(handler: _Handler, request: dict[str, Any]) -> None:
        time.sleep(seconds)
        handler.close_connection = True

    return answer


@contextmanager
def serve(endpoint: FakeEndpoint) -> Iterator[FakeEndpoint]:
    server = _Server(("127.0.0.1", 0), _Handler)
    server.endpoint = endpoint
    endpoint.root = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield endpoint
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
