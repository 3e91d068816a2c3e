"""The tiny Qwen3 as a checkpoint for the packed forward."""

from pathlib import Path

import pytest

from indexer.embedding.qwen3_config import read_config
from indexer.embedding.runtimes.packed.checkpoint import Checkpoint


@pytest.fixture(scope="session")
def checkpoint(tiny_folder: Path) -> Checkpoint:
    return Checkpoint(tiny_folder, read_config(tiny_folder))
