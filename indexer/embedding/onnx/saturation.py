"""Whether this CPU's int8 product is exact over the full range, found out by computing one.

Without VNNI (and on some ARM kernels) two neighbouring products are added in 16 bits and cut off
there, silently. Asking the product itself is surer than a list of CPUs.
"""

import os
from functools import cache
from pathlib import Path

import numpy as np

from indexer.embedding.onnx.session import Session
from indexer.errors import ModelError

# Two neighbouring products must fit into 16 bits where the CPU adds them there (AVX2's vpmaddubsw
# without VNNI saturates): 2 * 127 * 127 = 32,258 <= 32,767, but 2 * 255 * 127 = 64,770.
FULL_LEVELS = 127
SAFE_LEVELS = 63

_WIDTH = 64
_PROBE_NAME = "probe.onnx"


@cache
def activation_levels(folder: Path) -> int:
    """Levels of an activation on each side of zero: 127, or 63 where 127 would saturate.

    Args:
        folder: where the probe is kept, so that only the first start has to build it.
    """
    return FULL_LEVELS if _is_exact(_open(folder / _PROBE_NAME)) else SAFE_LEVELS


def _open(probe: Path) -> Session:
    if probe.is_file():
        try:
            return Session(probe, threads=1)
        except ModelError:
            pass  # damaged: build it anew
    probe.parent.mkdir(parents=True, exist_ok=True)
    draft = probe.with_suffix(f".{os.getpid()}")
    draft.write_bytes(_build())
    draft.replace(probe)
    return Session(probe, threads=1)


def _is_exact(session: Session) -> bool:
    """255 * 127 summed over pairs and quadruples, as the kernels of the CPU do it."""
    states = np.full((_WIDTH, _WIDTH), 255, dtype=np.uint8)
    return bool((session.run(["sums"], {"states": states})[0] == 255 * 127 * _WIDTH).all())


def _build() -> bytes:
    """One int8 product with all weights at their end."""
    from onnx import TensorProto, helper, numpy_helper

    graph = helper.make_graph(
        [helper.make_node("MatMulInteger", ["states", "weights"], ["sums"])],
        "probe",
        [helper.make_tensor_value_info("states", TensorProto.UINT8, [_WIDTH, _WIDTH])],
        [helper.make_tensor_value_info("sums", TensorProto.INT32, [_WIDTH, _WIDTH])],
        [numpy_helper.from_array(np.full((_WIDTH, _WIDTH), 127, dtype=np.int8), "weights")],
    )
    opsets = [helper.make_opsetid("", 21)]
    model = helper.make_model(graph, opset_imports=opsets, ir_version=10)
    content: bytes = model.SerializeToString()
    return content
