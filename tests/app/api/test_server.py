"""How a real process ends: nothing under way is broken, and a second signal is enough."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

TESTS = Path(__file__).resolve().parents[2]
# A text that is a number takes the model so many seconds.
PROGRAM = """
import sys, time
import app.search.models as models
from app.cli.main import main
from gated_embedder import GatedEmbedder

class Slow(GatedEmbedder):
    def _answer(self, texts, *rest):
        if texts[0][0].isdigit():
            print("at work", flush=True)
            time.sleep(float(texts[0]))
        return super()._answer(texts, *rest)

models.open_embedder = lambda spec, *_: Slow(spec)
models.prove = lambda *_: None
models.is_good_enough = lambda *_: True
sys.argv = ["semsearch", "serve"]
main()
"""


@dataclass(frozen=True)
class Process:
    """A service that is ready."""

    process: "subprocess.Popen[str]"
    url: str

    def embed(self, text: str) -> httpx.Response:
        body = {"model": "minilm", "input": text}
        return httpx.post(f"{self.url}/v1/embeddings", json=body, timeout=60)

    def status(self, path: str) -> int:
        """On a connection of its own; 0 where nobody listens any more."""
        try:
            return httpx.get(f"{self.url}{path}", timeout=60).status_code
        except httpx.ConnectError:
            return 0

    def wait_until_at_work(self) -> None:
        """Until a text is in the model."""
        assert self.process.stdout is not None
        assert self.process.stdout.readline() == "at work\n"

    def term(self) -> None:
        self.process.send_signal(signal.SIGTERM)


@pytest.fixture
def running(home: Path) -> Iterator[Process]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    paths = os.pathsep.join([str(TESTS.parent), str(TESTS)])
    environment = {
        **os.environ,
        "SEMSEARCH_PORT": str(port),
        "SEMSEARCH_MODEL": "minilm",
        "PYTHONPATH": paths,
    }
    process = subprocess.Popen(
        [sys.executable, "-c", PROGRAM],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment,
    )
    service = Process(process, f"http://127.0.0.1:{port}")
    try:
        until = time.monotonic() + 60
        while service.status("/ready") != 200:
            assert process.poll() is None, process.communicate()[1]
            assert time.monotonic() < until
            time.sleep(0.05)
        yield service
    finally:
        process.kill()
        process.communicate()


def test_first_signal_ends_readiness_at_once_and_the_process_after_its_answers(
    running: Process,
) -> None:
    with ThreadPoolExecutor(4) as pool:
        slow = [pool.submit(running.embed, "2.5")]
        running.wait_until_at_work()
        slow += [pool.submit(running.embed, text) for text in ("0.2", "0.1")]
        running.term()
        while running.status("/ready") == 200:
            time.sleep(0.01)
        assert running.status("/ready") == 503
        assert running.status("/health") == 200
        assert not slow[0].done()
        assert [len(future.result().json()["data"]) for future in slow] == [1, 1, 1]
    assert running.process.wait(timeout=20) == 128 + signal.SIGTERM
    assert running.status("/health") == 0
    assert "Traceback" not in running.process.communicate()[1]


def test_second_signal_ends_the_process_though_the_model_is_at_work(running: Process) -> None:
    with ThreadPoolExecutor(1) as pool:
        endless = pool.submit(running.embed, "600")
        running.wait_until_at_work()
        running.term()
        while running.status("/ready") == 200:
            time.sleep(0.01)
        running.term()
        # Two seconds are promised; a busy machine may need some for leaving Python.
        assert running.process.wait(timeout=10) == 128 + signal.SIGTERM
        with suppress(httpx.TransportError):
            assert endless.result().status_code >= 500
