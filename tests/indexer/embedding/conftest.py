"""Model folders for the embedding tests: a tiny Qwen3 made here, and the bundled MiniLM."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

import make_tiny_qwen3
from indexer.embedding.local import LocalEmbedder
from indexer.embedding.models import resolve
from indexer.embedding.opening import open_embedder
from indexer.embedding.spec import load_spec
from indexer.embedding.wishes import Wishes
from indexer.modes import Placement


@pytest.fixture(scope="session")
def maker() -> ModuleType:
    return make_tiny_qwen3


@pytest.fixture(scope="session")
def tiny_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_tiny_qwen3.make_tiny_qwen3(tmp_path_factory.mktemp("models") / "tiny-qwen3")


@pytest.fixture(scope="session")
def minilm_folder() -> Path:
    folder = resolve("minilm").folder
    assert folder is not None
    return folder


@pytest.fixture(scope="session")
def tiny(tiny_folder: Path) -> LocalEmbedder:
    return open_embedder(load_spec(tiny_folder), Wishes(Placement.CPU))


@pytest.fixture(scope="session")
def minilm(minilm_folder: Path) -> LocalEmbedder:
    return open_embedder(load_spec(minilm_folder, resolve("minilm")), Wishes(Placement.CPU))


@pytest.fixture(params=["tiny", "minilm"])
def model_name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def embedder(model_name: str, request: pytest.FixtureRequest) -> LocalEmbedder:
    """Each model in turn."""
    found = request.getfixturevalue(model_name)
    assert isinstance(found, LocalEmbedder)
    return found


@pytest.fixture
def changed(tmp_path: Path, tiny_folder: Path) -> Callable[..., Path]:
    """A copy of the tiny folder with files replaced ({path: JSON value}) or removed (None)."""

    def change(files: dict[str, Any]) -> Path:
        folder = tmp_path / "changed"
        shutil.copytree(tiny_folder, folder, dirs_exist_ok=True)
        for name, value in files.items():
            if value is None:
                (folder / name).unlink()
            else:
                (folder / name).parent.mkdir(parents=True, exist_ok=True)
                (folder / name).write_text(json.dumps(value), encoding="utf-8")
        return folder

    return change
