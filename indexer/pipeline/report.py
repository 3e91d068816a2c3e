"""What an indexing run did, and how far it is while it runs."""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from indexer.paths import display_path
from indexer.types import Skipped


@dataclass(frozen=True, slots=True)
class Progress:
    """A moment of a run."""

    files_done: int
    files_total: int
    chunks: int  # stored so far
    tokens: int  # embedded so far
    tokens_per_s: float  # of the model, over the run so far; 0 before the first batch
    bytes_done: int
    bytes_total: int
    elapsed_s: float

    @property
    def eta_s(self) -> float | None:
        """Seconds to go, by bytes read; None before there is anything to judge by."""
        if not self.bytes_done or not self.elapsed_s:
            return None
        return self.elapsed_s * (self.bytes_total - self.bytes_done) / self.bytes_done


_COUNTS = (
    *("added", "changed", "moved", "touched", "unchanged", "removed"),
    *("documents", "chunks", "embedded", "reused", "tokens", "generation"),
)

OnProgress = Callable[[Progress], None]


@dataclass
class Report:
    """The counts of one run; files unless the name says otherwise."""

    added: int = 0
    changed: int = 0
    moved: int = 0
    touched: int = 0  # other time stamp, same content
    unchanged: int = 0
    removed: int = 0
    documents: int = 0  # written in this run
    chunks: int = 0  # written in this run
    embedded: int = 0  # texts that went through the model
    reused: int = 0  # chunks whose vector was already known
    tokens: int = 0  # through the model
    model_s: float = 0.0
    seconds: float = 0.0
    generation: int = 0
    skipped: list[Skipped] = field(default_factory=list)

    @property
    def tokens_per_s(self) -> float:
        """Tokens through the model per second of its own time."""
        return self.tokens / self.model_s if self.model_s else 0.0

    @property
    def skipped_by_reason(self) -> dict[str, int]:
        """{reason: files and folders}, most frequent first."""
        return dict(Counter(str(item.reason) for item in self.skipped).most_common())

    def to_dict(self) -> dict[str, Any]:
        """JSON values for `--json`."""
        counts = {name: getattr(self, name) for name in _COUNTS}
        return {
            **counts,
            "seconds": round(self.seconds, 3),
            "model_seconds": round(self.model_s, 3),
            "skipped": [skipped_to_dict(item) for item in self.skipped],
        }


def skipped_to_dict(item: Skipped) -> dict[str, Any]:
    """JSON values of one skipped file or folder."""
    import os

    return {
        "path": display_path(os.fsencode(item.path)),
        "reason": str(item.reason),
        "detail": item.detail,
        "folder": item.is_folder,
    }
