"""A server on localhost that reranks in one of the known ways, or misbehaves by script."""

import json
import math
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

Answer = Callable[["_Handler", dict[str, Any]], None]


def score_of(query: str, text: str) -> float:
    """What the server gives, before any scaling: words in common, longer texts a little less."""
    shared = len(set(query.split()) & set(text.split()))
    return shared - len(text) / 100


@dataclass
class FakeReranker:
    """How it is asked, how it fails, and what it was asked."""

    style: str = "tei"  # tei, vllm, sglang
    paths: tuple[str, ...] = ("/rerank",)
    script: list[Answer] = field(default_factory=list)  # for the next requests, then well-behaved
    always: Answer | None = None
    max_texts: int = 32
    requests: list[dict[str, Any]] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    url: str = ""


class _Server(ThreadingHTTPServer):
    fake: FakeReranker
    daemon_threads = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        pass  # clients break off on purpose here


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def log_message(self, format: str, *args: Any) -> None:
        pass

    def do_POST(self) -> None:
        fake = self.server.fake
        request = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        fake.requests.append({"path": self.path, **request})
        fake.headers.append(dict(self.headers.items()))
        answer = fake.script.pop(0) if fake.script else fake.always or well_behaved
        answer(self, request)

    def send_json(self, status: int, values: object, **headers: str) -> None:
        self.send(status, json.dumps(values).encode(), **headers)

    def send(self, status: int, body: bytes, **headers: str) -> None:
        self.send_response(status)
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        for name, value in {"Content-Type": "application/json", **named}.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


def well_behaved(handler: _Handler, request: dict[str, Any]) -> None:
    """Best first, as real servers sort them."""
    fake = handler.server.fake
    if handler.path not in fake.paths:
        handler.send_json(404, {"detail": "Not Found"})
        return
    key = "texts" if fake.style == "tei" else "documents"
    if key not in request:
        handler.send_json(422, {"error": f"missing field `{key}`", "error_type": "Validation"})
        return
    texts = request[key]
    if len(texts) > fake.max_texts:
        message = f"batch size {len(texts)} > maximum allowed batch size {fake.max_texts}"
        handler.send_json(422, {"error": message, "error_type": "Validation"})
        return
    logits = [score_of(request["query"], text) for text in texts]
    plain = fake.style == "tei" and request["raw_scores"]
    scores = logits if plain else [1 / (1 + math.exp(-x)) for x in logits]
    order = sorted(range(len(texts)), key=lambda i: -scores[i])
    if fake.style == "vllm":
        results = [
            {"index": i, "document": {"text": texts[i]}, "relevance_score": scores[i]}
            for i in order
        ]
        handler.send_json(200, {"id": "x", "model": request.get("model"), "results": results})
        return
    items: list[dict[str, Any]] = [{"index": i, "score": scores[i]} for i in order]
    if fake.style == "sglang":
        items = [{**item, "document": texts[item["index"]], "meta_info": {}} for item in items]
    handler.send_json(200, items)


def says(status: int, values: object, **headers: str) -> Answer:
    """Answers with this status and JSON body, whatever was asked."""
    return lambda handler, _: handler.send_json(status, values, **headers)


def sends(body: bytes, **headers: str) -> Answer:
    """Answers 200 with these bytes."""
    return lambda handler, _: handler.send(200, body, **headers)


@contextmanager
def serve(fake: FakeReranker) -> Iterator[FakeReranker]:
    server = _Server(("127.0.0.1", 0), _Handler)
    server.fake = fake
    fake.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield fake
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
