"""Indexing and searching through an endpoint: our own service is the well-behaved peer."""

import hashlib
import json
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import uvicorn

from app.api.application import create_app
from app.settings import Settings
from fake_endpoint import FakeEndpoint, serve
from make_tiny_qwen3 import make_tiny_qwen3
from tests_support import Cli, Indexed, clean_environment, run_cli, write_docs

KEY = "sk-secret-0123456789"
QUERY = "why does dough get bigger?"


@pytest.fixture(scope="module")
def peer(indexed: Indexed) -> Iterator[str]:
    """`semsearch serve` on the shared collection; its base URL."""
    with clean_environment(indexed.home):
        settings = Settings.load(flags={"placement": "cpu"})
    config = uvicorn.Config(create_app(settings), host="127.0.0.1", port=0, log_level="warning")
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    until = time.monotonic() + 60
    while not server.started:
        assert time.monotonic() < until
        time.sleep(0.02)
    port = server.servers[0].sockets[0].getsockname()[1]
    yield f"http://127.0.0.1:{port}/v1"
    server.should_exit = True
    thread.join(timeout=30)


@pytest.fixture
def nobody() -> str:
    """A URL at which nothing listens."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{found.getsockname()[1]}/v1"


def hits_of(out: str) -> list[tuple[str, int, float]]:
    """(file, line, score) of each hit."""
    return [
        (Path(h["document"]["path"]).name, h["chunk"]["start_line"], h["score"])
        for h in json.loads(out)["hits"]
    ]


def test_remote_finds_what_local_finds(indexed: Indexed, tmp_path: Path, peer: str) -> None:
    with clean_environment(indexed.home):
        local = run_cli("search", QUERY, "--json", "--mode", "dense", "--placement", "cpu")
    docs = write_docs(tmp_path / "docs")
    with clean_environment(tmp_path / "home"):
        ran = run_cli("index", str(docs), "--model", "minilm", "--endpoint", peer)
        assert ran.code == 0, ran.err
        found = run_cli("search", QUERY, "--json", "--mode", "dense", "--endpoint", peer)
    assert found.code == 0, found.err
    wanted = hits_of(local.out)
    assert [hit[:2] for hit in hits_of(found.out)] == [hit[:2] for hit in wanted]
    for (_, _, here), (_, _, there) in zip(wanted, hits_of(found.out), strict=True):
        assert there == pytest.approx(here, abs=2e-3)  # stored in float16


def test_collection_made_locally_is_searched_remotely(indexed: Indexed, peer: str) -> None:
    with clean_environment(indexed.home):
        local = run_cli("search", QUERY, "--json", "--placement", "cpu")
        found = run_cli("search", QUERY, "--json", "--placement", "remote", "--endpoint", peer)
    assert [hit[:2] for hit in hits_of(found.out)] == [hit[:2] for hit in hits_of(local.out)]


def test_remote_search_loads_no_model_library(indexed: Indexed, peer: str) -> None:
    code = (
        "import sys; from app.cli.main import app\n"
        "try: app(prog_name='semsearch')\n"
        "except SystemExit: pass\n"
        "print({'torch', 'transformers', 'onnxruntime'} & set(sys.modules), file=sys.stderr)"
    )
    with clean_environment(indexed.home):
        run_cli("search", QUERY, "--endpoint", peer)  # its self-test starts the reference
        ran = subprocess.run(
            [sys.executable, "-c", code, "search", QUERY, "--endpoint", peer, "--json"],
            capture_output=True,
            text=True,
            check=True,
        )
    assert len(hits_of(ran.stdout)) > 0
    assert ran.stderr.splitlines()[-1] == "set()"


def test_endpoint_out_of_reach_exits_69_and_leaves_no_collection(
    cli: Cli, home: Path, tmp_path: Path, nobody: str
) -> None:
    docs = write_docs(tmp_path / "docs")
    ran = cli("index", str(docs), "--model", "minilm", "--endpoint", nobody)
    assert ran.code == 69
    last = ran.err.strip().splitlines()[-1]
    assert last.startswith(f"semsearch: Endpoint {nobody}/embeddings: out of reach (")
    assert "Start the server, or check the address" in last
    assert not (home / "collections").exists()


def test_placement_remote_without_an_endpoint_says_how_to_give_one(
    cli: Cli, tmp_path: Path
) -> None:
    docs = write_docs(tmp_path / "docs")
    ran = cli("index", str(docs), "--model", "minilm", "--placement", "remote")
    assert ran.code == 2
    assert "--endpoint http://127.0.0.1:30000/v1" in ran.err


def test_server_with_another_model_is_refused(cli: Cli, tmp_path: Path) -> None:
    docs = write_docs(tmp_path / "docs")
    served = ("sentence-transformers/all-MiniLM-L6-v2",)
    with serve(FakeEndpoint(1024, models=served)) as other:
        ran = cli("index", str(docs), "--model", "minilm", "--endpoint", other.url)
    assert ran.code == 69
    assert "gave vectors of 1024 values where the model gives 384" in ran.err


def test_model_without_weights_here_is_tested_by_what_holds_for_any(
    cli: Cli, tmp_path: Path
) -> None:
    folder = make_tiny_qwen3(tmp_path / "tiny-qwen3")
    weights = folder / "model.safetensors"
    digest = hashlib.sha256(weights.read_bytes()).hexdigest()
    weights.unlink()
    record = {"model": "tiny-qwen3", "revision": None, "sha256": {}}
    absent = {"model.safetensors": digest}
    (folder / "semsearch-model.json").write_text(json.dumps({**record, "absent": absent}))
    docs = write_docs(tmp_path / "docs")
    with serve(FakeEndpoint(64)) as endpoint:
        ran = cli("index", str(docs), "--model", str(folder), "--endpoint", endpoint.url)
        assert ran.code == 0, ran.err
        assert "The weights of tiny-qwen3 are not on this machine" in ran.err
        found = run_cli("search", "tea", "--mode", "dense", "--json", "--endpoint", endpoint.url)
    assert len(hits_of(found.out)) == 6
    assert json.loads(run_cli("status", "--json").out)["contract"]["model"] == "tiny-qwen3"


def test_lexical_search_needs_no_endpoint(
    indexed: Indexed, nobody: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with clean_environment(indexed.home):
        monkeypatch.setenv("SEMSEARCH_ENDPOINTS", nobody)
        ran = run_cli("search", "espresso", "--mode", "lexical", "--json")
    assert ran.code == 0
    assert [name for name, _, _ in hits_of(ran.out)] == ["rows.jsonl"]


def test_key_appears_nowhere(
    cli: Cli, tmp_path: Path, nobody: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SEMSEARCH_ENDPOINT_KEY", KEY)
    docs = write_docs(tmp_path / "docs")
    for arguments in (
        ["config"],
        ["config", "--json"],
        ["index", str(docs), "--model", "minilm", "--endpoint", nobody],
    ):
        ran = cli(*arguments) if arguments[0] == "config" else run_cli(*arguments)
        assert KEY not in ran.out + ran.err
