"""The fp32 reference's vectors, made where they disturb least: here, or in a child process.

The reference is transformers in fp32 on the CPU. A process that runs without torch stays without
it, and a machine with too little memory for the reference loses a child instead of the program.
"""

import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import asdict
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np

import indexer
from indexer.embedding.embedder import Embedder
from indexer.embedding.local import LocalEmbedder
from indexer.embedding.proof.faults import Fault, encode_all, faulty_vectors, vectors_of
from indexer.embedding.proof.texts import ProofText, golden_texts, proof_texts
from indexer.embedding.runtimes.base import Runtime
from indexer.embedding.spec import ModelSpec
from indexer.embedding.tokenizer import Tokenizer, load_tokenizer
from indexer.errors import ModelError, PlacementError, SemsearchError
from indexer.modes import Mode, Placement, Precision
from indexer.types import Kind, Pooling, Vectors

# The child gets the parent's module path as arguments: it imports what the parent would.
_BOOT = (
    "import sys; sys.path[:] = sys.argv[1:]; del sys.argv[1:]; "
    "from indexer.embedding.proof.reference import main; main()"
)
_CHILD_TIMEOUT_S = 600.0  # Qwen3 in fp32 on two old cores takes about one minute
REFERENCE_MODE = Mode(Placement.CPU, Precision.FP32)


def is_reference(embedder: Embedder) -> bool:
    """Whether this embedder is the reference itself."""
    from indexer.embedding.runtimes.whole import WholeModel

    return (
        isinstance(embedder, LocalEmbedder)
        and type(embedder.runtime) is WholeModel
        and embedder.mode == REFERENCE_MODE
    )


def golden_vectors(embedder: Embedder) -> Vectors:
    """The reference's vectors of the golden texts: float32, shape (n, hidden_size), unit length.

    Raises:
        PlacementError: the reference cannot run on this machine.
    """
    if is_reference(embedder):
        assert isinstance(embedder, LocalEmbedder)
        texts = golden_texts(embedder.tokenizer)
        return vectors_of(embedder.runtime, encode_all(embedder.tokenizer, texts))
    return _compute(embedder.spec, "golden")["golden"]


def quality_vectors(spec: ModelSpec) -> tuple[Vectors, Vectors]:
    """The reference's vectors of the quality texts: documents and queries, full dimension.

    Raises:
        PlacementError: the reference cannot run on this machine.
    """
    made = _compute(spec, "quality")
    return made["documents"], made["queries"]


def fault_vectors(spec: ModelSpec) -> dict[Fault, list[Vectors]]:
    """What the reference gives with each known fault made; a fault may have several forms.

    Raises:
        PlacementError: the reference cannot run on this machine.
    """
    found: dict[Fault, list[Vectors]] = {}
    for name, vectors in _compute(spec, "faults").items():
        found.setdefault(Fault[name.split("-")[0]], []).append(vectors)
    return found


def _compute(spec: ModelSpec, what: str) -> dict[str, Vectors]:
    if not spec.weights_bytes:
        raise PlacementError(
            f"The weights of {spec.model} are not on this machine, so there is nothing to compare "
            "its vectors with."
        )
    try:
        if "torch" in sys.modules:
            return _TASKS[what](spec)
        return _in_child(spec, what)
    except (ModelError, ImportError, MemoryError, RuntimeError, OSError) as error:
        raise PlacementError(f"the fp32 reference cannot run here ({error}).") from error


def _in_child(spec: ModelSpec, what: str) -> dict[str, Vectors]:
    """The task's answer from a child process.

    Raises:
        RuntimeError: it ended without one.
    """
    request = json.dumps({"what": what, "spec": asdict(spec)}, default=str).encode()
    try:
        done = subprocess.run(
            [sys.executable, "-I", "-S", "-c", _BOOT, *_module_path()],
            input=request,
            capture_output=True,
            timeout=_CHILD_TIMEOUT_S,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise RuntimeError(f"it took more than {_CHILD_TIMEOUT_S:.0f} s") from None
    if done.returncode:
        last = done.stderr.decode(errors="replace").strip().splitlines()[-1:]
        raise RuntimeError(" ".join([f"its process ended with {done.returncode}", *last]))
    with np.load(BytesIO(done.stdout), allow_pickle=False) as arrays:
        return {name: arrays[name] for name in arrays.files}


def _module_path() -> list[str]:
    """Where the parent's modules come from; the current folder only if ours lie there."""
    return [str(Path(indexer.__file__).parents[1]), *filter(None, sys.path)]


def main() -> None:
    """The child: a request on stdin, an .npz on stdout, the reason of a failure on stderr."""
    request = json.loads(sys.stdin.buffer.read())
    try:
        arrays = _TASKS[request["what"]](_spec_from(request["spec"]))
    except (SemsearchError, ImportError, MemoryError) as error:
        sys.exit(str(error) or type(error).__name__)
    answer = BytesIO()
    np.savez(answer, **arrays)  # type: ignore[arg-type]  # its stub takes allow_pickle for a name
    sys.stdout.buffer.write(answer.getvalue())


def _spec_from(values: dict[str, Any]) -> ModelSpec:
    paths = {name: Path(values[name]) for name in ("folder", "transformer_folder")}
    return ModelSpec(**{**values, **paths, "pooling": Pooling(values["pooling"])})


def _open(spec: ModelSpec) -> Runtime:
    from indexer.embedding.runtimes.whole import WholeModel

    return WholeModel(spec)


def _golden(spec: ModelSpec) -> dict[str, Vectors]:
    tokenizer = load_tokenizer(spec)
    return {"golden": _plain(spec, tokenizer, golden_texts(tokenizer))}


def _quality(spec: ModelSpec) -> dict[str, Vectors]:
    tokenizer, texts = load_tokenizer(spec), proof_texts()
    documents = tuple(ProofText(Kind.DOCUMENT, None, text) for text in texts.documents)
    queries = tuple(ProofText(Kind.QUERY, None, text) for text in texts.queries)
    made = _plain(spec, tokenizer, documents + queries)
    return {"documents": made[: len(documents)], "queries": made[len(documents) :]}


def _plain(spec: ModelSpec, tokenizer: Tokenizer, texts: tuple[ProofText, ...]) -> Vectors:
    runtime = _open(spec)
    try:
        return vectors_of(runtime, encode_all(tokenizer, texts))
    finally:
        runtime.close()


def _faults(spec: ModelSpec) -> dict[str, Vectors]:
    made = faulty_vectors(spec, golden_texts(load_tokenizer(spec)), _open)
    return {f"{fault.name}-{number}": vectors for number, (fault, vectors) in enumerate(made)}


_TASKS: dict[str, Callable[[ModelSpec], dict[str, Vectors]]] = {
    "golden": _golden,
    "quality": _quality,
    "faults": _faults,
}
