"""One matrix product as ONNX Runtime computes it, in fp32 and int8, to be timed."""

import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
from onnx import TensorProto, helper, numpy_helper

from indexer.embedding.onnx.session import Session

_IR_VERSION, _OPSET = 10, 21


def products(tokens: int, width: int, outputs: int, threads: int) -> dict[str, Callable[[], None]]:
    """{"fp32", "int8"}: what runs one product of (tokens, width) states with (width, outputs)."""
    draw = np.random.default_rng(0)
    rounded = draw.integers(-127, 128, (width, outputs)).astype(np.int8)
    states = draw.integers(0, 256, (tokens, width)).astype(np.uint8)
    runs = {}
    with tempfile.TemporaryDirectory(prefix="semsearch-products-") as folder:
        for name, operator, left, right, result in (
            ("fp32", "MatMul", np.float32, np.float32, TensorProto.FLOAT),
            ("int8", "MatMulInteger", np.uint8, np.int8, TensorProto.INT32),
        ):
            element = helper.np_dtype_to_tensor_dtype(np.dtype(left))
            graph = helper.make_graph(
                [helper.make_node(operator, ["states", "weights"], ["product"])],
                name,
                [helper.make_tensor_value_info("states", element, [tokens, width])],
                [helper.make_tensor_value_info("product", result, [tokens, outputs])],
                [numpy_helper.from_array(rounded.astype(right), "weights")],
            )
            model = helper.make_model(
                graph, opset_imports=[helper.make_opsetid("", _OPSET)], ir_version=_IR_VERSION
            )
            path = Path(folder) / f"{name}.onnx"
            path.write_bytes(model.SerializeToString())
            runs[name] = _run(Session(path, threads), states.astype(left))
    return runs


def _run(session: Session, states: np.ndarray) -> Callable[[], None]:
    def run() -> None:
        session.run(["product"], {"states": states})

    return run
