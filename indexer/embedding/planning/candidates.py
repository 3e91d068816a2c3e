"""Every mode there is, with the engine that runs it: the rows of `semsearch plan`."""

from dataclasses import dataclass

from indexer.embedding.runtimes.base import default_batch_tokens
from indexer.embedding.wishes import Engine
from indexer.modes import QUANTISED, Mode, Placement, Precision

# Tokens in the largest usual pass of the ONNX engine: its batches are smaller, but a chunk of the
# default size goes through alone.
ONNX_BATCH_TOKENS = 512


@dataclass(frozen=True, slots=True)
class Candidate:
    """A mode and its engine; `engine` is None where another machine runs the model."""

    mode: Mode
    engine: Engine | None

    @property
    def placement(self) -> Placement:
        """Where the model runs."""
        return self.mode.placement

    @property
    def precision(self) -> Precision:
        """Number format of the weights."""
        return self.mode.precision

    @property
    def label(self) -> str:
        """The mode; on the CPU, where there is a choice, with its engine: "cpu:fp32/onnx"."""
        if self.placement is Placement.REMOTE:
            return str(self.placement)  # in what precision, only the server knows
        on_cpu = self.placement is Placement.CPU
        return f"{self.mode}/{self.engine}" if on_cpu else str(self.mode)

    @property
    def value_bytes(self) -> float:
        """Bytes of one weight, scales of quantised ones included."""
        sizes = {Precision.FP32: 4.0, Precision.INT8: 1.01, Precision.FP8: 1.01}
        sizes |= {Precision.INT4: 0.565}  # a scale of two bytes for each group of 32
        return sizes.get(self.precision, 2.0)

    @property
    def table_value_bytes(self) -> float:
        """Bytes of one value of a table that lies where the model computes."""
        return 1.01 if self.needs_check else self.value_bytes  # rounded tables are in int8

    @property
    def batch_tokens(self) -> int:
        """Tokens in one forward pass where nobody asked for a number."""
        if self.engine is Engine.ONNX:
            return ONNX_BATCH_TOKENS
        return default_batch_tokens(self.placement)

    @property
    def needs_check(self) -> bool:
        """Whether its vectors must pass a quality check before it is taken unasked."""
        return self.precision in QUANTISED


def _rows() -> tuple[Candidate, ...]:
    gpu, offload, cpu = Placement.GPU, Placement.OFFLOAD, Placement.CPU
    onnx, torch = Engine.ONNX, Engine.TORCH
    return (
        Candidate(Mode(gpu, Precision.BF16), torch),
        Candidate(Mode(gpu, Precision.FP16), torch),
        Candidate(Mode(gpu, Precision.FP32), torch),
        Candidate(Mode(gpu, Precision.INT8), torch),
        Candidate(Mode(gpu, Precision.FP8), torch),
        Candidate(Mode(gpu, Precision.INT4), torch),
        Candidate(Mode(offload, Precision.BF16), torch),
        Candidate(Mode(offload, Precision.FP16), torch),
        Candidate(Mode(offload, Precision.FP32), torch),
        Candidate(Mode(offload, Precision.INT8), torch),
        Candidate(Mode(cpu, Precision.INT8), onnx),
        Candidate(Mode(cpu, Precision.FP32), onnx),
        Candidate(Mode(cpu, Precision.FP32), torch),
        Candidate(Mode(cpu, Precision.BF16), torch),
        Candidate(Mode(Placement.REMOTE, Precision.FP32), None),  # the server's own, in truth
    )


MODES = _rows()
