"""The self-test: a mode's vectors against the reference's, or against what must hold for any.

The likely cause of a failure is named by comparing with vectors that were made wrong on purpose.
"""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from indexer.embedding.embedder import Embedder
from indexer.embedding.models import resolve
from indexer.embedding.pooling import finish
from indexer.embedding.proof.faults import Fault
from indexer.embedding.proof.reference import fault_vectors, is_reference
from indexer.embedding.proof.texts import (
    CARD_DOCUMENTS,
    CARD_QUERIES,
    ProofText,
    embed_each,
    embed_together,
    golden_texts,
)
from indexer.embedding.proof.tolerance import batch_tolerance, tolerance_of
from indexer.errors import PlacementError
from indexer.types import Kind, Vectors

# What the model card of Qwen/Qwen3-Embedding-0.6B prints: queries x documents.
MODEL_CARD = ((0.7646, 0.1414), (0.1355, 0.6000))
_UNIT = 1e-3  # how far a stored vector's length may be from 1
_SAME = 0.99  # a text's own vector, found in another place
_DIFFERENT = 1 - 1e-6  # two texts' vectors this near are the same vector


@dataclass(frozen=True, slots=True)
class Result:
    """What a self-test found."""

    fault: Fault | None  # None: passed
    detail: str  # the numbers
    least: float | None = None  # cosine to the reference, of the worst text; None: no reference
    mean: float | None = None


def published_weights() -> str:
    """`ModelSpec.weights_sha256` of the Qwen3-Embedding-0.6B whose model card is known."""
    file = resolve("qwen3-0.6b").sha256["model.safetensors"]
    return hashlib.sha256(file.encode()).hexdigest()


def self_test(embedder: Embedder, expected: Vectors | None) -> Result:
    """Test an embedder.

    Args:
        embedder: ready to embed.
        expected: the reference's vectors of the golden texts, float32, shape (n, hidden_size), unit
            length; None: only what must hold without them is tested.
    """
    texts = golden_texts(embedder.tokenizer)
    together = embed_together(embedder, texts)
    # The last text is the longest: nothing is padded to it alone or among others, so once will do.
    alone = embed_each(embedder, texts[:-1])
    for vectors, rows in ((together, len(texts)), (alone, len(texts) - 1)):
        broken = _check_form(vectors, (rows, embedder.dimension))
        if broken is not None:
            return broken
    broken = _check_order(alone, together)
    if broken is not None:
        return broken
    vectors = np.concatenate([alone, together[-1:]])
    if expected is None:
        return _check_relations(embedder, texts, vectors, together)
    result = _compare(embedder, vectors, finish(expected, embedder.dimension))
    if result.fault is not None:
        return _with_cause(embedder, vectors, result)
    return _check_batch(embedder, vectors, together) or _check_card(embedder, vectors) or result


def _check_form(vectors: Vectors, shape: tuple[int, int]) -> Result | None:
    if vectors.shape != shape:
        return Result(Fault.DIMENSION, f"shape {vectors.shape}, expected {shape}")
    finite = np.isfinite(vectors).all(axis=1)
    if not finite.all():
        return Result(Fault.NOT_FINITE, f"in {int((~finite).sum())} of {len(vectors)} texts")
    lengths = np.linalg.norm(vectors.astype(np.float64), axis=1)
    if not lengths.all():
        return Result(Fault.ZERO, f"in {int((lengths == 0).sum())} of {len(vectors)} texts")
    if np.abs(lengths - 1).max() > _UNIT:
        return Result(Fault.LENGTH, f"lengths {lengths.min():.4g} to {lengths.max():.4g}")
    return None


def _check_order(alone: Vectors, together: Vectors) -> Result | None:
    """A fault if the vectors of several texts are right ones in wrong places."""
    similar = alone @ together.T
    nearest, places = similar.argmax(axis=1), np.arange(len(alone))
    moved = nearest != places
    if not moved.any() or similar.max(axis=1).min() < _SAME or len(set(nearest)) < len(nearest):
        return None
    return Result(Fault.ORDER, f"{int(moved.sum())} of {len(together)} texts")


