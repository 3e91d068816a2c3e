"""Prove a loaded model once per machine: the self-test, remembered as long as nothing changes."""

import time
from collections.abc import Callable
from pathlib import Path

from indexer.embedding.embedder import Embedder
from indexer.embedding.proof.circumstances import circumstances
from indexer.embedding.proof.golden import expected_vectors
from indexer.embedding.proof.records import Records
from indexer.embedding.proof.selftest import Result, self_test
from indexer.errors import PlacementError
from indexer.modes import Placement

Say = Callable[[str], None]  # one line for the person who waits

_ENDPOINT_PASS_S = 24 * 3600.0  # what an endpoint runs may change without our knowing


def prove(embedder: Embedder, folder: Path, say: Say) -> None:
    """Return if the embedder passes its self-test now, or passed it under the same circumstances.

    Args:
        embedder: ready to embed.
        folder: where expected vectors and passes are kept; made if missing.
        say: told before a test that takes seconds.

    Raises:
        PlacementError: it failed; says the likely cause and the numbers.
    """
    passes = Records(folder, "pass")
    key = circumstances(embedder, folder)
    known = passes.get(key)
    remote = embedder.mode.placement is Placement.REMOTE
    if known is not None and not (remote and time.time() - known.made > _ENDPOINT_PASS_S):
        return
    say(
        f"First use of {embedder.spec.model} in mode {embedder.mode} on this machine: "
        "testing it ..."
    )
    result = _run(embedder, folder, say)
    if result.fault is not None:
        raise PlacementError(_refusal(embedder, result))
    passes.put(key, {"detail": result.detail, "least": result.least, "mean": result.mean})


def _run(embedder: Embedder, folder: Path, say: Say) -> Result:
    try:
        expected = expected_vectors(embedder, folder)
    except PlacementError as error:
        say(f"{error} Only what must hold for any model is tested.")
        expected = None
    return self_test(embedder, expected)


def _refusal(embedder: Embedder, result: Result) -> str:
    if embedder.mode.placement is Placement.REMOTE:
        advice = "Check model, pooling and truncation of the endpoint, or run the model here."
    elif str(embedder.mode) == "cpu:fp32":
        advice = "Reinstall torch and onnxruntime, or fetch the model again."
    else:
        advice = "Choose another placement or precision; cpu with fp32 is the reference."
    return (
        f"Mode {embedder.mode} of {embedder.spec.model} ({embedder.engine}) failed its self-test: "
        f"{result.fault} ({result.detail}). Nothing was embedded with it. {advice}"
    )
