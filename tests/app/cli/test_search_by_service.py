"""`semsearch search` asks a running service of its home, and does without where it cannot."""

import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import uvicorn

from app.api.application import create_app
from app.api.server import Server
from app.keys.key import Scope
from app.keys.store import KeyStore
from app.running import FILE, Running, announce, running, withdraw
from app.settings import Settings
from tests_support import Cli, Indexed, clean_environment


@contextmanager
def serving(indexed: Indexed) -> Iterator[str]:
    """The address of a service as `semsearch serve` runs it."""
    with clean_environment(indexed.home):
        app = create_app(Settings.load(flags={"port": 0}))
    server = Server(uvicorn.Config(app, port=0, log_level="warning"), app.state.semsearch)
    thread = threading.Thread(target=server.run)
    thread.start()
    until = time.monotonic() + 60
    while running(indexed.home) is None:
        assert time.monotonic() < until
        time.sleep(0.02)
    found = running(indexed.home)
    assert found is not None
    yield found.url
    server.should_exit = True
    thread.join()
    assert running(indexed.home) is None


@pytest.fixture
def elsewhere(monkeypatch: pytest.MonkeyPatch) -> None:
    """This process must not search by itself."""

    def refuse(*_arguments: Any) -> Any:
        raise AssertionError("searched in this process")

    monkeypatch.setattr("app.cli.answers.found_here", refuse)


@pytest.fixture(scope="module")
def service(indexed: Indexed) -> Iterator[str]:
    with serving(indexed) as url:
        yield url


@pytest.mark.usefixtures("elsewhere")
def test_running_service_answers_the_command(
    searching: Cli, service: str, indexed: Indexed
) -> None:
    ran = searching("search", "why does dough get bigger?", "-k", "1", "--json")
    (hit,) = json.loads(ran.out)["hits"]
    assert hit["document"]["path"] == str(indexed.docs / "bread.md")
    shown = searching("search", "yeast and sugar", "-k", "1", "-w", "type:md")
    assert "*yeast*" in shown.out
    assert searching("search", "xylophone", "--mode", "lexical").code == 1
    refused = searching("search", "x", "-w", "langauge:de")
    assert (refused.code, "Did you mean language?" in refused.err) == (2, True)


@pytest.mark.usefixtures("elsewhere")
def test_service_at_an_address(searching: Cli, service: str) -> None:
    assert searching("search", "yeast", "--server", service, "--json").code == 0
    away = searching("search", "yeast", "--server", "http://127.0.0.1:9")
    assert "semsearch serve" in away.err
    assert away.code != 0


def test_service_answers_as_the_process_would(searching: Cli, service: str) -> None:
    asked = ("search", "hot water for tea", "--neighbours", "1", "--json")
    theirs, ours = searching(*asked), searching(*asked, "--server", "none")
    assert json.loads(theirs.out)["hits"] == json.loads(ours.out)["hits"]


def test_asking_a_service_imports_nothing_of_what_searches(service: str, indexed: Indexed) -> None:
    code = (
        "import sys; sys.argv = ['semsearch', 'search', 'yeast', '--json']\n"
        "from app.cli.main import main\n"
        "try:\n    main()\nexcept SystemExit:\n    pass\n"
        "heavy = {'torch', 'transformers', 'faiss', 'sqlalchemy', 'numpy', 'tantivy', 'fastapi'}\n"
        "print(sorted(heavy & set(sys.modules)))\n"
    )
    environment = {**os.environ, "SEMSEARCH_HOME": str(indexed.home)}
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, env=environment
    )
    assert done.stdout.splitlines()[-1] == "[]"


def test_word_of_a_dead_process_is_not_believed(tmp_path: Path) -> None:
    announce(tmp_path, "http://127.0.0.1:1")
    assert running(tmp_path) == Running("http://127.0.0.1:1", os.getpid())
    assert (tmp_path / FILE).stat().st_mode & 0o077 == 0
    os.utime(tmp_path / FILE, (1, 1))  # written before this process began: another had its number
    assert running(tmp_path) is None
    for text in ("", "{}", "[]", '{"url": 1, "pid": "x"}', '{"url": "http://x", "pid": -1}'):
        (tmp_path / FILE).write_text(text)
        assert running(tmp_path) is None
    withdraw(tmp_path)
    assert (tmp_path / FILE).exists()  # it was not ours to take back


def test_service_that_asks_for_a_key_is_done_without(
    searching: Cli, indexed: Indexed, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A service that has asked for one asks for it until it ends: this one is its own."""
    keys = KeyStore(indexed.home)
    with serving(indexed):
        made, text = keys.create("someone", {Scope.SEARCH}, None)
        ran = searching("search", "yeast", "--mode", "lexical", "--json")
        assert (ran.code, "which refused" in ran.err) == (0, True)
        monkeypatch.setenv("SEMSEARCH_SERVER_KEY", text)
        ran = searching("search", "yeast", "--mode", "lexical", "--json")
        assert (ran.code, ran.err) == (0, "")
        keys.revoke(made.id)