def _compare(embedder: Embedder, vectors: Vectors, wanted: Vectors) -> Result:
    tolerance = tolerance_of(embedder.mode.precision)
    cosines = _cosines(vectors, wanted)
    least, mean = float(cosines.min()), float(cosines.mean())
    detail = (
        f"cosine to the fp32 reference {least:.5f} at least and {mean:.5f} on average, "
        f"{tolerance.least:g} and {tolerance.mean:g} are needed"
    )
    passed = least >= tolerance.least and mean >= tolerance.mean
    return Result(None if passed else Fault.UNKNOWN, detail, least, mean)


def _with_cause(embedder: Embedder, vectors: Vectors, result: Result) -> Result:
    """The result with the fault whose deliberately wrong vectors fit best, if one fits."""
    try:
        made = {} if is_reference(embedder) else fault_vectors(embedder.spec)
    except PlacementError:
        made = {}
    least = tolerance_of(embedder.mode.precision).least
    best, cause = least, Fault.UNKNOWN
    for fault, forms in made.items():
        for form in forms:
            cosine = float(_cosines(vectors, finish(form, embedder.dimension)).min())
            if cosine >= best:
                best, cause = cosine, fault
    return replace(result, fault=cause)


def _check_batch(embedder: Embedder, alone: Vectors, together: Vectors) -> Result | None:
    """A fault if a text among others gets another vector than alone."""
    cosines = _cosines(alone, together)
    needed = batch_tolerance(embedder.mode)
    if cosines.min() >= needed:
        return None
    return Result(
        Fault.BATCH,
        f"cosine of a text alone to itself among others {float(cosines.min()):.6f}, "
        f"{needed:g} is needed",
    )


def _check_card(embedder: Embedder, vectors: Vectors) -> Result | None:
    """A fault if the published weights do not give the published similarities."""
    whole = embedder.dimension == embedder.spec.hidden_size
    if embedder.spec.weights_sha256 != published_weights() or not whole:
        return None
    found = vectors[CARD_QUERIES] @ vectors[CARD_DOCUMENTS].T
    error = float(np.abs(found - np.array(MODEL_CARD)).max())
    allowed = tolerance_of(embedder.mode.precision).similarity
    if error <= allowed:
        return None
    shown = ", ".join(f"{value:.4f}" for value in found.ravel())
    card = ", ".join(f"{value:.4f}" for row in MODEL_CARD for value in row)
    return Result(Fault.MODEL_CARD, f"{shown} instead of {card}, {allowed:g} is allowed")


def _check_relations(
    embedder: Embedder, texts: tuple[ProofText, ...], alone: Vectors, together: Vectors
) -> Result:
    """What must hold of any right embedder, for modes whose expected vectors cannot be made."""
    broken = _check_batch(embedder, alone, together) or _check_card(embedder, alone)
    if broken is not None:
        return broken
    similar = alone @ alone.T - np.eye(len(alone))
    if similar.max() > _DIFFERENT:
        one, other = np.unravel_index(similar.argmax(), similar.shape)
        return Result(Fault.CONSTANT, f"texts {one} and {other} have cosine {similar.max():.7f}")
    for fault, row, vector in _without_prompt(embedder, texts):
        cosine = float(alone[row] @ vector)
        if cosine > _DIFFERENT:
            return Result(fault, f"cosine {cosine:.7f} with and without it")
    return Result(None, "no reference: only what must hold for any model was tested")


def _without_prompt(
    embedder: Embedder, texts: tuple[ProofText, ...]
) -> Iterator[tuple[Fault, int, Vectors]]:
    """(fault if it is no other vector, row, vector of that row's text without what is in doubt)."""
    if embedder.spec.query_prompt != embedder.spec.document_prompt:
        row = next(row for row, text in enumerate(texts) if text.kind is Kind.QUERY)
        yield Fault.NO_PROMPT, row, embedder.embed([texts[row].text], Kind.DOCUMENT)[0]
    for row, text in enumerate(texts):
        if text.instruction is not None:
            yield Fault.INSTRUCTION, row, embedder.embed([text.text], text.kind)[0]


def _cosines(a: Vectors, b: Vectors) -> Vectors:
    """Row by row, of unit vectors; in float64, where 0.99999 can be told from 1."""
    cosines: Vectors = np.einsum("ij,ij->i", a, b, dtype=np.float64)
    return cosines
