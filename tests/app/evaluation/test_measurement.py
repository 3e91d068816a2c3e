"""What is timed: the right number of calls, on the right texts, none of the warm-up."""

import json
from collections.abc import Sequence

import numpy as np
import pytest

from app.evaluation.measurement import Turn, take_turn
from app.evaluation.rounds import WARMUP, Round
from bench_rows import ran
from indexer.types import Vectors


class Slow:
    """An embedder whose every text takes the same time on its own clock."""

    def __init__(self, text_s: float) -> None:
        self.calls: list[Sequence[str]] = []
        self._text_s = text_s
        self._now = 0.0

    def embed(self, texts: Sequence[str]) -> Vectors:
        self.calls.append(texts)
        self._now += self._text_s * len(texts)
        return np.full((len(texts), 2), 0.5, np.float32)

    def clock(self) -> float:
        return self._now


def work_of(runs: int, least: int, seconds: float) -> Round:
    one = [[f"one {i}"] for i in range(WARMUP + runs)]
    four = [[f"four {i}.{j}" for j in range(4)] for i in range(WARMUP + runs)]
    return Round((one, four), 128, least, seconds, ["check"])


@pytest.mark.parametrize(
    ("runs", "least", "seconds", "text_s", "made"),
    [
        (20, 2, 12.0, 0.01, (20, 20)),  # fast: all runs
        (20, 2, 12.0, 1.0, (12, 3)),  # until time is over
        (20, 2, 12.0, 60.0, (2, 2)),  # however slow
        (20, 2, 0.0, 0.01, (2, 2)),
    ],
)
def test_turn_ends_by_runs_or_by_seconds_but_never_below_the_least(
    runs: int, least: int, seconds: float, text_s: float, made: tuple[int, int]
) -> None:
    slow = Slow(text_s)
    work = work_of(runs, least, seconds)
    steps: list[str] = []
    found = take_turn(slow.embed, "E", 1.5, work, steps.append, slow.clock)
    assert tuple(len(cell) for cell in found.cells_ms) == made
    assert found.cells_ms[0] == pytest.approx([1000 * text_s] * made[0])
    assert found.cells_ms[1] == pytest.approx([4000 * text_s] * made[1])
    assert slow.calls == [
        *work.cells[0][: WARMUP + made[0]],
        *work.cells[1][: WARMUP + made[1]],
        ["check"],
    ]
    assert steps[:2] == ["1 text, warm-up", f"1 text, run 1 of {runs}"]
    assert steps[-1] == f"4 texts, run {made[1]} of {runs}"
    assert (found.engine, found.load_s, found.vectors) == ("E", 1.5, [[0.5, 0.5]])
    assert found.peak_ram_bytes > 50 << 20


def test_turn_survives_json() -> None:
    turn = Turn("E", 0.5, ((3.0, 1.0), (9.0,)), [[1.0, 0.0]], 1 << 30, None)
    assert Turn.from_dict(json.loads(json.dumps(turn.to_dict()))) == turn


def test_measurement_gives_medians_over_all_rounds() -> None:
    found = ran("cpu:int8", 20, 64)
    assert (found.one_ms, found.four_ms, found.load_s) == (20, 64, 1.5)
    assert found.tokens_per_s == 8000
    assert (found.one_text.n, found.one_text.mean, found.four_texts.p99.value) == (6, 20, 64)
