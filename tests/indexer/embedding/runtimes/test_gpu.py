"""The whole model on a CUDA device (make test-gpu): the same vectors as on the CPU."""

from pathlib import Path

import numpy as np
import pytest

from indexer.embedding.local import LocalEmbedder
from indexer.embedding.opening import open_embedder
from indexer.embedding.spec import load_spec
from indexer.embedding.wishes import Wishes
from indexer.modes import Placement, Precision
from indexer.types import Kind

pytestmark = pytest.mark.gpu

TEXTS = ["", "a", "the model of the document", "向量检索 " * 20, "index " * 900]


@pytest.mark.parametrize(
    ("precision", "least_cosine"),
    [(Precision.FP32, 0.9999999), (Precision.BF16, 0.99), (Precision.FP16, 0.999)],
)
def test_gpu_vectors_are_those_of_the_cpu(
    tiny: LocalEmbedder, tiny_folder: Path, precision: Precision, least_cosine: float
) -> None:
    with open_embedder(load_spec(tiny_folder), Wishes(Placement.GPU, precision)) as gpu:
        assert gpu.runtime.placement is Placement.GPU
        vectors = gpu.embed(TEXTS, Kind.DOCUMENT)
    cosines = np.einsum("ij,ij->i", vectors, tiny.embed(TEXTS, Kind.DOCUMENT), dtype=np.float64)
    assert cosines.min() >= least_cosine - 1e-6


def test_gpu_out_of_memory_halves_and_goes_on(tiny: LocalEmbedder, tiny_folder: Path) -> None:
    import torch

    texts = [f"{i} " + "index " * 2000 for i in range(32)]
    expected = tiny.embed(texts, Kind.DOCUMENT)
    with open_embedder(
        load_spec(tiny_folder), Wishes(Placement.GPU, max_batch_tokens=1 << 20)
    ) as gpu:
        torch.cuda.empty_cache()
        total = torch.cuda.get_device_properties(0).total_memory
        torch.cuda.set_per_process_memory_fraction(
            (torch.cuda.memory_reserved() + (96 << 20)) / total
        )
        try:
            vectors = gpu.embed(texts, Kind.DOCUMENT)
        finally:
            torch.cuda.set_per_process_memory_fraction(1.0)
        assert gpu.runtime.max_batch_tokens < 1 << 20
    assert np.abs(vectors - expected).max() <= 1e-5


def test_auto_placement_takes_the_gpu(tiny_folder: Path) -> None:
    with open_embedder(load_spec(tiny_folder)) as opened:
        assert opened.runtime.placement is Placement.GPU


@pytest.mark.parametrize("vram_mib", [256, None])
def test_offload_of_another_architecture_goes_through_accelerate(
    minilm: LocalEmbedder, vram_mib: int | None
) -> None:
    limit = vram_mib << 20 if vram_mib else None
    wishes = Wishes(Placement.OFFLOAD, Precision.FP32, max_vram_bytes=limit)
    with open_embedder(minilm.spec, wishes) as opened:
        assert str(opened.mode) == "offload:fp32"
        vectors = opened.embed(TEXTS, Kind.DOCUMENT)
    assert np.abs(vectors - minilm.embed(TEXTS, Kind.DOCUMENT)).max() <= 1e-4
