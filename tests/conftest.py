"""Fixtures for every part: a small real model, a runtime without one, homes that touch nothing."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import settings

from hash_runtime import HashRuntime
from indexer.embedding.embedder import Embedder
from indexer.embedding.local import LocalEmbedder
from indexer.embedding.models import resolve
from indexer.embedding.spec import ModelSpec, load_spec
from indexer.embedding.tokenizer import load_tokenizer
from indexer.types import Contract

# Cores are shared by several tests at once, and how long an example takes is no claim of theirs.
settings.register_profile("everywhere", deadline=None)
settings.load_profile("everywhere")
# CI must not fail, or pass, by the luck of a draw; on a developer's machine every run draws anew.
settings.register_profile("ci", deadline=None, derandomize=True)
if os.environ.get("CI"):
    settings.load_profile("ci")

MINILM_CHUNKER = "1/256"


@pytest.fixture(scope="session")
def minilm_spec(tmp_path_factory: pytest.TempPathFactory) -> ModelSpec:
    """The bundled model with real weights."""
    ref = resolve("minilm")
    assert ref.folder is not None
    return load_spec(ref.folder, ref, tmp_path_factory.mktemp("hashes"))


@pytest.fixture
def contract(minilm_spec: ModelSpec) -> Contract:
    return minilm_spec.contract(MINILM_CHUNKER)


@pytest.fixture
def hash_embedder(minilm_spec: ModelSpec) -> Iterator[Embedder]:
    runtime = HashRuntime(minilm_spec.hidden_size)
    with LocalEmbedder(minilm_spec, load_tokenizer(minilm_spec), runtime) as embedder:
        yield embedder


@pytest.fixture
def embedded_texts(hash_embedder: Embedder) -> Callable[[], int]:
    """How many texts went through the model so far."""
    runtime = hash_embedder.runtime
    assert isinstance(runtime, HashRuntime)
    return lambda: runtime.texts


@pytest.fixture(scope="session")
def cache_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where graphs are prepared: once for all tests, and not among the user's own."""
    return tmp_path_factory.mktemp("cache")


@pytest.fixture
def home(tmp_path: Path, cache_home: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty home folder; no setting of the machine reaches the test."""
    for name in [n for n in os.environ if n.startswith(("SEMSEARCH_", "HF_", "XDG_"))]:
        if name != "SEMSEARCH_TEST_DATA":
            monkeypatch.delenv(name)
    folder = tmp_path / "home"
    monkeypatch.setenv("SEMSEARCH_HOME", str(folder))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(cache_home))
    return folder
