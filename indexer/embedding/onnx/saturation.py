"""Whether this CPU's int8 product is exact over the full range, found out by computing one.

Without VNNI (and on some ARM kernels) two neighbouring products are added in 16 bits and cut off
there, silently. Asking the product itself is surer than a list of CPUs.
"""

from functools import cache

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from indexer.embedding.onnx.linear import FULL_LEVELS, SAFE_LEVELS

_WIDTH = 64


@cache
def activation_levels() -> int:
    """Levels of an activation on each side of zero: 127, or 63 where 127 would saturate."""
    return FULL_LEVELS if _is_exact() else SAFE_LEVELS


def _is_exact() -> bool:
    """255 * 127 summed over pairs and quadruples, as the kernels of the CPU do it."""
    import onnxruntime

    weights = np.full((_WIDTH, _WIDTH), 127, dtype=np.int8)
    states = np.full((_WIDTH, _WIDTH), 255, dtype=np.uint8)
    graph = helper.make_graph(
        [helper.make_node("MatMulInteger", ["states", "weights"], ["sums"])],
        "probe",
        [helper.make_tensor_value_info("states", TensorProto.UINT8, [_WIDTH, _WIDTH])],
        [helper.make_tensor_value_info("sums", TensorProto.INT32, [_WIDTH, _WIDTH])],
        [numpy_helper.from_array(weights, "weights")],
    )
    model: onnx.ModelProto = helper.make_model(
        graph, opset_imports=[helper.make_opsetid("", 21)], ir_version=10
    )
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
    sums = session.run(None, {"states": states})[0]
    return bool((sums == 255 * 127 * _WIDTH).all())
