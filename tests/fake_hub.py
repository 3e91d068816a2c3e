"""A model hub on localhost: the two endpoints needed, with the faults of real ones on demand."""

import hashlib
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import unquote, urlsplit

REVISION = "0123456789abcdef0123456789abcdef01234567"


@dataclass
class FakeHub:
    """What the hub serves and how it fails; `requests` is what it was asked."""

    files: dict[str, bytes]
    revision: str = REVISION
    cut_after: list[int] = field(default_factory=list)  # bytes sent of the next weight answers
    ignores_range: bool = False
    status: int = 200
    listed_sha256: dict[str, str] = field(default_factory=dict)
    requests: list[tuple[str, str | None]] = field(default_factory=list)  # (path, Range)
    authorization: list[str | None] = field(default_factory=list)
    url: str = ""

    def listing(self) -> dict[str, Any]:
        return {
            "sha": self.revision,
            "siblings": [
                {
                    "rfilename": name,
                    "size": len(data),
                    "lfs": {
                        "sha256": self.listed_sha256.get(name, hashlib.sha256(data).hexdigest())
                    }
                    if name.endswith(".safetensors")
                    else None,
                }
                for name, data in self.files.items()
            ],
        }

    def weight_requests(self) -> list[str | None]:
        return [span for path, span in self.requests if path.endswith("model.safetensors")]


class _Server(ThreadingHTTPServer):
    hub: FakeHub


class _Handler(BaseHTTPRequestHandler):
    server: _Server

    def log_message(self, format: str, *args: Any) -> None:
        pass

    def do_GET(self) -> None:
        hub = self.server.hub
        path = unquote(urlsplit(self.path).path)
        hub.requests.append((path, self.headers["Range"]))
        hub.authorization.append(self.headers["Authorization"])
        if hub.status != 200:
            self.send_error(hub.status)
        elif path.startswith("/api/models/"):
            self._send(json.dumps(hub.listing()).encode(), 200, {})
        else:
            self._send_file(hub, path.split(f"/resolve/{hub.revision}/", 1)[-1])

    def _send_file(self, hub: FakeHub, name: str) -> None:
        if name not in hub.files:
            self.send_error(404)
            return
        span = self.headers["Range"]
        data, status, headers = hub.files[name], 200, {}
        if span and not hub.ignores_range:
            start = int(span.removeprefix("bytes=").rstrip("-"))
            if start >= len(data):
                self.send_error(416)
                return
            status = 206
            headers["Content-Range"] = f"bytes {start}-{len(data) - 1}/{len(data)}"
            data = data[start:]
        cut = hub.cut_after.pop(0) if hub.cut_after and name == "model.safetensors" else None
        self._send(data, status, headers, cut)

    def _send(
        self, data: bytes, status: int, headers: dict[str, str], cut: int | None = None
    ) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data if cut is None else data[:cut])


@contextmanager
def serve(hub: FakeHub) -> Iterator[FakeHub]:
    server = _Server(("127.0.0.1", 0), _Handler)
    server.hub = hub
    hub.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield hub
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
