"""Pinning by a CUDA runtime that is not there: refused memory is counted, pinned memory let go."""

from typing import Any

import pytest
import torch

from indexer.embedding.runtimes.packed.copies import CudaCopies, InstantCopies


class Runtime:
    """The calls of the CUDA runtime that pin memory."""

    def __init__(self, code: int) -> None:
        self.code = code
        self.registered: dict[int, int] = {}

    def cudaHostRegister(self, address: int, size_bytes: int, flags: int) -> int:  # noqa: N802
        assert flags == 0
        if self.code == 0:
            self.registered[address] = size_bytes
        return self.code

    def cudaHostUnregister(self, address: int) -> int:  # noqa: N802
        del self.registered[address]
        return 0


def on(runtime: Runtime, monkeypatch: pytest.MonkeyPatch) -> CudaCopies:
    def stream(device: Any) -> None:
        assert str(device) == "cpu"

    monkeypatch.setattr(torch.cuda, "Stream", stream)
    monkeypatch.setattr(torch.cuda, "cudart", lambda: runtime)
    monkeypatch.setattr(torch.cuda, "synchronize", lambda _: None)
    return CudaCopies("cpu")


def test_weights_are_pinned_where_they_lie_and_let_go(monkeypatch: pytest.MonkeyPatch) -> None:
    runtime = Runtime(code=0)
    copies = on(runtime, monkeypatch)
    weights = torch.zeros(1000, dtype=torch.uint8)
    copies.pin(weights)
    assert runtime.registered == {weights.data_ptr(): 1000}  # not rounded up, not copied
    assert copies.unpinned_bytes == 0
    copies.close()
    copies.close()
    assert runtime.registered == {}


def test_refused_pinning_is_counted_and_not_undone(monkeypatch: pytest.MonkeyPatch) -> None:
    runtime = Runtime(code=2)  # cudaErrorMemoryAllocation
    copies = on(runtime, monkeypatch)
    copies.pin(torch.zeros(1000, dtype=torch.uint8))
    assert copies.unpinned_bytes == 1000
    copies.close()


def test_processor_copies_at_once() -> None:
    copies, target = InstantCopies(), torch.zeros(3, dtype=torch.uint8)
    copies.wait(copies.copy(torch.tensor([1, 2, 3], dtype=torch.uint8), target, copies.mark()))
    assert target.tolist() == [1, 2, 3]
