"""How each kind of server is asked: the bytes of a request, and what a good answer must hold.

Light on purpose: the generator builds every request with it while it measures.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

K = 10
# Model names that a server's embeddings route goes by.
OURS_MODEL = "minilm"
PEER_MODEL = "minilm"


@dataclass(frozen=True)
class Door:
    """One route of one kind of server."""

    request: Callable[[Any], bytes]  # from a query, or a list of texts
    holds: bytes  # in the body of every good answer


def _post(path: str, body: dict[str, Any]) -> bytes:
    content = json.dumps(body).encode()
    head = (
        f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
        f"Content-Length: {len(content)}\r\n\r\n"
    )
    return head.encode() + content


def _search(mode: str) -> Door:
    # A hybrid answer whose model was out of reach holds only words, and says so: it does not count.
    return Door(
        lambda query: _post("/search", {"query": query, "k": K, "mode": mode}),
        b'"degraded_reason":null',
    )


def _txtai(query: str) -> bytes:
    path = f"/search?query={quote(query, safe='')}&limit={K}"
    return f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".encode()


def _embeddings(path: str, model: str) -> Door:
    return Door(lambda texts: _post(path, {"model": model, "input": texts}), b'"embedding":[')


DOORS = {
    "ours hybrid": _search("hybrid"),
    "ours dense": _search("dense"),
    "ours lexical": _search("lexical"),
    "naive": Door(lambda query: _post("/search", {"query": query, "k": K}), b'"score":'),
    "txtai": Door(_txtai, b'"score":'),
    "ours embeddings": _embeddings("/v1/embeddings", OURS_MODEL),
    "naive embeddings": _embeddings("/v1/embeddings", PEER_MODEL),
    "infinity embeddings": _embeddings("/embeddings", PEER_MODEL),
}
