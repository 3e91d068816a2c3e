"""A copy of the bundled model for infinity, with an ONNX graph for its faster engine.

    python benchmarks/serving/infinity_model.py FOLDER

infinity writes into the model's folder, and its engine `optimum` wants a graph there. The graph is
a plain export of `torch.onnx` (`cpu/peers.py`), which infinity's server then optimises itself.
"""

import shutil
import sys
import tempfile
from pathlib import Path

import onnx
from machine import ROOT
from servers import model_folder

sys.path.append(str(ROOT / "benchmarks" / "cpu"))

from peers import export  # noqa: E402 - after the path

OUTPUT = "last_hidden_state"  # as optimum names it


def main() -> None:
    folder = Path(sys.argv[1])
    shutil.copytree(model_folder(), folder, dirs_exist_ok=True)
    with tempfile.TemporaryDirectory() as work:
        graph = onnx.load(export(folder, Path(work)))
    (output,) = graph.graph.output
    for node in graph.graph.node:
        node.output[:] = [OUTPUT if name == output.name else name for name in node.output]
    output.name = OUTPUT
    onnx.checker.check_model(graph)
    onnx.save(graph, folder / "model.onnx")


if __name__ == "__main__":
    main()
