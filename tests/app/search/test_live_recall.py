"""Recall while it serves: checked, and searches look harder where too little is found."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from app.search import live_recall
from app.search.live_recall import RecallChecker
from indexer.errors import NotFoundError

QUERY = np.eye(8, dtype=np.float32)[0]


class FakeCollection:
    """Codes that find more the harder one looks: `found` of ten at the first effort."""

    def __init__(self, found: float, target: float = 0.99, has_codes: bool = True) -> None:
        self.found, self.target, self.has_codes = found, target, has_codes
        self.effort_factor = 1.0
        self.asked = 0
        self.codes = 1

    @contextmanager
    def snapshot(self) -> Iterator[Any]:
        def recall(_vector: Any, k: int) -> float:
            assert k == live_recall.DEPTH
            self.asked += 1
            return min(1.0, self.found * self.effort_factor)

        certificate = SimpleNamespace(target=self.target, of=self.codes) if self.has_codes else None
        yield SimpleNamespace(
            certificate=lambda: certificate,
            head=SimpleNamespace(contract=SimpleNamespace(dimension=8)),
            recall=recall,
        )


@pytest.fixture
def checker() -> Iterator[RecallChecker]:
    made = RecallChecker(0.5, sleep=lambda _seconds: None)
    yield made
    made.close()


def ask(checker: RecallChecker, collection: Any, times: int) -> None:
    """Offer queries one by one and wait until each was checked or left."""
    for number in range(times):
        before = collection.asked
        checker.offer("one", collection, QUERY)
        for _ in range(1000):
            if collection.asked > before or not collection.has_codes:
                break
            threading.Event().wait(0.001)
        else:
            raise AssertionError(f"query {number} was never checked")


def test_recall_is_the_mean_of_the_checks(checker: RecallChecker) -> None:
    collection = FakeCollection(1.0)
    ask(checker, collection, 20)
    checker.close()
    found = checker.results()["one"]
    assert (found.recall, found.checks, found.target, found.effort_factor) == (1.0, 20, 0.99, 1.0)


def test_searches_look_harder_until_the_target_is_reached(checker: RecallChecker) -> None:
    collection = FakeCollection(0.6)
    ask(checker, collection, 3 * live_recall._LEAST)
    checker.close()
    assert collection.effort_factor == pytest.approx(1.5**2)
    assert checker.results()["one"].recall == 1.0


def test_few_checks_change_nothing(checker: RecallChecker) -> None:
    collection = FakeCollection(0.6)
    ask(checker, collection, live_recall._LEAST - 1)
    checker.close()
    assert collection.effort_factor == 1.0


def test_effort_has_a_bound(checker: RecallChecker) -> None:
    collection = FakeCollection(0.0)
    ask(checker, collection, 12 * live_recall._LEAST)
    checker.close()
    assert collection.effort_factor == live_recall._HARDEST


def test_exact_search_is_not_checked(checker: RecallChecker) -> None:
    collection = FakeCollection(1.0, has_codes=False)
    ask(checker, collection, 3)
    checker.close()
    assert (collection.asked, checker.results()) == (0, {})


def test_a_share_of_nothing_starts_no_thread() -> None:
    checker, collection = RecallChecker(0.0), FakeCollection(1.0)
    checker.offer("one", collection, QUERY)  # type: ignore[arg-type]
    assert checker._thread is None
    checker.close()


def test_checks_rest_so_that_they_take_their_share_of_the_time() -> None:
    pauses: list[float] = []
    checker = RecallChecker(0.01, sleep=pauses.append)
    ask(checker, FakeCollection(1.0), 3)
    checker.close()
    assert len(pauses) == 3
    assert all(pause > 0 for pause in pauses)


def test_a_collection_that_is_gone_ends_no_thread(checker: RecallChecker) -> None:
    class Gone(FakeCollection):
        @contextmanager
        def snapshot(self) -> Iterator[Any]:
            self.asked += 1
            raise NotFoundError("deleted")
            yield

    ask(checker, Gone(1.0), 1)
    collection = FakeCollection(1.0)
    ask(checker, collection, 1)
    checker.close()
    assert checker.results()["one"].checks == 1


def test_checks_of_codes_that_were_replaced_do_not_count(checker: RecallChecker) -> None:
    """They would blame new codes for what the old ones missed."""
    collection = FakeCollection(0.6)
    ask(checker, collection, live_recall._LEAST - 1)
    collection.codes, collection.found = 2, 1.0
    ask(checker, collection, 3)
    checker.close()
    assert checker.results()["one"].checks == 3
    assert collection.effort_factor == 1.0


def test_a_fault_ends_no_thread(checker: RecallChecker, caplog: pytest.LogCaptureFixture) -> None:
    class Broken(FakeCollection):
        @contextmanager
        def snapshot(self) -> Iterator[Any]:
            self.asked += 1
            raise RuntimeError("a fault of a library")
            yield

    ask(checker, Broken(1.0), 1)
    collection = FakeCollection(1.0)
    ask(checker, collection, 1)
    checker.close()
    assert checker.results()["one"].checks == 1
    assert "a fault of a library" in caplog.text
