"""What a bench run says: all figures for programs, and which mode is best in one sentence."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from importlib.metadata import PackageNotFoundError, version
from platform import python_version
from typing import Any

from app.evaluation import article
from app.evaluation.bench import NotRun, Outcome
from app.evaluation.measurement import Measurement
from indexer.version import __version__

_LIBRARIES = ("torch", "transformers", "onnxruntime")


def versions() -> dict[str, str]:
    """Versions that speed depends on; a library that is not installed is left out."""
    found = {"semsearch": __version__, "python": python_version()}
    for name in _LIBRARIES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


@dataclass(frozen=True, slots=True)
class Report:
    """The outcome of every mode for one model."""

    model: str
    runs: int
    outcomes: Sequence[Outcome]

    @property
    def measured(self) -> list[Measurement]:
        """The modes that ran, fastest for one text first."""
        ran = [outcome for outcome in self.outcomes if isinstance(outcome, Measurement)]
        return sorted(ran, key=lambda found: found.one_text)

    @property
    def not_run(self) -> list[NotRun]:
        """The modes that did not, in order."""
        return [outcome for outcome in self.outcomes if isinstance(outcome, NotRun)]

    @property
    def reasons(self) -> dict[str, list[str]]:
        """{why not: the modes that did not run for it}, in order."""
        found: dict[str, list[str]] = {}
        for missing in self.not_run:
            found.setdefault(missing.reason, []).append(missing.mode)
        return found

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON values; times in milliseconds are medians, every run stands beside them."""
        return {
            "model": self.model,
            "runs": self.runs,
            "best": self.measured[0].mode if self.measured else None,
            "modes": [
                {
                    **found.to_dict(),
                    "one_text_median_ms": found.one_text,
                    "four_texts_median_ms": found.four_texts,
                }
                for found in self.measured
            ],
            "not_run": [asdict(missing) for missing in self.not_run],
            "article": {"model": article.MODEL, "rows": [asdict(row) for row in article.ROWS]},
        }

    def verdict(self) -> str:
        """The best mode of this machine, and how it stands beside the article's.

        There must be at least one measured mode.
        """
        best = self.measured[0]
        compared = ", ".join(
            f"{_times(row.one_text_ms, best.one_text)} the article's {row.name} "
            f"({row.one_text_ms:g} ms)"
            for row in article.ROWS
        )
        same = article.MODEL.lower() in self.model.lower()
        caveat = "" if same else f" The article measured {article.MODEL}, not this model."
        return (
            f"Best for one text here: {best.mode} with {milliseconds(best.one_text)}, {compared}."
            f"{caveat}"
        )


def milliseconds(value: float) -> str:
    """A time for people: three digits are all that a run repeats."""
    return f"{value:.0f} ms" if value >= 100 else f"{value:.3g} ms"


def _times(theirs: float, ours: float) -> str:
    if ours <= theirs:
        return f"{theirs / ours:.1f}x as fast as"
    return f"{ours / theirs:.1f}x as slow as"
