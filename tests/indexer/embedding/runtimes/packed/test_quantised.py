"""Rounded weights through the whole forward: near to fp32, alone as among others, small."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from indexer.embedding.local import LocalEmbedder
from indexer.embedding.runtimes.packed import form_choice, loading
from indexer.embedding.runtimes.packed.checkpoint import Checkpoint
from indexer.embedding.runtimes.packed.loading import smooth_flat
from indexer.embedding.runtimes.packed.model import PackedModel
from indexer.embedding.runtimes.packed.opening import open_resident
from indexer.embedding.runtimes.packed.products import Multiply
from indexer.embedding.runtimes.packed.resident import ResidentLayers
from indexer.embedding.runtimes.packed.token_table import RoundedTable
from indexer.embedding.spec import ModelSpec, load_spec
from indexer.errors import PlacementError
from indexer.modes import Precision
from indexer.types import Kind, Vectors

TEXTS = ["", "a", "the model of the document", "向量检索 " * 20]
TEXTS += [f"text {i} " + "search index " * (i % 60) for i in range(0, 60, 3)]
# Least cosine to fp32. Reached on this model: 0.9997, 0.994, 0.97.
LEAST = {Precision.INT8: 0.999, Precision.FP8: 0.99, Precision.INT4: 0.95}

Opened = Callable[[ModelSpec, Precision], PackedModel]


@pytest.fixture
def ids(tiny: LocalEmbedder) -> list[list[int]]:
    return tiny.tokenizer.encode(TEXTS, Kind.DOCUMENT)


@pytest.fixture(scope="module", params=["direct", "multiplied out"])
def opened(request: pytest.FixtureRequest) -> Iterator[Opened]:
    """Open on the processor, with int8 products or as on a card that has none; once for all."""
    right, made = form_choice.choose_multiply, dict[Any, PackedModel]()

    def without_int8(precision: Precision, device: str) -> Multiply | None:
        return None if precision is Precision.INT8 else right(precision, device)

    def opener(spec: ModelSpec, precision: Precision) -> PackedModel:
        key = spec.folder, precision
        if key not in made:
            with pytest.MonkeyPatch.context() as patch:
                if request.param == "multiplied out":
                    patch.setattr(form_choice, "choose_multiply", without_int8)
                made[key] = open_resident(spec, "cpu", precision)
        return made[key]

    yield opener
    for model in made.values():
        model.close()


def cosines(found: Vectors, expected: Vectors) -> Any:
    norms = np.linalg.norm(found, axis=1) * np.linalg.norm(expected, axis=1)
    return np.einsum("ij,ij->i", found.astype(np.float64), expected) / norms


@pytest.mark.parametrize("precision", list(LEAST))
def test_vectors_are_near_those_of_fp32(
    opened: Opened, tiny: LocalEmbedder, ids: list[list[int]], precision: Precision
) -> None:
    model = opened(tiny.spec, precision)
    assert model.precision is precision
    found = cosines(model.embed_tokens(ids), tiny.runtime.embed_tokens(ids))
    assert found.min() >= LEAST[precision]


@pytest.mark.parametrize("precision", list(LEAST))
def test_vector_does_not_depend_on_its_neighbours(
    opened: Opened, tiny: LocalEmbedder, ids: list[list[int]], precision: Precision
) -> None:
    model = opened(tiny.spec, precision)
    together = model.embed_tokens(ids)
    alone = np.concatenate([model.embed_tokens([one]) for one in ids])
    assert cosines(alone, together).min() >= 0.99999
    assert cosines(model.embed_tokens(ids[::-1])[::-1], together).min() >= 0.99999


@pytest.mark.parametrize("precision", list(LEAST))
def test_outlier_channels_cost_little(
    opened: Opened, outliers: Path, ids: list[list[int]], precision: Precision
) -> None:
    """Channels 200 times larger than others inside the layers."""
    spec = load_spec(outliers)
    expected = open_resident(spec).embed_tokens(ids)
    assert cosines(opened(spec, precision).embed_tokens(ids), expected).min() >= LEAST[precision]


@pytest.mark.parametrize("precision", [Precision.INT8, Precision.INT4])
def test_outliers_would_cost_much_without_smoothing(
    outliers: Path, ids: list[list[int]], monkeypatch: pytest.MonkeyPatch, precision: Precision
) -> None:
    """One scale for a row would lose its small values."""
    spec = load_spec(outliers)
    expected = open_resident(spec).embed_tokens(ids)
    monkeypatch.setattr(loading, "smooth_flat", lambda *_: None)
    plain = open_resident(spec, "cpu", precision).embed_tokens(ids)
    assert cosines(plain, expected).mean() < {Precision.INT8: 0.93, Precision.INT4: 0.96}[precision]


def test_smoothed_layer_is_that_of_the_graphs(checkpoint: Checkpoint, tiny_folder: Path) -> None:
    """One function for both engines, through a fused layer and back."""
    from indexer.embedding.checkpoint import Checkpoint as Arrays
    from indexer.embedding.qwen3_layer import read_layer, smooth

    config, layout = checkpoint.config, checkpoint.layout
    flat = torch.zeros(layout.size)
    checkpoint.fill(2, flat)
    smooth_flat(flat, layout, config)
    expected = smooth(read_layer(Arrays(tiny_folder), config, "layers.2."), config)
    found = layout.views(flat)
    heads = np.concatenate([expected.queries, expected.keys, expected.values])
    assert isinstance(found.qkv, torch.Tensor)
    np.testing.assert_array_equal(found.qkv.numpy(), heads)
    assert isinstance(found.gate_up, torch.Tensor)
    np.testing.assert_array_equal(
        found.gate_up.numpy(), np.concatenate([expected.gate, expected.up])
    )
    assert isinstance(found.out, torch.Tensor)
    np.testing.assert_array_equal(found.out.numpy(), expected.out)
    assert isinstance(found.down, torch.Tensor)
    np.testing.assert_array_equal(found.down.numpy(), expected.down)
    np.testing.assert_array_equal(found.input_norm.numpy(), expected.input_gains)
    np.testing.assert_array_equal(found.post_norm.numpy(), expected.inner_gains)
    np.testing.assert_array_equal(found.qk_gain[0].numpy(), expected.query_gains)
    np.testing.assert_array_equal(found.qk_gain[-1].numpy(), expected.key_gains)


@pytest.mark.parametrize("precision", list(LEAST))
def test_layers_on_the_device_take_what_their_form_says(
    opened: Opened, tiny: LocalEmbedder, precision: Precision
) -> None:
    """No second copy of the weights, in whatever type, is left after loading."""
    model = opened(tiny.spec, precision)
    source, table = model._source, model._table
    assert isinstance(source, ResidentLayers)
    assert source.size_bytes == 4 * source._form.size_bytes
    for view in source._views:
        tensors = [view.qkv, view.out, view.gate_up, view.down]
        assert not [tensor for tensor in tensors if isinstance(tensor, torch.Tensor)]
    assert isinstance(table, RoundedTable)
    assert table._table is None
    assert table._on_host is None


def test_rounded_table_gives_rows_within_half_a_step(tiny: LocalEmbedder) -> None:
    table = torch.randn((9000, 64), generator=torch.Generator().manual_seed(0))
    table[5] = 0
    rounded = RoundedTable(table, "cpu", torch.float32)
    from indexer.embedding.runtimes.packed.batch import pack

    batch = pack([[0, 5, 8191, 8192, 8999]])  # both sides of the border between two blocks
    found = rounded.states(batch, batch)
    wanted = table[[0, 5, 8191, 8192, 8999]]
    step = wanted.abs().amax(dim=1, keepdim=True) / 127
    assert ((found - wanted).abs() <= step * 0.501).all()
    rounded.close()
    rounded.close()


def test_text_whose_numbers_overflow_is_computed_again_in_fp32(
    opened: Opened, tiny: LocalEmbedder, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = opened(tiny.spec, Precision.INT8)
    broken = torch.full((1, 64), float("nan"))
    monkeypatch.setattr(PackedModel, "_compute", lambda *_: broken)
    embedder = LocalEmbedder(tiny.spec, tiny.tokenizer, model)
    found = embedder.embed(["the model of the document"], Kind.DOCUMENT)
    expected = tiny.embed(["the model of the document"], Kind.DOCUMENT)
    assert np.abs(found - expected).max() <= 1e-5


def test_user_is_told_when_int8_is_multiplied_out(
    tiny: LocalEmbedder, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert open_resident(tiny.spec, "cpu", Precision.INT8).notes == ()
    monkeypatch.setattr(form_choice, "choose_multiply", lambda *_: None)
    (note,) = open_resident(tiny.spec, "cpu", Precision.INT8).notes
    assert "int8 weights are multiplied out for every pass" in note


def test_fp8_without_products_is_refused_by_name(
    tiny: LocalEmbedder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(form_choice, "choose_multiply", lambda *_: None)
    with pytest.raises(PlacementError, match="fp8 has no products.*Use int8, bf16 or fp16"):
        open_resident(tiny.spec, "cpu", Precision.FP8)


def test_fp8_on_an_older_card_is_refused_with_both_capabilities(
    checkpoint: Checkpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda _: (8, 6))
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda _: "RTX 3050")
    with pytest.raises(PlacementError, match=r"needs compute capability 8\.9, RTX 3050 has 8\.6"):
        form_choice.resident_form(Precision.FP8, checkpoint.config, torch.bfloat16, "cuda:0")


def test_widths_that_kernels_do_not_take_are_multiplied_out(checkpoint: Checkpoint) -> None:
    from dataclasses import replace

    odd = replace(checkpoint.config, intermediate=200)
    assert not form_choice.resident_form(Precision.INT8, odd, torch.float32, "cpu").keeps_buffer
    with pytest.raises(PlacementError, match="groups of 32 weights; this model has rows of 200"):
        form_choice.resident_form(Precision.INT4, odd, torch.float32, "cpu")
