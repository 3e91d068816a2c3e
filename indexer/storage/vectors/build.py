"""Makes the codes over the rows on disk and measures them; needs neither the catalog nor a model.

Runs beside readers and writers: it reads rows that no longer change, writes a new file, and puts it
in place by replacing one small manifest. Memory is bounded by the training sample and the codes.
"""

import secrets
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from indexer.errors import StoreError
from indexer.storage.lock import WriterLock
from indexer.storage.vectors.certificate import Certificate
from indexer.storage.vectors.choice import (
    RETRAIN_GROWTH,
    CodeSpec,
    choose_codes,
    fresh_limit,
    needs_codes,
)
from indexer.storage.vectors.codes import Codes
from indexer.storage.vectors.index_manifest import IndexManifest
from indexer.storage.vectors.layout import (
    CODES_SUFFIX,
    RowsManifest,
    note_damage,
    remove_other_codes,
)
from indexer.storage.vectors.library import Ids, Mask, import_faiss, threads
from indexer.storage.vectors.mapped import DamagedRowsError, MappedRows
from indexer.storage.vectors.measure import QUERIES, find_truth, measure
from indexer.storage.vectors.prefix import seen
from indexer.storage.vectors.stored import is_whole, open_coded, read_map
from indexer.storage.vectors.wishes import BuildWishes, IndexWishes

LOCK = "lock.index"
SAMPLE_PER_LIST = 40  # rows k-means learns a list from; FAISS asks for 39
DEFAULT_TARGET = 0.99
DRIFT = 0.1  # of the live rows gone since the recall was measured: it is measured again

OnStage = Callable[[str, float], None]  # what is being done, and the share of it that is done


def is_due(folder: Path, wishes: BuildWishes) -> bool:
    """Whether the rows on disk want codes that are not there, other ones, or measuring again."""
    manifest = RowsManifest.read(folder)
    return manifest is not None and _plan(folder, manifest, wishes) is not None


def build(folder: Path, wishes: BuildWishes, on_stage: OnStage) -> Certificate | None:
    """Bring the codes up to date; None when nothing was due, or the rows changed meanwhile.

    What is not wished now is as `keep_wishes` has kept it; this keeps nothing.

    Raises:
        LockedError: another process is building.
        OSError: disk full or not writable; the old codes stay.
        StoreError: the rows on disk are damaged.
    """
    lock = WriterLock(folder / LOCK)
    try:
        manifest = RowsManifest.read(folder)
        if manifest is None:
            return None
        plan = _plan(folder, manifest, wishes)
        if plan is None:
            return None
        named = IndexManifest.read(folder, manifest)
        remove_other_codes(folder, named.codes if named else None)  # a killed build's
        return _Build(folder, manifest, plan, wishes.threads, on_stage).run()
    finally:
        lock.release()


@dataclass(frozen=True, slots=True)
class _Plan:
    target: float
    ram_budget_bytes: int | None
    coded_dimension: int
    spec: CodeSpec
    trained_on: int | None  # live rows when the codes to go on with were learned; None: learn anew


def _plan(folder: Path, manifest: RowsManifest, wishes: BuildWishes) -> _Plan | None:
    """What is to be done; None: nothing."""
    named = IndexManifest.read(folder, manifest)
    wanted = wishes.over(IndexWishes.kept(folder))
    target, budget = wanted.target_recall or DEFAULT_TARGET, wanted.ram_budget_bytes
    live = manifest.count - manifest.dead
    if not (live if wishes.even_if_small else needs_codes(live, manifest.dimension)):
        return None
    coded = wanted.coded_dimension(manifest.dimension)
    spec = choose_codes(live, coded, budget)
    if named is None or not is_whole(folder, named) or _is_outgrown(named, coded, spec, live):
        return _Plan(target, budget, coded, spec, None)
    fresh = manifest.count - named.covered
    has_drifted = live < named.certificate.live * (1 - DRIFT)
    if fresh > fresh_limit(manifest.dimension) or has_drifted or named.target_recall != target:
        return _Plan(target, budget, coded, spec, named.trained_on)
    return None


