"""A small collection made by the real command with the real small model, for the app's tests."""

import io
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path

import pytest

DOCS = {
    "apple.md": "# Apples\n\nApples grow on trees in cool valleys and are picked in autumn.\n",
    "bread.md": "# Bread\n\n## Yeast\n\nBread rises because yeast eats sugar and gives off gas.\n",
    "sub/clock.txt": "The clock in the tower of the town hall strikes twelve at noon.\n",
    "sub/zh.md": "# 面包\n\n面包发酵是因为酵母分解糖分并产生气体。\n",
    "rows.jsonl": '{"_id": "r1", "title": "Tea", "text": "Green tea is brewed with water at '
    'seventy degrees."}\n{"_id": "r2", "title": "Coffee", "text": "Espresso is pressed through '
    'ground beans at nine bar."}\n',
}


@dataclass(frozen=True)
class Ran:
    """What a command printed and how it ended."""

    code: int
    out: str
    err: str


Cli = Callable[..., Ran]


def run_cli(*arguments: str) -> Ran:
    """Run `semsearch` in this process, through the same `main` as the installed command."""
    import sys

    from app.cli.main import main

    out, err = io.StringIO(), io.StringIO()
    old = sys.argv
    sys.argv = ["semsearch", *arguments]
    code = 0
    try:
        with redirect_stdout(out), redirect_stderr(err):
            main()
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else int(end.code is not None)
    finally:
        sys.argv = old
    return Ran(code, out.getvalue(), err.getvalue())


@contextmanager
def clean_environment(home: Path) -> Iterator[None]:
    """Only this home; no setting of the machine."""
    with pytest.MonkeyPatch.context() as patch:
        for name in [n for n in os.environ if n.startswith(("SEMSEARCH_", "HF_", "XDG_"))]:
            if name != "SEMSEARCH_TEST_DATA":
                patch.delenv(name)
        patch.setenv("SEMSEARCH_HOME", str(home))
        patch.setenv("XDG_CONFIG_HOME", str(home / "config"))
        patch.setenv("XDG_CACHE_HOME", str(home / "cache"))
        yield


def write_docs(folder: Path) -> Path:
    for name, text in DOCS.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return folder


@pytest.fixture
def cli(home: Path) -> Cli:
    """Run commands on an empty home."""
    assert not home.exists()
    return run_cli


@dataclass(frozen=True)
class Indexed:
    """A home with one indexed folder. Read only: tests share it."""

    home: Path
    docs: Path


@pytest.fixture(scope="session")
def indexed(tmp_path_factory: pytest.TempPathFactory) -> Indexed:
    root = tmp_path_factory.mktemp("indexed")
    docs = write_docs(root / "docs")
    with clean_environment(root / "home"):
        ran = run_cli("index", str(docs), "--model", "minilm")
        assert ran.code == 0, ran.err
    return Indexed(root / "home", docs)


@pytest.fixture
def searching(indexed: Indexed) -> Iterator[Cli]:
    """Run commands on the shared home."""
    with clean_environment(indexed.home):
        yield run_cli
