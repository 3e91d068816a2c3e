"""Long lists go window by window: the same vectors, and the next texts are tokenised meanwhile."""

import threading
from collections.abc import Sequence

import numpy as np
import pytest

from indexer.embedding import local
from indexer.embedding.local import LocalEmbedder
from indexer.embedding.runtimes.base import Runtime, TokenBatch
from indexer.embedding.tokenizer import Tokenizer
from indexer.errors import ModelError, UsageError
from indexer.modes import Placement, Precision
from indexer.types import Kind, Vectors

TEXTS = [f"{word} {i} " * (1 + i * 7 % 5) for i in range(9) for word in ("index", "search")]


class First(Runtime):
    """A vector is the text's first id and its length; ids of `broken` give NaN."""

    placement = Placement.CPU
    precision = Precision.FP32
    max_batch_tokens = 50

    def __init__(self, hidden_size: int) -> None:
        self.hidden_size = hidden_size
        self.broken: Sequence[int] = ()
        self.before: threading.Event | None = None

    def forward(self, batch: TokenBatch) -> Vectors:
        if self.before is not None:
            assert self.before.wait(10), "nothing was tokenised meanwhile"
        vectors = np.ones((len(batch), self.hidden_size), dtype=np.float32)
        for row, ids in enumerate(batch):
            vectors[row, :2] = np.nan if list(ids) == list(self.broken) else (ids[0], len(ids))
        return vectors


@pytest.fixture
def window(monkeypatch: pytest.MonkeyPatch) -> int:
    monkeypatch.setattr(local, "WINDOW", 4)
    return 4


def test_windows_give_the_vectors_of_one_list(
    tiny: LocalEmbedder, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = tiny.embed(TEXTS, Kind.DOCUMENT)
    for size in (1, 4, len(TEXTS) - 1, len(TEXTS)):
        monkeypatch.setattr(local, "WINDOW", size)
        done: list[tuple[int, int]] = []
        found = tiny.embed(TEXTS, Kind.DOCUMENT, on_batch=lambda *b: done.append(b))  # noqa: B023
        assert np.abs(found - expected).max() <= 1e-5
        assert sum(texts for texts, _ in done) == len(TEXTS)


def test_next_window_is_tokenised_while_one_is_embedded(tiny: LocalEmbedder, window: int) -> None:
    """The first batch waits until the second window's texts have been taken up."""
    taken_up = threading.Event()

    class Watched(Tokenizer):
        def encode(
            self, texts: Sequence[str], kind: Kind, instruction: str | None = None
        ) -> list[list[int]]:
            if texts[0] == TEXTS[window]:
                taken_up.set()
            return tiny.tokenizer.encode(texts, kind, instruction)

    runtime = First(tiny.spec.hidden_size)
    runtime.before = taken_up
    watched = Watched.__new__(Watched)
    assert len(LocalEmbedder(tiny.spec, watched, runtime).embed(TEXTS, Kind.DOCUMENT)) == len(TEXTS)


def test_text_that_fails_is_named_by_its_place_in_the_whole_list(
    tiny: LocalEmbedder, window: int
) -> None:
    runtime = First(tiny.spec.hidden_size)
    (runtime.broken,) = tiny.tokenizer.encode([TEXTS[10]], Kind.DOCUMENT)
    with pytest.raises(ModelError, match="NaN or infinity for text 10 "):
        LocalEmbedder(tiny.spec, tiny.tokenizer, runtime).embed(TEXTS, Kind.DOCUMENT)


def test_refused_instruction_is_raised_by_the_call(tiny: LocalEmbedder, window: int) -> None:
    with pytest.raises(UsageError, match="An instruction goes with queries only"):
        tiny.embed(TEXTS, Kind.DOCUMENT, instruction="find it")
