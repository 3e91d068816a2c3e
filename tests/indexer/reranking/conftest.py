"""Tiny rerankers, made once."""

from pathlib import Path

import pytest

import make_tiny_rerankers as make
from indexer.embedding.models import resolve
from indexer.embedding.wishes import Engine, Wishes
from indexer.modes import Placement, Precision
from indexer.reranking.qwen3 import Qwen3Reranker, open_qwen3
from indexer.reranking.spec import load_reranker_spec

ON_CPU = Wishes(Placement.CPU, Precision.FP32, Engine.ONNX, threads=1)


@pytest.fixture(scope="session")
def reranker_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make.make_tiny_qwen3_reranker(tmp_path_factory.mktemp("models") / "tiny-reranker")


@pytest.fixture(scope="session")
def untied_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("models") / "tiny-untied"
    return make.make_tiny_qwen3_reranker(folder, tied=False, seed=1)


@pytest.fixture(scope="session")
def reranker(reranker_folder: Path, cache_home: Path) -> Qwen3Reranker:
    return open_qwen3(load_reranker_spec(reranker_folder), ON_CPU, cache_home)


@pytest.fixture(scope="session")
def untied(untied_folder: Path, cache_home: Path) -> Qwen3Reranker:
    return open_qwen3(load_reranker_spec(untied_folder), ON_CPU, cache_home)


@pytest.fixture(scope="session")
def minilm_folder() -> Path:
    folder = resolve("minilm").folder
    assert folder is not None
    return folder


@pytest.fixture(scope="session")
def bert_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make.make_tiny_cross_encoder(tmp_path_factory.mktemp("models") / "tiny-bert")
