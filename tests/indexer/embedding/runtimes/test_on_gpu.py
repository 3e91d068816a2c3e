"""Without a GPU the refusal says so; precisions that no runtime has are named before loading."""

import pytest
import torch

from indexer.embedding.local import LocalEmbedder
from indexer.embedding.opening import open_embedder
from indexer.embedding.qwen3_config import reason_against
from indexer.embedding.runtimes.on_gpu import check_precision
from indexer.embedding.wishes import Wishes
from indexer.errors import PlacementError
from indexer.modes import Mode, Placement, Precision


@pytest.mark.parametrize("placement", [Placement.GPU, Placement.OFFLOAD])
@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_placement_without_a_gpu_says_what_to_do(
    embedder: LocalEmbedder, placement: Placement
) -> None:
    with pytest.raises(PlacementError, match=f"Placement {placement}: torch .* no CUDA device"):
        open_embedder(embedder.spec, Wishes(placement, Precision.BF16))


@pytest.mark.parametrize(
    "mode",
    ["gpu:bf16", "gpu:fp32", "gpu:int8", "gpu:fp8", "gpu:int4", "offload:fp16", "offload:int8"],
)
def test_precision_that_runs_is_let_through(tiny: LocalEmbedder, mode: str) -> None:
    check_precision(tiny.spec, Mode.parse(mode), None)


@pytest.mark.parametrize(
    ("mode", "offered"),
    [
        ("offload:fp8", "Use offload with fp32, bf16, fp16, int8"),
        ("offload:int4", "Use offload with fp32, bf16, fp16, int8"),
    ],
)
def test_precision_that_does_not_run_is_refused_with_those_that_do(
    tiny: LocalEmbedder, mode: str, offered: str
) -> None:
    with pytest.raises(PlacementError, match=f"Mode {mode} is not available.*{offered}"):
        check_precision(tiny.spec, Mode.parse(mode), None)


@pytest.mark.parametrize("mode", ["offload:int8", "gpu:int8", "gpu:fp8", "gpu:int4"])
def test_rounded_weights_are_for_qwen3_only(minilm: LocalEmbedder, mode: str) -> None:
    with pytest.raises(PlacementError, match="its architecture is bert, not qwen3"):
        check_precision(minilm.spec, Mode.parse(mode), reason_against(minilm.spec))
