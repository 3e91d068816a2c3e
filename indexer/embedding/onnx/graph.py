"""An ONNX graph under construction; large constants go straight into one file beside it.

The graph file stays small (protobuf ends at 2 GB, a model in fp32 does not) and the weights can be
memory-mapped.
"""

from collections.abc import Callable, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO, Self

import numpy as np
import numpy.typing as npt
import onnx
from onnx import TensorProto, helper, numpy_helper

from indexer.embedding.onnx.files import GRAPH_NAME, WEIGHTS_NAME

CONTRIB = "com.microsoft"  # ONNX Runtime's own operators

_OPSET = 23  # has Attention
_IR_VERSION = 11
_PAGE_BYTES = 4096  # external tensors on page borders can be mapped
_INLINE_BYTES = 1024


class Graph:
    """Nodes and constants in the order they were added; a value is named by a string."""

    def __init__(self, folder: Path, on_bytes: Callable[[int], None] | None = None) -> None:
        """Start a graph in an empty folder; `on_bytes` hears how much weight is written so far."""
        self._folder = folder
        self._on_bytes = on_bytes
        self._nodes: list[onnx.NodeProto] = []
        self._constants: list[onnx.TensorProto] = []
        self._inputs: list[onnx.ValueInfoProto] = []
        self._outputs: list[onnx.ValueInfoProto] = []
        self._known: dict[bytes, str] = {}  # small constants, to keep one of each
        self._weights: BinaryIO = (folder / WEIGHTS_NAME).open("wb")
        self._offset = 0
        self._count = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._weights.close()

    def input(self, name: str, kind: npt.DTypeLike, shape: Sequence[int | str]) -> str:
        """An input; a string in the shape names an axis of any length."""
        element = helper.np_dtype_to_tensor_dtype(np.dtype(kind))
        self._inputs.append(helper.make_tensor_value_info(name, element, list(shape)))
        return name

    def output(self, value: str, name: str, shape: Sequence[int | str]) -> None:
        """Give a value out under a name."""
        self._nodes.append(helper.make_node("Identity", [value], [name]))
        self._outputs.append(helper.make_tensor_value_info(name, TensorProto.FLOAT, list(shape)))

    def add(self, operator: str, *inputs: str, domain: str = "", **attributes: Any) -> str:
        """A node with one output. An empty string stands for an input left out."""
        return self.add_many(operator, [True], *inputs, domain=domain, **attributes)[0]

    def add_many(
        self,
        operator: str,
        wanted: Sequence[bool],
        *inputs: str,
        domain: str = "",
        **attributes: Any,
    ) -> list[str]:
        """A node with several outputs, some of them left out; the wanted ones, in order."""
        self._count += 1
        name = f"{operator}_{self._count}"
        outputs = [f"{name}_{i}" if want else "" for i, want in enumerate(wanted)]
        self._nodes.append(
            helper.make_node(
                operator, list(inputs), outputs, name=name, domain=domain, **attributes
            )
        )
        return [output for output in outputs if output]

    def choose(
        self, condition: str, then: Callable[[], list[str]], otherwise: Callable[[], list[str]]
    ) -> list[str]:
        """The values of one of two branches, decided when the graph runs.

        Args:
            condition: a boolean scalar.
            then: adds the nodes of a branch and returns its float32 values.
            otherwise: the same for the other branch, as many values.
        """
        branches = [self._branch(build) for build in (then, otherwise)]
        self._count += 1
        name = f"If_{self._count}"
        outputs = [f"{name}_{i}" for i in range(len(branches[0].output))]
        node = helper.make_node(
            "If", [condition], outputs, name=name, then_branch=branches[0], else_branch=branches[1]
        )
        self._nodes.append(node)
        return outputs

    def _branch(self, build: Callable[[], list[str]]) -> onnx.GraphProto:
        outside, self._nodes = self._nodes, []
        try:
            values = build()
            outputs = [
                helper.make_tensor_value_info(value, TensorProto.FLOAT, None) for value in values
            ]
            self._count += 1
            return helper.make_graph(self._nodes, f"branch_{self._count}", [], outputs)
        finally:
            self._nodes = outside

    def constant(self, values: npt.NDArray[Any]) -> str:
        """A constant; a large one is written to the weights file at once and not kept."""
        values = np.ascontiguousarray(values)
        if values.nbytes < _INLINE_BYTES:
            return self._small(values)
        self._count += 1
        name = f"weights_{self._count}"
        self._pad()
        tensor = TensorProto(
            name=name,
            data_type=helper.np_dtype_to_tensor_dtype(values.dtype),
            dims=values.shape,
            data_location=TensorProto.EXTERNAL,
        )
        place = {"location": WEIGHTS_NAME, "offset": self._offset, "length": values.nbytes}
        for key, value in place.items():
            entry = tensor.external_data.add()
            entry.key, entry.value = key, str(value)
        self._weights.write(values.data)
        self._offset += values.nbytes
        if self._on_bytes is not None:
            self._on_bytes(self._offset)
        self._constants.append(tensor)
        return name

    def integers(self, *values: int) -> str:
        """A constant list of int64, as shapes and axes are given."""
        return self.constant(np.array(values, dtype=np.int64))

    def save(self) -> None:
        """Write the graph file; the weights are already there."""
        graph = helper.make_graph(
            self._nodes, "encoder", self._inputs, self._outputs, self._constants
        )
        model = helper.make_model(
            graph,
            opset_imports=[helper.make_opsetid("", _OPSET), helper.make_opsetid(CONTRIB, 1)],
            ir_version=_IR_VERSION,
        )
        self._weights.flush()
        (self._folder / GRAPH_NAME).write_bytes(model.SerializeToString())

    def _small(self, values: npt.NDArray[Any]) -> str:
        key = f"{values.dtype}{values.shape}".encode() + values.tobytes()
        if key not in self._known:
            self._count += 1
            self._known[key] = f"constant_{self._count}"
            self._constants.append(numpy_helper.from_array(values, self._known[key]))
        return self._known[key]

    def _pad(self) -> None:
        gap = -self._offset % _PAGE_BYTES
        self._weights.write(bytes(gap))
        self._offset += gap
