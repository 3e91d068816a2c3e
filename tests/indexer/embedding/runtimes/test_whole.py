"""The transformers runtime: same vector whatever the padding, the batch or the memory."""

import json
import logging
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from indexer.embedding.local import LocalEmbedder
from indexer.embedding.runtimes.base import TokenBatch
from indexer.embedding.runtimes.whole import WholeModel
from indexer.embedding.spec import load_spec
from indexer.errors import ModelError, PlacementError
from indexer.types import Kind, Vectors

TEXTS = ["", "a", "the model of the document", "向量检索 " * 20, "index " * 150]
TOLERANCE = 1e-5


def relative(vectors: Vectors, expected: Vectors) -> float:
    """Largest difference in units of the vectors' length: pooled vectors are not normalised."""
    return float((np.abs(vectors - expected).max(axis=1) / np.linalg.norm(expected, axis=1)).max())


@pytest.fixture
def ids(embedder: LocalEmbedder) -> list[list[int]]:
    return embedder.tokenizer.encode(TEXTS, Kind.DOCUMENT)


def test_vectors_are_the_same_padded_left_right_or_not_at_all(
    embedder: LocalEmbedder, ids: list[list[int]]
) -> None:
    alone = np.concatenate([embedder.runtime.embed_tokens([one]) for one in ids])
    right = embedder.runtime.embed_tokens(ids)
    left = WholeModel(embedder.spec, pad_left=True).embed_tokens(ids)
    assert relative(right, alone) <= TOLERANCE
    assert relative(left, alone) <= TOLERANCE


def test_vectors_do_not_depend_on_their_neighbours(
    embedder: LocalEmbedder, ids: list[list[int]]
) -> None:
    together = embedder.runtime.embed_tokens(ids)
    pairs = embedder.runtime.embed_tokens([ids[2], ids[4]])
    assert relative(pairs, together[[2, 4]]) <= TOLERANCE


@pytest.mark.parametrize(
    "error",
    [
        torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB"),
        RuntimeError(
            "[enforce fail at alloc_cpu.cpp:119] err == 0. DefaultCPUAllocator: "
            "can't allocate memory: you tried to allocate 400000000 bytes."
        ),
        MemoryError(),
    ],
)
@pytest.mark.parametrize("k", [1, 2])
def test_out_of_memory_at_the_kth_batch_gives_the_same_vectors(
    tiny: LocalEmbedder, error: Exception, k: int
) -> None:
    texts = [f"{word} {i}" for i in range(8) for word in ("index", "search", "vector")]
    runtime = Failing(tiny, k, error)
    embedder = LocalEmbedder(tiny.spec, tiny.tokenizer, runtime)
    vectors = embedder.embed(texts, Kind.DOCUMENT)
    assert runtime.failed
    assert np.abs(vectors - tiny.embed(texts, Kind.DOCUMENT)).max() <= TOLERANCE


class Failing(WholeModel):
    """Runs out of memory once, at the k-th forward pass."""

    def __init__(self, like: LocalEmbedder, k: int, error: Exception) -> None:
        super().__init__(like.spec, max_batch_tokens=60)
        self.left = k
        self.error = error
        self.failed = False

    def forward(self, batch: TokenBatch) -> Vectors:
        self.left -= 1
        if self.left == 0:
            self.failed = True
            raise self.error
        return super().forward(batch)


def test_real_allocation_failure_on_the_cpu_is_recognised(tiny: LocalEmbedder) -> None:
    """What torch really raises here, not what we think it raises."""
    with pytest.raises(RuntimeError) as caught:
        torch.empty(1 << 60, dtype=torch.uint8)
    assert tiny.runtime.is_out_of_memory(caught.value)


@pytest.mark.parametrize("error", [RuntimeError("shape mismatch"), ValueError("x"), OSError()])
def test_other_errors_are_not_taken_for_memory(tiny: LocalEmbedder, error: Exception) -> None:
    assert not tiny.runtime.is_out_of_memory(error)


