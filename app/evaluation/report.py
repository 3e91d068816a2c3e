"""What a bench run says: all figures for programs, the judgement of each row, the advice."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import cached_property
from importlib.metadata import PackageNotFoundError, version
from platform import python_version
from typing import Any

from app.evaluation import article
from app.evaluation.advice import advice, milliseconds
from app.evaluation.bench import Outcome
from app.evaluation.entrant import NotRun
from app.evaluation.measurement import Blocks, Measurement
from app.evaluation.rounds import LEAST_RUNS, WARMUP, Budget
from app.evaluation.statistics import times_of
from app.evaluation.verdicts import Judgement, Planned, agreement, best_of, judge
from indexer.embedding.planning.plan import SmallerModel
from indexer.version import __version__

_LIBRARIES = ("torch", "transformers", "sentence-transformers", "accelerate", "onnxruntime")


def versions() -> dict[str, str]:
    """Versions that speed depends on; a library that is not installed is left out."""
    found = {"semsearch": __version__, "python": python_version()}
    for name in _LIBRARIES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


@dataclass(frozen=True)
class Report:
    """The outcome of every row for one model."""

    model: str
    budget: Budget
    outcomes: Sequence[Outcome]
    planned: Planned = field(default_factory=dict)
    vram_bytes: int = 0  # free on the roomiest GPU
    smaller: Sequence[SmallerModel] = ()

    @cached_property
    def measured(self) -> list[Measurement]:
        """The rows that ran: our modes, then references, each fastest for one text first."""
        ran = [outcome for outcome in self.outcomes if isinstance(outcome, Measurement)]
        return sorted(ran, key=lambda found: (found.peer is not None, found.one_ms))

    @property
    def not_run(self) -> list[NotRun]:
        """The rows that did not, in order."""
        return [outcome for outcome in self.outcomes if isinstance(outcome, NotRun)]

    @property
    def reasons(self) -> dict[str, list[str]]:
        """{why not: the rows that did not run for it}, in order."""
        found: dict[str, list[str]] = {}
        for missing in self.not_run:
            found.setdefault(missing.reason, []).append(missing.label)
        return found

    @cached_property
    def best(self) -> Measurement | None:
        """The recommended row; None: no mode of ours ran."""
        return best_of(self.measured, self.planned)

    @cached_property
    def judgements(self) -> Mapping[str, Judgement]:
        """{label: judgement} of every measured row."""
        return judge(self.measured, self.planned)

    @property
    def advice(self) -> str | None:
        """What to do here, in one sentence; None: no mode of ours ran."""
        if self.best is None:
            return None
        return advice(self.best, self.measured, self.vram_bytes, self.smaller)

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON values, every run among them; times in milliseconds."""
        return {
            "model": self.model,
            "cell": {
                **asdict(self.budget),
                "least_runs": min(LEAST_RUNS, self.budget.runs),
                "rounds": self.budget.rounds,
                "warmup": WARMUP,
            },
            "recommended": self.best and self.best.label,
            "advice": self.advice,
            "modes": [self._row(found) for found in self.measured],
            "not_run": [asdict(missing) for missing in self.not_run],
            "article": {"model": article.MODEL, "rows": [asdict(row) for row in article.ROWS]},
        }

    def _row(self, found: Measurement) -> dict[str, Any]:
        agreed = agreement(self.measured).get(found.label)
        against: tuple[Blocks | None, Blocks | None] = (None, None)
        if self.best is not None:
            against = self.best.one_text_ms, self.best.four_texts_ms
        return {
            "label": found.label,
            "mode": str(found.mode),
            "peer": found.peer,
            "engine": found.engine,
            **asdict(self.judgements[found.label]),
            "tokens": found.tokens,
            "one_text": _cell(found.one_text_ms, against[0]),
            "four_texts": _cell(found.four_texts_ms, against[1]),
            "tokens_per_s": found.tokens_per_s,
            "load_s": found.load_s,
            "loads_s": found.loads_s,
            "first_load_s": found.first_load_s,
            "peak_ram_bytes": found.peak_ram_bytes,
            "peak_vram_bytes": found.peak_vram_bytes,
            "agreement": agreed and asdict(agreed),
        }

    def beside_the_article(self) -> str:
        """How the recommended mode stands beside each row of the article; there must be one."""
        assert self.best is not None
        ours = self.best.one_ms
        compared = ", ".join(
            f"{_times(row.one_text_ms, ours)} its {row.name} ({row.one_text_ms:g} ms)"
            for row in article.ROWS
        )
        same = article.MODEL.lower() in self.model.lower()
        caveat = "" if same else f" The article measured {article.MODEL}, not this model."
        return (
            f"Beside the article, one text in {self.best.label} ({milliseconds(ours)}) is "
            f"{compared}.{caveat}"
        )


def _cell(blocks: Blocks, reference: Blocks | None) -> dict[str, Any]:
    """Percentiles with intervals, their ratio to the recommended mode, and every run by round."""
    return {**times_of(blocks, reference).model_dump(), "runs_ms": blocks}


def _times(theirs: float, ours: float) -> str:
    if ours <= theirs:
        return f"{theirs / ours:.1f}x as fast as"
    return f"{ours / theirs:.1f}x as slow as"
