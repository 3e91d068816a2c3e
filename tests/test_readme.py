"""README is run: each command line, the Python example, the HTTP request, the links."""

import io
import os
import re
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import time
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from typer.main import get_command

from app.cli.main import app
from evaluation_results import results
from tests_support import run_cli

ROOT = Path(__file__).resolve().parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```(\w+)\n(.*?)^```", README, re.MULTILINE | re.DOTALL)
PROSE = re.sub(r"^```.*?^```", "", README, flags=re.MULTILINE | re.DOTALL)


def shell_lines(program: str) -> list[list[str]]:
    """The arguments of every line of the shell blocks that runs this program."""
    text = "".join(body for language, body in BLOCKS if language == "sh").replace("\\\n", " ")
    lines = [shlex.split(line.removeprefix("$ "), comments=True) for line in text.splitlines()]
    return [words[1:] for words in lines if words and words[0] == program]


@pytest.fixture
def place(home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder where README's commands make sense: `docs` are the sample, and an evaluation ran.

    The bundled model stands in for the default one, which would be downloaded.
    """
    shutil.copytree(ROOT / "data" / "sample", tmp_path / "docs")
    (tmp_path / "docs" / "old").mkdir()
    results().write(tmp_path / "results.json")
    (tmp_path / "docs" / "old" / "note.md").write_text("# An old note\n\nNobody needs it now.\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SEMSEARCH_MODEL", "minilm")
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    # The commands are tried, not their figures: one round of `bench` does.
    monkeypatch.setattr("app.evaluation.rounds.ROUNDS", 1)
    # Somebody who judges: more keys than there are documents.
    monkeypatch.setattr("sys.stdin", io.StringIO("0\n1\n2\n" * 200))
    return tmp_path


@contextmanager
def serving(arguments: list[str]) -> Iterator[str]:
    """The service as README starts it, but on a free port; its address once it is ready."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-c", "from app.cli.main import main; main()", *arguments]
    environment = {**os.environ, "SEMSEARCH_PORT": str(port)}
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=environment)
    try:
        until = time.monotonic() + 120
        while True:
            assert process.poll() is None, process.communicate()[1]
            assert time.monotonic() < until, "the service did not become ready"
            try:
                if httpx.get(f"http://127.0.0.1:{port}/ready").status_code == 200:
                    break
            except httpx.ConnectError:
                pass
            time.sleep(0.1)
        yield f"http://127.0.0.1:{port}"
    finally:
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=30)


def request_of(curl: list[str], address: str) -> httpx.Response:
    """What this curl command would ask."""
    url = next(word for word in curl if word.startswith("http"))
    values = dict(zip(curl, curl[1:], strict=False))
    name, _, value = values["-H"].partition(": ")
    url = url.replace("http://127.0.0.1:8765", address)
    return httpx.post(url, content=values["-d"], headers={name: value}, timeout=60)


@pytest.mark.timeout(900)
def test_commands_and_requests_of_the_readme_work(place: Path) -> None:
    commands, requests = shell_lines("semsearch"), shell_lines("curl")
    assert commands[0] == ["index", "./docs"]
    served = False
    for arguments in commands:
        if arguments[0] == "serve":
            served = True
            with serving(arguments) as address:
                assert httpx.get(f"{address}/openapi.json").json()["info"]["title"] == "semsearch"
                for curl in requests:
                    answer = request_of(curl, address)
                    assert (answer.status_code, bool(answer.json()["hits"])) == (200, True)
            continue
        if arguments[0] == "mcp":  # speaks over stdin until that ends
            command = [sys.executable, "-c", "from app.cli.main import main; main()", *arguments]
            assert subprocess.run(command, stdin=subprocess.DEVNULL).returncode == 0
            continue
        ran = run_cli(*arguments)
        assert ran.code == 0, f"semsearch {shlex.join(arguments)}: {ran.err}"
    assert served == bool(requests)


def test_python_example_of_the_readme_works(
    place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    examples = [body for language, body in BLOCKS if language == "python"]
    assert examples
    for example in examples:
        exec(compile(example, "README.md", "exec"), {})
        lines = capsys.readouterr().out.splitlines()
        assert any(str(place / "docs") in line for line in lines), lines


def known_options(arguments: list[str]) -> set[str]:
    """All options that the command of these arguments takes."""
    command: Any = get_command(app)
    names: set[str] = set()
    for word in ["", *arguments]:
        if word:
            if word not in getattr(command, "commands", {}):
                break
            command = command.commands[word]
        names |= {name for option in command.params for name in option.opts}
    return names | {"--help"}


INLINE = [shlex.split(text) for text in re.findall(r"`semsearch ([^`]+)`", PROSE)]


@pytest.mark.parametrize("arguments", [*shell_lines("semsearch"), *INLINE], ids=" ".join)
def test_options_named_in_the_readme_exist(arguments: list[str]) -> None:
    options = {word.split("=")[0] for word in arguments if word.startswith("-")}
    assert options <= known_options(arguments)
    assert run_cli(arguments[0], "--help").code == 0


def test_every_command_is_in_the_readme() -> None:
    command: Any = get_command(app)
    used = {arguments[0] for arguments in shell_lines("semsearch")}
    assert used == set(command.commands)


def test_make_targets_named_in_the_readme_exist() -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    named = [arguments[0] for arguments in shell_lines("make")]
    assert named == ["demo", "test"]
    assert set(named) | set(re.findall(r"`make ([a-z-]+)`", PROSE)) <= targets


def test_extras_named_in_the_readme_exist() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    named = set(re.findall(r"'semsearch\[(\w+)\]'", README))
    assert named <= set(project["optional-dependencies"])
    assert named >= {"all", "code", "html", "office", "pdf"}


def test_links_of_the_readme_lead_somewhere() -> None:
    links = re.findall(r"\]\(([^)#]+)", README)
    local = [link for link in links if "://" not in link]
    assert local
    assert [link for link in local if not (ROOT / link).exists()] == []