def _is_outgrown(named: IndexManifest, coded: int, spec: CodeSpec, live: int) -> bool:
    """Whether codes for so many rows would be other ones than those there are."""
    least, most = named.trained_on / RETRAIN_GROWTH, named.trained_on * RETRAIN_GROWTH
    is_other = (named.coded_dimension, named.subquantizers) != (coded, spec.subquantizers)
    return is_other or not least < live < most


class _Build:
    """One build under way."""

    def __init__(
        self,
        folder: Path,
        manifest: RowsManifest,
        plan: _Plan,
        thread_count: int,
        on_stage: OnStage,
    ) -> None:
        self._folder, self._manifest, self._plan = folder, manifest, plan
        self._threads, self._on_stage = thread_count, on_stage
        try:
            row_map = read_map(folder, manifest)
            self._rows = MappedRows(folder, manifest, row_map)
        except (OSError, ValueError, DamagedRowsError) as error:
            raise _damaged(folder, manifest) from error
        self._live: Mask = ~row_map.dead

    def run(self) -> Certificate | None:
        """Learn or go on, code, measure, put in place."""
        try:
            self._rows.check_all()
        except DamagedRowsError as error:
            raise _damaged(self._folder, self._manifest) from error
        held_out, trainable = self._split()
        with threads(self._threads):
            codes = self._start(trainable)
            self._code(codes)
            certificate = self._measure(codes, held_out)
        return certificate if self._publish(codes, certificate) else None

    def _split(self) -> tuple[Ids, Ids]:
        """(queries to measure with, rows to learn from): random, the same for the same build."""
        live = np.flatnonzero(self._live)
        shuffled = np.random.default_rng(len(live)).permutation(live)
        asked = min(QUERIES, len(live) // 4)
        wanted = self._plan.spec.lists * SAMPLE_PER_LIST
        return np.sort(shuffled[:asked]), np.sort(shuffled[asked : asked + wanted])

    def _start(self, trainable: Ids) -> Codes:
        if self._plan.trained_on is not None:
            coded = open_coded(self._folder, self._manifest, growable=True)
            if coded is not None:
                return coded.codes
        self._on_stage("learning lists and codes", 0.0)
        sample = seen(self._rows.rows[trainable], self._plan.coded_dimension)
        return Codes.train(self._plan.spec, sample)

    def _code(self, codes: Codes) -> None:
        """All rows, dead ones too: a code's number is its row's position."""
        total = len(self._live)
        for covered in codes.add(self._rows.rows[codes.covered :]):
            self._on_stage("coding", covered / total)

    def _measure(self, codes: Codes, held_out: Ids) -> Certificate:
        self._on_stage("measuring recall", 0.0)
        truth = find_truth(self._rows, self._live, held_out, self._threads)

        def on_step(done: float) -> None:
            self._on_stage("measuring recall", 0.5 + done / 2)

        on_step(0.0)
        return measure(codes, self._rows, self._live, truth, self._plan.target, on_step)

    def _publish(self, codes: Codes, certificate: Certificate) -> bool:
        """Put the codes in place, unless the rows were written anew meanwhile."""
        plan = self._plan
        name = f"vectors-{self._manifest.build}-{secrets.token_hex(3)}{CODES_SUFFIX}"
        digest = codes.write(self._folder / name)
        newest = RowsManifest.read(self._folder)
        if newest is None or newest.build != self._manifest.build:
            (self._folder / name).unlink(missing_ok=True)
            return False
        trained_on = certificate.live if plan.trained_on is None else plan.trained_on
        IndexManifest(
            build=self._manifest.build,
            codes=name,
            sha256=digest,
            covered=codes.covered,
            coded_dimension=codes.dimension,
            lists=codes.lists,
            subquantizers=plan.spec.subquantizers,
            trained_on=trained_on,
            target_recall=plan.target,
            ram_budget_bytes=plan.ram_budget_bytes,
            certificate=certificate,
            library=f"faiss {import_faiss().__version__}",
        ).write(self._folder)
        remove_other_codes(self._folder, name)
        self._rows.remember_checked()
        return True


def _damaged(folder: Path, manifest: RowsManifest) -> StoreError:
    note_damage(folder, manifest)
    return StoreError(
        f"{folder}: the vectors on disk are damaged; no index was built of them. Run `semsearch "
        "index` again: it writes them anew from the catalog, without the model."
    )
