"""The client against a real service, a dead port, and things that are no service of ours."""

import json
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from semsearch import Client, Hit, errors
from tests_support import Cli, Indexed, run_cli


@pytest.fixture
def client(service_url: str) -> Iterator[Client]:
    with Client(service_url) as client:
        yield client


def test_client_finds_the_planted_document(client: Client, indexed: Indexed) -> None:
    hits = client.search("why does dough get bigger?", k=2)
    assert [hit.rank for hit in hits] == [1, 2]
    first = hits[0]
    assert isinstance(first, Hit)
    assert (first.path, first.title) == (str(indexed.docs / "bread.md"), "Bread")
    text = (indexed.docs / "bread.md").read_text()
    assert text[first.start : first.end] == first.text
    assert client.ready()


def test_client_lexical_and_by_collection(client: Client) -> None:
    (hit,) = client.search("\u9175\u6bcd", mode="lexical", collection=["default"])
    assert (Path(hit.path).name, hit.collection) == ("zh.md", "default")
    assert client.search("xylophone", mode="lexical") == []


@pytest.mark.parametrize(
    ("options", "error", "words"),
    [
        ({"query": ""}, errors.UsageError, "query"),
        ({"query": "x", "k": 0}, errors.UsageError, "k: Input should be greater"),
        ({"query": "x", "mode": "psychic"}, errors.UsageError, "mode"),
        ({"query": "x", "collection": "nope"}, errors.NotFoundError, "'nope'"),
        ({"query": "x", "instruction": "Find"}, errors.UsageError, "takes no instruction"),
    ],
)
def test_client_raises_the_error_of_the_service(
    client: Client, options: dict[str, object], error: type[Exception], words: str
) -> None:
    with pytest.raises(error, match=words):
        client.search(**options)  # type: ignore[arg-type]


def test_client_at_a_dead_port_names_the_address_and_the_way_out() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # bound but not listening: no one else can answer there
        url = f"http://127.0.0.1:{taken.getsockname()[1]}"
        with Client(url) as client:
            with pytest.raises(errors.SemsearchError, match=f"{url}.*semsearch serve"):
                client.search("x")
            with pytest.raises(errors.SemsearchError, match="semsearch serve"):
                client.ready()


@pytest.mark.parametrize(
    "url", ["127.0.0.1:8765", "http://a\0b", "http://a:99999", "ftp://host", ""]
)
def test_client_bad_address_is_a_usage_error_at_once(url: str) -> None:
    with pytest.raises(errors.UsageError, match="http://127.0.0.1:8765"):
        Client(url)


@contextmanager
def answering(status: int, body: bytes, **headers: str) -> Iterator[str]:
    """A server that gives every request this answer."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            self.send_response(status)
            for name, value in {"Content-Length": str(len(body)), **headers}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_arguments: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


@pytest.mark.parametrize(
    ("status", "body", "error", "words"),
    [
        (200, b"<html>a login page</html>", errors.SemsearchError, "is no semsearch service"),
        (200, b"[]", errors.SemsearchError, "is no semsearch service"),
        (200, b'{"hits": [{"rank": 1}]}', errors.SemsearchError, "is no semsearch service"),
        (500, b"oops", errors.SemsearchError, "answered 500 without an explanation"),
        (302, b"", errors.SemsearchError, "answered 302 without an explanation"),
        (429, b'{"error": {"message": "64 wait"}}', errors.OverloadedError, "64 wait"),
        (503, b"{}", errors.OverloadedError, "answered 503"),
        (409, b'{"error": {"message": "two models"}}', errors.ContractError, "two models"),
    ],
)
def test_client_meeting_something_else_says_so(
    status: int, body: bytes, error: type[Exception], words: str
) -> None:
    with answering(status, body, Location="http://127.0.0.1:1/") as url, Client(url) as client:
        with pytest.raises(error, match=words) as raised:
            client.search("x")
        assert isinstance(raised.value, error)


def test_client_on_this_machine_uses_no_proxy(
    service_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A proxy of the environment must not see questions to a local service."""
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
    with Client(service_url) as client:
        assert client.ready()


def test_client_gives_the_same_hits_as_the_command_line(
    client: Client, indexed: Indexed, monkeypatch: pytest.MonkeyPatch
) -> None:
    run: Cli = run_cli
    monkeypatch.setenv("SEMSEARCH_HOME", str(indexed.home))
    in_shell = json.loads(run("search", "hot water for tea", "--json").out)["hits"]
    assert client.search("hot water for tea") == [Hit.from_dict(hit) for hit in in_shell]


@pytest.mark.parametrize("body", [b"[]", b'{"documents": [{"id": 1}]}', b'{"documents": 3}'])
def test_client_meeting_other_documents_says_so(body: bytes) -> None:
    with (
        answering(200, body) as url,
        Client(url) as client,
        pytest.raises(errors.SemsearchError, match="is no semsearch service"),
    ):
        client.put([{"id": "a", "text": "Kettles boil."}])


@pytest.mark.parametrize("key", ["a\nb", "schl\u00fcssel", "a\x00"])
def test_client_refuses_a_key_that_no_header_can_carry(key: str) -> None:
    with pytest.raises(errors.UsageError, match="Copy it again"):
        Client("http://127.0.0.1:9", key=key)
