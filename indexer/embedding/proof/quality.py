"""Whether a quantised mode is good enough: many short texts against the fp32 reference."""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from indexer.embedding.embedder import Embedder
from indexer.embedding.pooling import finish
from indexer.embedding.proof.circumstances import circumstances, surroundings
from indexer.embedding.proof.golden import golden_key, load_vectors, save_vectors
from indexer.embedding.proof.records import Record, Records
from indexer.embedding.proof.reference import quality_vectors
from indexer.embedding.proof.texts import proof_texts
from indexer.embedding.spec import ModelSpec
from indexer.errors import PlacementError, UsageError
from indexer.modes import QUANTISED, Mode, Placement
from indexer.types import Kind, Vectors

# docs/decisions/0010-modes-prove-themselves.md says why these, and what was measured.
LEAST_MEAN, LEAST_COSINE, LEAST_OVERLAP = 0.995, 0.98, 0.85
_DEPTH = 10


@dataclass(frozen=True, slots=True)
class Quality:
    """How near a mode comes to the reference over the quality texts."""

    mean: float  # cosine
    least: float
    overlap: float  # share of each query's ten best documents that both find

    @property
    def passed(self) -> bool:
        """Whether the mode may stand in for fp32."""
        return (
            self.mean >= LEAST_MEAN and self.least >= LEAST_COSINE and self.overlap >= LEAST_OVERLAP
        )

    def __str__(self) -> str:
        return (
            f"cosine to fp32 {self.mean:.4f} on average ({LEAST_MEAN:g} needed) and "
            f"{self.least:.4f} at least ({LEAST_COSINE:g}), overlap of the {_DEPTH} best "
            f"{self.overlap:.2f} ({LEAST_OVERLAP:g})"
        )


def check_quality(embedder: Embedder, folder: Path, say: Callable[[str], None]) -> Quality:
    """How good a mode is on this machine: measured once, then remembered.

    Args:
        embedder: of a quantised mode, its self-test passed.
        folder: where results and the reference's vectors are kept.
        say: told before a measurement.

    Raises:
        PlacementError: the reference's vectors are not known and it cannot run on this machine.
    """
    records = Records(folder, "quality")
    key = circumstances(embedder, folder)
    known = _remembered(records.get(key))
    if known is not None:
        return known
    say(f"Measuring the quality of {embedder.mode} against fp32 (once on this machine) ...")
    found = _measure(embedder, *_reference(embedder.spec, folder))
    records.put(key, asdict(found))
    return found


def checked_modes(spec: ModelSpec, folder: Path) -> frozenset[Mode]:
    """Quantised modes of this model that passed on this machine, with the software of now."""
    records = list(Records(folder, "quality").all())
    if not records:  # as on most machines: say so without looking at the processor
        return frozenset()
    here = surroundings(spec, folder)
    found = set()
    for record in records:
        same = all(record.key.get(name) == value for name, value in here.items())
        quality = _remembered(record)
        if same and quality is not None and quality.passed:
            with suppress(UsageError):  # a file from elsewhere
                found.add(Mode.parse(str(record.key.get("mode"))))
    return frozenset(found)


def is_good_enough(embedder: Embedder, folder: Path, say: Callable[[str], None]) -> bool:
    """Whether a mode may be used: any that is not quantised, and a quantised one that passes.

    Where no reference can run the mode is used all the same, and `say` is told: on a machine too
    small for fp32 there is nothing else. Of an endpoint only the self-test is asked.
    """
    mode = embedder.mode
    if mode.precision not in QUANTISED or mode.placement is Placement.REMOTE:
        return True
    try:
        quality = check_quality(embedder, folder, say)
    except PlacementError as error:
        say(f"{error} The quality of {mode} stays unknown.")
        return True
    if not quality.passed:
        say(f"{mode} is not good enough with {embedder.spec.model}: {quality}.")
    return quality.passed


def _remembered(record: Record | None) -> Quality | None:
    """The result in a record, None without one or if it is damaged."""
    if record is None:
        return None
    try:
        return Quality(*(float(record.values[name]) for name in ("mean", "least", "overlap")))
    except (KeyError, TypeError, ValueError):
        return None


def _measure(embedder: Embedder, documents: Vectors, queries: Vectors) -> Quality:
    texts, dimension = proof_texts(), embedder.dimension
    wanted = finish(documents, dimension), finish(queries, dimension)
    made = (
        embedder.embed(texts.documents, Kind.DOCUMENT),
        embedder.embed(texts.queries, Kind.QUERY),
    )
    pairs = zip(wanted, made, strict=True)
    cosines = np.concatenate([np.einsum("ij,ij->i", a, b, dtype=np.float64) for a, b in pairs])
    before, after = _best(wanted[1], wanted[0]), _best(made[1], made[0])
    shared = [len(a & b) / _DEPTH for a, b in zip(before, after, strict=True)]
    return Quality(float(cosines.mean()), float(cosines.min()), float(np.mean(shared)))


def _best(queries: Vectors, documents: Vectors) -> list[set[int]]:
    """The places of each query's nearest documents."""
    order = np.argsort(-(queries @ documents.T), axis=1, kind="stable")[:, :_DEPTH]
    return [set(row) for row in order.tolist()]


def _reference(spec: ModelSpec, folder: Path) -> tuple[Vectors, Vectors]:
    """(documents, queries) by the reference, from the folder or made now and kept there."""
    texts = proof_texts()
    count = len(texts.documents)
    path = folder / f"quality-{golden_key(spec, folder)}.bin"
    known = load_vectors(path, (count + len(texts.queries), spec.hidden_size))
    if known is None:
        known = np.concatenate(quality_vectors(spec))
        save_vectors(path, known)
    return known[:count], known[count:]
