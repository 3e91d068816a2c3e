"""Runs side by side: what changed in quality, and whether chance explains it."""

from collections.abc import Mapping

from pydantic import BaseModel, ConfigDict

from app.evaluation.page.facts import hardware_line
from app.evaluation.page.recommendation import SIGNIFICANT
from app.evaluation.page.wording import probability
from app.evaluation.quality.metrics import PRIMARY
from app.evaluation.results import Cell, Estimate, Measure, Results, Times
from app.evaluation.statistics import paired_p
from indexer.errors import UsageError


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True)


class Compared(_Frozen):
    """A measure in one run, against the first run that has the cell."""

    mean: float
    difference: float | None = None  # None: this is the first run
    p: float | None = None  # two-sided, by paired randomisation over queries

    @property
    def is_drop(self) -> bool:
        """Whether it is lower than chance explains."""
        if self.difference is None or self.p is None:
            return False
        return self.difference < 0 and self.p < SIGNIFICANT


class CellInRun(_Frozen):
    """What one run found of a cell."""

    run: str
    quality: dict[str, dict[str, Compared]]  # way -> measure
    search_p50_ms: Estimate | None  # one client
    is_reference: bool  # of its run
    ratio: Estimate | None  # of the time to that of the reference of the same run
    peak_ram_bytes: int
    peak_vram_bytes: int | None


class ComparedCell(_Frozen):
    """One cell in all runs that have it, at least two."""

    label: str
    runs: tuple[CellInRun, ...]


class Comparison(_Frozen):
    """What several runs found of the same data."""

    runs: tuple[str, ...]
    data: str
    notes: tuple[str, ...]  # what a reader should know before comparing
    cells: tuple[ComparedCell, ...]

    @property
    def drops(self) -> list[str]:
        """Where the main measure is lower than chance explains."""
        return [
            f"{one.run}: {way} {PRIMARY} of {cell.label} dropped by "
            f"{-(found.difference or 0):.3f}, more than chance explains "
            f"({probability(found.p or 0)})"
            for cell in self.cells
            for one in cell.runs
            for way, measures in one.quality.items()
            for name, found in measures.items()
            if name == PRIMARY and found.is_drop
        ]


def compare(runs: Mapping[str, Results]) -> Comparison:
    """Each cell that at least two of the named runs have.

    Raises:
        UsageError: other data, other queries, or no cell in common.
    """
    _check_same_data(runs)
    labels = dict.fromkeys(cell.label for results in runs.values() for cell in results.cells)
    cells, alone = [], []
    for label in labels:
        of_label = {
            name: cell
            for name, results in runs.items()
            for cell in results.cells
            if cell.label == label
        }
        if len(of_label) > 1:
            cells.append(_compared(label, of_label, runs))
        else:
            alone.append(f"{label} ({next(iter(of_label))})")
    if not cells:
        raise UsageError(
            f"No cell is in more than one of these files; they have: {'; '.join(alone)}. Measure "
            "the same model, dimension, mode and index in both."
        )
    notes = _notes(runs) + ([f"In one run only: {'; '.join(alone)}."] if alone else [])
    data = next(iter(runs.values())).data.name
    return Comparison(runs=tuple(runs), data=data, notes=tuple(notes), cells=tuple(cells))


def _check_same_data(runs: Mapping[str, Results]) -> None:
    (first, one), *others = runs.items()
    for name, other in others:
        if one.data.checksums != other.data.checksums:
            raise UsageError(
                f"{first} and {name} searched other data, so their figures cannot be compared: "
                f"{_difference(one.data.checksums, other.data.checksums)}. Evaluate the same "
                "data twice."
            )
        if one.data.whole_documents != other.data.whole_documents:
            raise UsageError(
                f"Of {first} and {name} one searched whole documents and the other chunks, so they "
                "cannot be compared. Evaluate both alike."
            )
        if one.data.query_ids != other.data.query_ids:
            raise UsageError(
                f"{first} and {name} judged other queries, or in another order "
                f"({len(one.data.query_ids)} and {len(other.data.query_ids)}), so they cannot be "
                "paired. Evaluate the same data twice."
            )


def _difference(ours: Mapping[str, str], theirs: Mapping[str, str]) -> str:
    """Each file whose checksum is not the same, with both."""
    return "; ".join(
        f"{file} {ours.get(file, 'missing')} and {theirs.get(file, 'missing')}"
        for file in dict.fromkeys([*ours, *theirs])
        if ours.get(file) != theirs.get(file)
    )


def _compared(label: str, cells: Mapping[str, Cell], runs: Mapping[str, Results]) -> ComparedCell:
    first = next(iter(cells.values()))
    found = [
        CellInRun(
            run=name,
            quality={
                way: {
                    measure: _measure(
                        values, first.quality.get(way, {}).get(measure), cell is first
                    )
                    for measure, values in measures.items()
                }
                for way, measures in cell.quality.items()
            },
            search_p50_ms=None if (times := _times(cell)) is None else times.p50,
            is_reference=label == runs[name].reference,
            ratio=None if times is None else times.ratio,
            peak_ram_bytes=cell.peak_ram_bytes,
            peak_vram_bytes=cell.peak_vram_bytes,
        )
        for name, cell in cells.items()
    ]
    return ComparedCell(label=label, runs=tuple(found))


def _times(cell: Cell) -> Times | None:
    return None if cell.speed is None else cell.speed.search_ms.get(1)


def _measure(ours: Measure, theirs: Measure | None, is_first: bool) -> Compared:
    mean = ours.mean.value
    if is_first or theirs is None:
        return Compared(mean=mean)
    if len(ours.per_query) != len(theirs.per_query):
        return Compared(mean=mean, difference=mean - theirs.mean.value)
    p = paired_p(ours.per_query, theirs.per_query)
    return Compared(mean=mean, difference=mean - theirs.mean.value, p=p)


def _notes(runs: Mapping[str, Results]) -> list[str]:
    """Differences of the runs that are no differences of the program."""
    notes = []
    machines = {name: hardware_line(results) for name, results in runs.items()}
    if len(set(machines.values())) > 1:
        told = "; ".join(f"{name}: {line}" for name, line in machines.items())
        notes.append(
            "The hardware differs, so absolute times and memory cannot be compared; the ratio to "
            f"each run's own reference can, with care. {told}."
        )
    elif len({results.started[:10] for results in runs.values()}) > 1:
        notes.append(
            "Measured on different days: absolute times of two days differ by more than their "
            "intervals say. Compare the ratio to each run's own reference."
        )
    if len({results.reference for results in runs.values()}) > 1:
        told = "; ".join(f"{name}: {results.reference}" for name, results in runs.items())
        notes.append(f"The references differ, so the ratios cannot be compared. {told}.")
    if len({results.data.whole_documents for results in runs.values()}) > 1:
        notes.append("One run searched whole documents and another chunks.")
    if len({results.data.known_items for results in runs.values()}) > 1:
        notes.append("One run used real judgements and another known items.")
    return notes
