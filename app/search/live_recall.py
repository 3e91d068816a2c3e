"""Recall while it serves: some of the queries that were answered are asked again, exactly.

A certificate was measured on queries made of the collection's own passages, when the codes were
built. What people ask may lie elsewhere, so a sample of it is checked in the background; where less
is found than was promised, searches look harder from then on.
"""

import logging
import math
import os
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

from indexer.errors import SemsearchError
from indexer.storage.collection import Collection
from indexer.storage.vectors.certificate import Certificate
from indexer.types import Vector

logger = logging.getLogger("semsearch")

DEPTH = 10  # k of the recall, as in the certificate's headline
_WAITING = 16  # queries waiting for their check; while it is full, others go unchecked
_KEPT = 400  # checks that the figures are made of
# Before this many checks nothing is concluded: of 50, one miss in ten moves the mean by 0.002.
_LEAST = 50
_HARDER = 1.5  # each time; a list scanned more costs what it finds less, so in small steps
_HARDEST = 16.0  # beyond, codes do not serve this collection: build anew
_Z = 1.645  # one-sided 95 %


@dataclass(frozen=True, slots=True)
class LiveRecall:
    """What the checks of one collection say."""

    recall: float  # mean share of the ten nearest that were found
    low: float  # bounds of the mean's 90 % interval
    high: float
    checks: int
    target: float
    effort_factor: float  # how much harder searches look than the certificate says


@dataclass(slots=True)
class _Watched:
    """A collection's latest checks: of these codes, and not of another one of the same name."""

    collection: Collection
    certificate: Certificate
    recalls: deque[float] = field(default_factory=lambda: deque(maxlen=_KEPT))


class RecallChecker:
    """Checks a share of what is served. Safe to use from several threads.

    Its one thread takes at most `share` of one core's time: after a check of 100 ms at a share of
    0.01 it rests for 10 s. A collection that is searched exactly needs no checks and gets none.
    """

    def __init__(self, share: float, sleep: Callable[[float], object] | None = None) -> None:
        """Start checking at the first query; a share of 0 checks nothing.

        `sleep` stands in for the pause, in tests.
        """
        self._share = share
        self._waiting: deque[tuple[str, Collection, Vector]] = deque(maxlen=_WAITING)
        self._watched: dict[str, _Watched] = {}
        self._lock = threading.Lock()
        self._offered = threading.Event()
        self._closed = threading.Event()
        self._sleep = sleep or self._closed.wait
        self._thread: threading.Thread | None = None

    def offer(self, name: str, collection: Collection, vector: Vector) -> None:
        """A query that was answered, without a filter; costs nothing, and may be dropped."""
        if self._share <= 0 or len(self._waiting) >= _WAITING:
            return
        self._waiting.append((name, collection, vector))
        self._offered.set()
        if self._thread is None:
            with self._lock:
                if self._thread is None and not self._closed.is_set():
                    self._thread = threading.Thread(target=self._run, name="recall", daemon=True)
                    self._thread.start()

    def results(self) -> dict[str, LiveRecall]:
        """{collection: what its checks say}, of those with codes that were checked."""
        with self._lock:
            return {name: _summary(seen) for name, seen in self._watched.items() if seen.recalls}

    def close(self) -> None:
        """Stop; a check under way is finished."""
        self._closed.set()
        self._offered.set()
        if self._thread is not None:
            self._thread.join()

    def _run(self) -> None:
        _step_back()
        while not self._closed.is_set():
            self._offered.wait()
            self._offered.clear()
            while self._waiting and not self._closed.is_set():
                name, collection, vector = self._waiting.popleft()
                started = time.perf_counter()
                try:
                    self._check(name, collection, vector)
                except SemsearchError as error:  # deleted, or re-embedded meanwhile
                    logger.debug("recall of %s was not checked: %s", name, error)
                except Exception:  # a fault must be seen, and must not end all checks
                    logger.exception("recall of %s was not checked", name)
                taken = time.perf_counter() - started
                self._sleep(taken / self._share - taken)

    def _check(self, name: str, collection: Collection, vector: Vector) -> None:
        with collection.snapshot() as now:
            certificate = now.certificate()
            if certificate is None or len(vector) != now.head.contract.dimension:
                return
            recall = now.recall(vector, DEPTH)
        if recall is None:
            return
        with self._lock:
            seen = self._watched.get(name)
            if seen is None or (seen.collection, seen.certificate) != (collection, certificate):
                seen = self._watched[name] = _Watched(collection, certificate)
            seen.recalls.append(recall)
            self._follow(name, seen)

    def _follow(self, name: str, seen: _Watched) -> None:
        """Look harder where too little is found, and judge that effort anew."""
        found = _summary(seen)
        if found.checks < _LEAST or found.high >= found.target or found.effort_factor >= _HARDEST:
            return
        seen.collection.effort_factor = min(_HARDEST, found.effort_factor * _HARDER)
        seen.recalls.clear()
        logger.warning(
            "%s: recall@%d of %d served queries is %.3f, below the target of %.2f: searches look "
            "%.1f times as hard from now on. If it stays so, `semsearch index --target-recall` "
            "builds the index anew.",
            *(name, DEPTH, found.checks, found.recall, found.target),
            seen.collection.effort_factor,
        )


def _summary(seen: _Watched) -> LiveRecall:
    values, count = seen.recalls, len(seen.recalls)
    mean = sum(values) / count
    variance = sum((value - mean) ** 2 for value in values) / max(1, count - 1)
    margin = _Z * math.sqrt(variance / count)
    return LiveRecall(
        recall=mean,
        low=max(0.0, mean - margin),
        high=min(1.0, mean + margin),
        checks=count,
        target=seen.certificate.target,
        effort_factor=seen.collection.effort_factor,
    )


def _step_back() -> None:
    """This thread runs when nobody else wants to, where the system can say so for one thread."""
    if hasattr(os, "setpriority") and hasattr(threading, "get_native_id"):
        try:
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), 19)
        except OSError:
            logger.debug("the recall checks run at normal priority")
