"""Offload with modules on disk keeps the contract: same vectors, little memory, nothing left."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from indexer.embedding import opening
from indexer.embedding.local import LocalEmbedder
from indexer.embedding.planning import choose
from indexer.embedding.planning.published import PUBLISHED
from indexer.embedding.runtimes import on_gpu
from indexer.embedding.runtimes.base import DiskRoom
from indexer.embedding.runtimes.from_disk import DiskModel, module_places
from indexer.embedding.spec import load_spec
from indexer.embedding.wishes import Wishes
from indexer.errors import ModelError, PlacementError
from indexer.modes import Mode, Placement, Precision
from indexer.types import Kind

MIB = 1 << 20
TEXTS = ["", "a", "the model of the document", "向量检索 " * 20, "index " * 150]
OFFLOAD_FP32 = Mode(Placement.OFFLOAD, Precision.FP32)


def held_bytes(runtime: DiskModel) -> int:
    """What of the weights is in memory between two calls."""
    return sum(weight.nbytes for weight in runtime._model.parameters() if not weight.is_meta)


@pytest.mark.parametrize("ram_mib", [0, 60])
@pytest.mark.parametrize("precision", [Precision.FP32, Precision.BF16])
def test_vectors_are_those_of_the_whole_model(
    minilm: LocalEmbedder, tmp_path: Path, ram_mib: int, precision: Precision
) -> None:
    ram_bytes = ram_mib * MIB if precision is Precision.FP32 else ram_mib * MIB // 2
    runtime = DiskModel(minilm.spec, "cpu", precision, DiskRoom(ram_bytes, tmp_path))
    assert str(runtime.mode) == f"offload:{precision}"
    embedder = LocalEmbedder(minilm.spec, minilm.tokenizer, runtime)
    for kind in Kind:
        found, expected = embedder.embed(TEXTS, kind), minilm.embed(TEXTS, kind)
        if precision is Precision.FP32:
            assert np.abs(found - expected).max() <= 1e-6
        cosines = np.einsum("ij,ij->i", found, expected, dtype=np.float64)
        assert cosines.min() >= 0.999
    # Only the first module may be more than there is room for.
    table = 31_036 * 384 * (4 if precision is Precision.FP32 else 2)
    assert held_bytes(runtime) <= max(ram_bytes, 1.01 * table)
    assert any(weight.is_meta for weight in runtime._model.parameters())
    embedder.close()
    assert list(tmp_path.iterdir()) == []


def test_modules_fill_the_device_then_ram_then_the_disk(minilm: LocalEmbedder) -> None:
    """Only the map: the device itself is not needed to draw it."""
    places = module_places(minilm.spec, Precision.FP32, {0: 60 * MIB, "cpu": 20 * MIB})
    order = list(dict.fromkeys(places.values()))
    assert order == [0, "cpu", "disk"]
    assert places["embeddings"] == 0  # 46 MiB
    half = module_places(minilm.spec, Precision.BF16, {0: 60 * MIB, "cpu": 10 * MIB})
    assert "disk" not in half.values()


def test_text_that_overflows_is_repeated_within_the_same_room(
    minilm: LocalEmbedder, tmp_path: Path
) -> None:
    """A second copy in RAM would not fit where the first did not."""
    runtime = DiskModel(minilm.spec, "cpu", Precision.FP16, DiskRoom(60 * MIB, tmp_path))
    batch = [[101, 2000, 102]]
    again = runtime.forward_fp32(batch)
    assert again is not None
    assert np.abs(again - minilm.runtime.embed_tokens(batch)).max() <= 1e-5
    exact = runtime._exact
    assert isinstance(exact, DiskModel)
    assert held_bytes(exact) <= 60 * MIB
    runtime.close()
    assert list(tmp_path.iterdir()) == []


def test_out_of_memory_halves_the_batch(
    minilm: LocalEmbedder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    runtime = DiskModel(minilm.spec, "cpu", Precision.FP32, DiskRoom(60 * MIB, tmp_path))
    batch = [[101, 2000 + i, 102] for i in range(8)]
    expected = runtime.embed_tokens(batch)
    forward = DiskModel.forward

    def cramped(self: DiskModel, some: Any) -> Any:
        if len(some) > 2:
            raise MemoryError
        return forward(self, some)

    monkeypatch.setattr(DiskModel, "forward", cramped)
    assert np.abs(runtime.embed_tokens(batch) - expected).max() <= 1e-5 * np.abs(expected).max()
    runtime.close()


def test_folder_that_cannot_be_made_is_named(minilm: LocalEmbedder, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    room = DiskRoom(0, tmp_path / "file" / "below")
    with pytest.raises(PlacementError, match=r"file/below: no folder for offloaded weights"):
        DiskModel(minilm.spec, "cpu", Precision.FP32, room)


def test_unknown_architecture_is_named_and_leaves_nothing(
    changed: Callable[..., Path], tmp_path: Path
) -> None:
    from make_tiny_qwen3 import CONFIG

    spec = load_spec(changed({"config.json": CONFIG | {"model_type": "nonesuch"}}))
    room = DiskRoom(0, tmp_path / "room")
    with pytest.raises(ModelError, match="does not know the architecture 'nonesuch'"):
        DiskModel(spec, "cpu", Precision.FP32, room)
    assert list(room.folder.iterdir()) == []


def test_room_for_weights_is_what_the_program_leaves_of_the_wish() -> None:
    """The program with CUDA takes 1.55 GiB, the table on its way 46 MiB, all weights 87."""
    minilm = PUBLISHED["minilm"]
    assert choose.ram_for_weights(minilm, OFFLOAD_FP32, Wishes(max_ram_bytes=4 << 30)) is None
    found = choose.ram_for_weights(minilm, OFFLOAD_FP32, Wishes(max_ram_bytes=1640 * MIB))
    assert found is not None
    assert 0 < found < 20 * MIB


def test_our_own_streaming_keeps_its_layers_in_ram() -> None:
    wishes = Wishes(max_ram_bytes=1 << 30)
    assert choose.ram_for_weights(PUBLISHED["qwen3-0.6b"], OFFLOAD_FP32, wishes) is None


@pytest.mark.parametrize("ram", [None, 7 * MIB])
def test_opening_hands_the_room_to_the_runtime(
    minilm: LocalEmbedder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, ram: int | None
) -> None:
    given: list[Any] = []

    def opened(*arguments: Any) -> Any:
        given.append(arguments[-1])
        return minilm.runtime

    monkeypatch.setattr(opening, "ram_for_weights", lambda *_: ram)
    monkeypatch.setattr(on_gpu, "open_on_gpu", opened)
    opening.open_embedder(
        minilm.spec, Wishes(Placement.OFFLOAD, Precision.FP32), cache_folder=tmp_path
    )
    assert given == [None if ram is None else DiskRoom(ram, tmp_path)]
