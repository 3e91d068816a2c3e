"""Copies from RAM to the device beside the computing: streams and events, as few as needed.

The rules that keep the bytes right on a GPU, where a mistake gives silently wrong vectors:
a copy starts only after a mark that says its target is free; work that reads the target is handed
in only after waiting for the copy's mark; and targets live as long as the copies, so the allocator
never hands their memory to others while a copy is under way (diffusers#12673, #12721).
"""

from contextlib import suppress
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    import torch

Mark = Any  # a point in the device's work, made by `copy` or `mark`


class Copies(Protocol):
    """What streaming needs of a device."""

    unpinned_bytes: int  # of what the system refused to pin

    def pin(self, tensor: "torch.Tensor") -> None:
        """Let copies from this tensor in RAM run at full speed, where the system allows it."""

    def copy(self, source: "torch.Tensor", target: "torch.Tensor", after: Mark) -> Mark:
        """Start a copy once `after` is reached, beside the computing. The mark: bytes are there."""

    def wait(self, mark: Mark) -> None:
        """Work handed in from now on starts only when the mark is reached. The host goes on."""

    def mark(self) -> Mark:
        """Reached when all computing handed in so far is done."""

    def finish(self) -> None:
        """Block until all copies and all computing are done."""

    def close(self) -> None:
        """`finish`, then undo `pin`. Tensors that were pinned must live until then."""


class CudaCopies:
    """A side stream of a CUDA device. Computing happens on the stream that is current."""

    def __init__(self, device: str) -> None:
        import torch

        self._device = torch.device(device)
        self._side: Any = torch.cuda.Stream(self._device)  # type: ignore[no-untyped-call]
        self._pinned: list[torch.Tensor] = []
        self.unpinned_bytes = 0  # what the system refused to pin

    def pin(self, tensor: "torch.Tensor") -> None:
        """See `Copies.pin`.

        Registered in place: torch's own pinned memory comes in powers of two, up to twice what
        was asked for (vllm#56410).
        """
        import torch

        cudart: Any = torch.cuda.cudart()  # type: ignore[no-untyped-call]
        code = cudart.cudaHostRegister(tensor.data_ptr(), tensor.nbytes, 0)
        if int(code) == 0:
            self._pinned.append(tensor)
            return
        # A limit on locked memory: copies from pageable memory are slower, never wrong.
        self.unpinned_bytes += tensor.nbytes
        with suppress(RuntimeError):  # the next kernel would be blamed for the refusal
            torch.zeros(1, device=self._device)

    def copy(self, source: "torch.Tensor", target: "torch.Tensor", after: Mark) -> Mark:
        """See `Copies.copy`."""
        import torch

        arrived = torch.cuda.Event()  # type: ignore[no-untyped-call]
        with torch.cuda.stream(self._side):
            self._side.wait_event(after)
            target.copy_(source, non_blocking=True)
            arrived.record(self._side)
        return arrived

    def wait(self, mark: Mark) -> None:
        """See `Copies.wait`."""
        import torch

        torch.cuda.current_stream(self._device).wait_event(mark)

    def mark(self) -> Mark:
        """See `Copies.mark`."""
        import torch

        event = torch.cuda.Event()  # type: ignore[no-untyped-call]
        event.record(torch.cuda.current_stream(self._device))
        return event

    def finish(self) -> None:
        """See `Copies.finish`."""
        import torch

        torch.cuda.synchronize(self._device)

    def close(self) -> None:
        """See `Copies.close`."""
        import torch

        self.finish()
        cudart: Any = torch.cuda.cudart()  # type: ignore[no-untyped-call]
        for tensor in self._pinned:
            cudart.cudaHostUnregister(tensor.data_ptr())
        self._pinned.clear()
        self.unpinned_bytes = 0


class InstantCopies:
    """The device is the processor: copies and computing are done when the call returns."""

    unpinned_bytes = 0

    def pin(self, tensor: "torch.Tensor") -> None:
        """See `Copies.pin`."""

    def copy(self, source: "torch.Tensor", target: "torch.Tensor", after: Mark) -> Mark:
        """See `Copies.copy`."""
        del after
        target.copy_(source)

    def wait(self, mark: Mark) -> None:
        """See `Copies.wait`."""

    def mark(self) -> Mark:
        """See `Copies.mark`."""

    def finish(self) -> None:
        """See `Copies.finish`."""

    def close(self) -> None:
        """See `Copies.close`."""