def test_attention_is_sdpa_and_no_cache_is_kept(embedder: LocalEmbedder) -> None:
    assert isinstance(embedder.runtime, WholeModel)
    model = embedder.runtime._model
    assert model.config._attn_implementation == "sdpa"
    assert not model.training
    assert next(model.parameters()).dtype == torch.float32
    out = model(input_ids=torch.tensor([[5, 6]]), **embedder.runtime._extras(torch.ones(1, 2)))
    assert out.get("past_key_values") is None


def test_missing_tensor_is_refused_and_never_filled_with_random_numbers(
    changed: Callable[[dict[str, Any]], Path],
) -> None:
    folder = changed({})
    weights = load_file(folder / "model.safetensors")
    del weights["layers.2.mlp.up_proj.weight"]
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(ModelError, match=r"1 tensors missing.*layers\.2\.mlp\.up_proj\.weight"):
        WholeModel(load_spec(folder))


def test_damaged_weights_are_named(changed: Callable[[dict[str, Any]], Path]) -> None:
    folder = changed({})
    (folder / "model.safetensors").write_bytes(b"\xff" * 100)
    with pytest.raises(ModelError, match="transformers cannot load it as qwen3"):
        WholeModel(load_spec(folder))


def test_unknown_architecture_is_named(tiny: LocalEmbedder) -> None:
    with pytest.raises(ModelError, match="does not know the architecture 'no_such_type'"):
        WholeModel(replace(tiny.spec, architecture="no_such_type"))


def test_wrong_width_in_the_pooling_file_is_refused(tiny: LocalEmbedder) -> None:
    runtime = WholeModel(replace(tiny.spec, hidden_size=96))
    with pytest.raises(ModelError, match="gives 64 values, its pooling configuration says 96"):
        runtime.embed_tokens([[1, 2]])


def test_loading_prints_nothing_and_leaves_logging_as_it_was(
    tiny_folder: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    from transformers.utils import logging as transformers_logging

    before = logging.getLogger("transformers").level
    WholeModel(load_spec(tiny_folder))
    assert capfd.readouterr() == ("", "")
    assert logging.getLogger("transformers").level == before
    assert transformers_logging.is_progress_bar_enabled()


def test_single_text_too_large_for_memory_says_what_to_do(tiny: LocalEmbedder) -> None:
    runtime = Failing(tiny, 1, MemoryError())
    with pytest.raises(PlacementError, match="one text of 3 tokens on cpu"):
        runtime.embed_tokens([[1, 2, 3]])


@pytest.mark.parametrize(
    ("kind", "special"), [("roberta", 2), ("distilbert", 0), ("mpnet", 2), ("modernbert", 0)]
)
@pytest.mark.parametrize("pooling", ["mean", "cls", "lasttoken"])
def test_other_architectures_are_batch_and_padding_invariant(
    tmp_path: Path, changed: Callable[[dict[str, Any]], Path], kind: str, special: int, pooling: str
) -> None:
    """Tiny random encoders of other families, whose position ids and arguments differ."""
    from transformers import AutoConfig, AutoModel

    sizes = {
        "vocab_size": 300,
        "hidden_size": 32,
        "num_hidden_layers": 2,
        "num_attention_heads": 2,
        "intermediate_size": 48,
        "max_position_embeddings": 64 + special,
        "pad_token_id": 1,
    }
    if kind == "modernbert":
        sizes |= {"cls_token_id": 2, "sep_token_id": 3, "bos_token_id": 2, "eos_token_id": 3}
    torch.manual_seed(0)
    config = AutoConfig.for_model(kind, **sizes)
    AutoModel.from_config(config).save_pretrained(tmp_path / "new")
    folder = changed(
        {
            "config.json": json.loads((tmp_path / "new" / "config.json").read_text()),
            "1_Pooling/config.json": {"pooling_mode": pooling, "embedding_dimension": 32},
        }
    )
    (tmp_path / "new" / "model.safetensors").replace(folder / "model.safetensors")
    spec = load_spec(folder)
    assert spec.max_tokens == 64
    batch = [[5], [5, 6, 7], list(range(5, 69))]
    runtime = WholeModel(spec)
    alone = np.concatenate([runtime.embed_tokens([one]) for one in batch])
    assert relative(runtime.embed_tokens(batch), alone) <= TOLERANCE
    left = WholeModel(spec, pad_left=True).embed_tokens(batch)
    assert relative(left, alone) <= TOLERANCE
