"""A server of our own, for the remote mode where no endpoint is named: what HTTP adds is measured.

It runs below the process that asks it, so that its memory counts.
"""

import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx

import app
from app.evaluation.apart import OnStep
from app.evaluation.lanes.lane import Lane
from app.settings import environment_of_server
from indexer.errors import PlacementError

_READY_WITHIN_S = 600.0  # a first start may have to prepare a graph
_BOOT = "import sys; sys.path.insert(0, sys.argv.pop(1)); from app.cli.main import main; main()"


def free_port() -> int:
    """A port of this machine that nobody listens on."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


@contextmanager
def own_server(lane: Lane, on_step: OnStep) -> Iterator[None]:
    """While open, the lane's model is served on its port; nothing where the lane needs no server.

    Raises:
        PlacementError: it did not become ready.
    """
    if lane.own_server_port is None:
        yield
        return
    on_step("starting a server of our own")
    with tempfile.TemporaryDirectory(prefix="semsearch-served-") as home:
        said = Path(home) / "said"
        with said.open("wb") as stream:
            process = subprocess.Popen(
                [*_program(), "--home", home, "serve", "--port", str(lane.own_server_port)],
                env=environment_of_server(lane.model),
                stdin=subprocess.DEVNULL,
                stdout=stream,
                stderr=stream,
            )
        try:
            _wait(process, lane.own_server_port, said)
            yield
        finally:
            process.terminate()
            process.wait()


def _program() -> list[str]:
    return [sys.executable, "-P", "-c", _BOOT, str(Path(app.__file__).resolve().parent.parent)]


def _wait(process: subprocess.Popen[bytes], port: int, said: Path) -> None:
    until = time.monotonic() + _READY_WITHIN_S
    while not _is_ready(port):
        if process.poll() is not None or time.monotonic() > until:
            lines = said.read_text("utf-8", "replace").strip().splitlines() or ["it said nothing"]
            raise PlacementError(f"A server of our own did not become ready: {lines[-1][:300]}")
        time.sleep(0.1)


def _is_ready(port: int) -> bool:
    try:
        answer = httpx.get(f"http://127.0.0.1:{port}/ready", timeout=5, trust_env=False)
    except httpx.TransportError:
        return False
    return answer.status_code == 200
