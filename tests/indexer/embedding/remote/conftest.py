"""A tiny model's tokenizer here, its vectors from a server on localhost."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from fake_endpoint import FakeEndpoint, serve
from indexer.embedding.remote.embedder import RemoteEmbedder
from indexer.embedding.remote.retry import Backoff
from indexer.embedding.spec import ModelSpec, load_spec
from indexer.embedding.tokenizer import Tokenizer, load_tokenizer
from indexer.embedding.wishes import Endpoint, Wishes
from indexer.modes import Placement

KEY = "sk-secret-0123456789"
Connect = Callable[..., RemoteEmbedder]


@pytest.fixture(scope="session")
def tiny_spec(tiny_folder: Path) -> ModelSpec:
    return load_spec(tiny_folder)


@pytest.fixture(scope="session")
def tiny_tokenizer(tiny_spec: ModelSpec) -> Tokenizer:
    return load_tokenizer(tiny_spec)


@pytest.fixture
def start(tiny_spec: ModelSpec) -> Iterator[Callable[..., FakeEndpoint]]:
    """Start an endpoint of the tiny model with these faults."""
    with ExitStack() as stack:
        yield lambda **faults: stack.enter_context(
            serve(FakeEndpoint(tiny_spec.hidden_size, **faults))
        )


@pytest.fixture
def endpoint(start: Callable[..., FakeEndpoint]) -> FakeEndpoint:
    return start()


@pytest.fixture
def connect(tiny_spec: ModelSpec, tiny_tokenizer: Tokenizer) -> Iterator[Connect]:
    """An embedder on these URLs that waits milliseconds where a real one waits seconds."""
    with ExitStack() as stack:

        def make(*urls: str, dimension: int | None = None, **options: Any) -> RemoteEmbedder:
            options = {"timeout_s": 5.0, **options}
            wishes = Wishes(Placement.REMOTE, endpoints=tuple(Endpoint(u, **options) for u in urls))
            made = RemoteEmbedder(tiny_spec, tiny_tokenizer, wishes, dimension, Backoff(0.01, 0.05))
            return stack.enter_context(made)

        yield make
