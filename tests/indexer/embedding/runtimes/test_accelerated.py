"""Offload through accelerate keeps the contract: same vectors, whatever travels."""

import sys
from typing import Any

import numpy as np
import pytest

from indexer.embedding.local import LocalEmbedder
from indexer.embedding.runtimes.accelerated import AcceleratedModel, module_places
from indexer.errors import PlacementError
from indexer.modes import Precision
from indexer.types import Kind

TEXTS = ["", "a", "the model of the document", "向量检索 " * 20, "index " * 150]


def test_vectors_are_those_of_the_whole_model(minilm: LocalEmbedder) -> None:
    runtime = AcceleratedModel(minilm.spec, "cpu")
    assert str(runtime.mode) == "offload:fp32"
    # No weight is where it computes: each is fetched when its module is called.
    assert all(weight.is_meta for weight in runtime._model.parameters())
    embedder = LocalEmbedder(minilm.spec, minilm.tokenizer, runtime)
    for kind in Kind:
        found, expected = embedder.embed(TEXTS, kind), minilm.embed(TEXTS, kind)
        assert np.abs(found - expected).max() <= 1e-6
    embedder.close()


def test_out_of_memory_halves_the_batch(
    minilm: LocalEmbedder, monkeypatch: pytest.MonkeyPatch
) -> None:
    runtime = AcceleratedModel(minilm.spec, "cpu")
    batch = [[101, 2000 + i, 102] for i in range(8)]
    expected = runtime.embed_tokens(batch)
    forward = AcceleratedModel.forward

    def cramped(self: AcceleratedModel, some: Any) -> Any:
        if len(some) > 2:
            raise MemoryError
        return forward(self, some)

    monkeypatch.setattr(AcceleratedModel, "forward", cramped)
    assert np.abs(runtime.embed_tokens(batch) - expected).max() <= 1e-5 * np.abs(expected).max()
    assert runtime.max_batch_tokens == 6


@pytest.mark.parametrize(("share", "expected"), [(0.1, {"cpu"}), (0.9, {0, "cpu"}), (3, {0})])
def test_modules_stay_on_the_device_as_long_as_they_fit(
    minilm: LocalEmbedder, share: float, expected: set[object]
) -> None:
    """Only the map: the device itself is not needed to draw it."""
    from indexer.embedding.runtimes.whole import WholeModel

    model = WholeModel(minilm.spec)._model
    total = sum(weight.nbytes for weight in model.parameters())
    places = module_places(model, "cuda:0", int(share * total))
    assert set(places.values()) == expected
    staying = [name for name, place in places.items() if place == 0]
    held = sum(
        weight.nbytes
        for name, weight in model.named_parameters()
        if any(name == place or name.startswith(place + ".") for place in staying)
    )
    assert held <= share * total


def test_missing_accelerate_is_named_with_the_command(
    minilm: LocalEmbedder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "accelerate", None)
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    with pytest.raises(PlacementError, match=r"pip install 'semsearch\[offload\]'"):
        AcceleratedModel(minilm.spec, "cpu", Precision.FP32)
