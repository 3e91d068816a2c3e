"""ONNX Runtime behind one typed class: the only place that imports it."""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from indexer.errors import ModelError

_MEMORY = re.compile(r"failed to allocate memory|bad_?alloc|out of memory", re.IGNORECASE)
_TURNING_US = "30"  # without it a query lasts a third longer on an idle machine
_ERRORS_ONLY = 3  # ONNX Runtime's severity of log lines, which go to stderr unasked


class Session:
    """A loaded graph. Threads may share it."""

    def __init__(self, graph: Path, threads: int | None = None) -> None:
        """Load a graph and pack its weights for this CPU.

        Args:
            graph: the .onnx file; its weights lie beside it.
            threads: of this session; None for ONNX Runtime's own choice, the physical cores.

        Raises:
            ModelError: ONNX Runtime does not take the graph.
        """
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.log_severity_level = _ERRORS_ONLY
        options.inter_op_num_threads = 1
        if threads is not None:
            options.intra_op_num_threads = threads
        # Threads that wait turn for a moment, in case the next step comes at once, then they rest,
        # and all do when a run ends. Its own choice is to turn for milliseconds: on shared cores
        # those are taken from whoever has work. A query of 3.7 ms took 11 ms of processor time and
        # takes 6; beside another program it lasted 9.8 ms and lasts 7.6 (all-MiniLM-L6-v2, fp32).
        options.add_session_config_entry("session.intra_op.spin_duration_us", _TURNING_US)
        options.add_session_config_entry("session.force_spinning_stop", "1")
        # It remembers an allocation plan for every new shape: in an index run, for thousands.
        options.enable_mem_pattern = False
        try:
            self._session = onnxruntime.InferenceSession(
                str(graph), options, providers=["CPUExecutionProvider"]
            )
        except Exception as error:  # its classes share no base of their own
            raise ModelError(
                f"{graph}: ONNX Runtime {onnxruntime.__version__} cannot load it "
                f"({_first_line(error)}). Delete the folder to build it anew, or choose the engine "
                "torch."
            ) from error
        self._inputs = frozenset(node.name for node in self._session.get_inputs())
        self._shrink = onnxruntime.RunOptions()
        self._shrink.add_run_config_entry("memory.enable_memory_arena_shrinkage", "cpu:0")

    def run(
        self, outputs: Sequence[str], feeds: Mapping[str, npt.NDArray[Any]], *, shrink: bool = False
    ) -> list[npt.NDArray[np.float32]]:
        """The named outputs.

        Args:
            outputs: names of outputs.
            feeds: inputs by name; those the graph does not have are left out.
            shrink: give the memory of this run back afterwards, for an unusually large one.

        Raises:
            whatever ONNX Runtime raises; `is_out_of_memory` recognises lack of memory.
        """
        known = {name: value for name, value in feeds.items() if name in self._inputs}
        options = self._shrink if shrink else None
        answers: list[npt.NDArray[np.float32]] = self._session.run(list(outputs), known, options)
        return answers


def is_out_of_memory(error: BaseException) -> bool:
    """Whether ONNX Runtime, or Python, had too little memory."""
    return isinstance(error, MemoryError) or _MEMORY.search(str(error)) is not None


def version() -> str:
    """Of ONNX Runtime."""
    from importlib.metadata import version as version_of

    return version_of("onnxruntime")


def _first_line(error: BaseException) -> str:
    return str(error).partition("\n")[0][:300]
