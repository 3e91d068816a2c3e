"""The clock of a request."""

import pytest

from app.search.stages import Stage, Stages


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """A clock that stands still unless it is moved."""
    now = [100.0]
    monkeypatch.setattr("app.search.stages.time.perf_counter", lambda: now[0])
    return now


def test_stages_add_up_in_order_of_first_use(clock: list[float]) -> None:
    stages = Stages()
    stages.model, stages.mode = "minilm", "hybrid"
    with stages.time(Stage.LEXICAL):
        clock[0] += 0.25
    stages.add(Stage.QUEUE, 2.0)
    with stages.time(Stage.LEXICAL):
        clock[0] += 0.5
    timing = stages.result()
    assert timing.seconds == {Stage.LEXICAL: 0.75, Stage.QUEUE: 2.0}
    assert list(timing.milliseconds.items()) == [("lexical", 750.0), ("queue", 2000.0)]
    assert [part.started for part in timing.spent] == [100.0, 98.25, 100.25]
    assert (timing.model, timing.mode) == ("minilm", "hybrid")


def test_stage_that_fails_is_counted(clock: list[float]) -> None:
    stages = Stages()

    def fail() -> None:
        with stages.time(Stage.EMBED):
            clock[0] += 1
            raise ValueError("boom")

    with pytest.raises(ValueError, match="boom"):
        fail()
    assert stages.result().seconds == {Stage.EMBED: 1.0}


def test_result_does_not_change_afterwards(clock: list[float]) -> None:
    stages = Stages()
    before = stages.result()
    stages.add(Stage.DENSE, 1.0)
    assert before.seconds == {}
