"""How fast this machine multiplies matrices at best: what no runtime can beat."""

import time
from collections.abc import Callable
from typing import Any

import numpy as np

# A layer of Qwen3-Embedding-0.6B on a batch of 512 tokens: gate or up projection.
M, K, N = 512, 1024, 3072
OPS = 2.0 * M * K * N


def peaks(threads: int) -> dict[str, dict[str, float]]:
    """{"fp32": {backend: operations/s}, "int8": {...}}; the best of 8 products each."""
    products: dict[str, dict[str, Callable[[], object]]] = {
        "fp32": {"torch.mm": _torch(threads), "numpy": _numpy(), "ort MatMul": _ort_fp32(threads)},
        "int8": {
            "ort MatMulInteger": _ort_int8(threads, scaled=False),
            "ort MatMulIntegerToFloat": _ort_int8(threads, scaled=True),
        },
    }
    return {
        kind: {name: _rate(product) for name, product in backends.items()}
        for kind, backends in products.items()
    }


def _rate(product: Callable[[], object]) -> float:
    product()
    best = float("inf")
    for _ in range(8):
        started = time.perf_counter()
        product()
        best = min(best, time.perf_counter() - started)
    return OPS / best


def _torch(threads: int) -> Callable[[], object]:
    import torch

    torch.set_num_threads(threads)
    left, right = torch.ones(M, K), torch.ones(K, N)
    return lambda: torch.mm(left, right)


def _numpy() -> Callable[[], object]:
    left, right = np.ones((M, K), np.float32), np.ones((K, N), np.float32)
    return lambda: left @ right


def _ort_fp32(threads: int) -> Callable[[], object]:
    from onnx import TensorProto, helper, numpy_helper

    weight = numpy_helper.from_array(np.ones((K, N), np.float32), "w")
    node = helper.make_node("MatMul", ["x", "w"], ["y"])
    source = helper.make_tensor_value_info("x", TensorProto.FLOAT, [M, K])
    target = helper.make_tensor_value_info("y", TensorProto.FLOAT, [M, N])
    session = _session(helper.make_graph([node], "g", [source], [target], [weight]), threads)
    left = np.ones((M, K), np.float32)
    return lambda: session.run(None, {"x": left})


def _ort_int8(threads: int, *, scaled: bool) -> Callable[[], object]:
    """uint8 states x int8 weights; scaled: with the float output that a layer needs."""
    from onnx import TensorProto, helper, numpy_helper

    draw = np.random.default_rng(0)
    # Seven bits, as on CPUs whose instructions saturate otherwise: the speed is the same.
    weights = draw.integers(-64, 64, (K, N), dtype=np.int8)
    constants = [numpy_helper.from_array(weights, "w")]
    zeros = [
        numpy_helper.from_array(np.array(128, np.uint8), "xz"),
        numpy_helper.from_array(np.zeros(N, np.int8), "wz"),
    ]
    source = helper.make_tensor_value_info("x", TensorProto.UINT8, [M, K])
    if scaled:
        constants += [
            numpy_helper.from_array(np.array(1, np.float32), "xs"),
            numpy_helper.from_array(np.full(N, 0.01, np.float32), "ws"),
        ]
        names = ["x", "w", "xs", "ws", "xz", "wz"]
        node = helper.make_node("MatMulIntegerToFloat", names, ["y"], domain="com.microsoft")
    else:
        node = helper.make_node("MatMulInteger", ["x", "w", "xz", "wz"], ["y"])
    kind = TensorProto.FLOAT if scaled else TensorProto.INT32
    target = helper.make_tensor_value_info("y", kind, [M, N])
    graph = helper.make_graph([node], "g", [source], [target], [*constants, *zeros])
    session = _session(graph, threads)
    left = draw.integers(0, 256, (M, K), dtype=np.uint8)
    return lambda: session.run(None, {"x": left})


def _session(graph: Any, threads: int) -> Any:
    import onnxruntime
    from onnx import helper

    opsets = [helper.make_opsetid("", 20), helper.make_opsetid("com.microsoft", 1)]
    model = helper.make_model(graph, opset_imports=opsets, ir_version=9)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    return onnxruntime.InferenceSession(
        model.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
