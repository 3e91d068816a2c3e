"""Several endpoints that share the load: the least busy first, broken ones left out for a while.

Nobody is asked for more at once than it was set to bear: who calls `embed` waits for a free place.
A server that says it is overloaded gets half as much at once from then on, and slowly more again.
"""

import logging
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from indexer.embedding.remote.client import EndpointClient
from indexer.embedding.remote.faults import (
    AnswerFault,
    EndpointFault,
    Fault,
    MomentFault,
    RequestFault,
)
from indexer.embedding.remote.retry import FOR_DOCUMENTS, Backoff, Patience
from indexer.errors import ModelError, PlacementError, SemsearchError
from indexer.types import Vectors

logger = logging.getLogger("semsearch.remote")

# A broken endpoint is asked again after this long: its owner may have mended it meanwhile.
_BROKEN_ASIDE_S = 10.0
_WORTH_TELLING_S = 5.0  # longer silent waits look like a hang
_SUCCESSES_TO_WIDEN = 8


@dataclass(slots=True)
class _Lane:
    """One endpoint and how it fares."""

    client: EndpointClient
    most: int  # requests at once that the settings allow
    limit: int  # that it bears just now
    in_flight: int = 0
    free_at: float = 0.0  # time.monotonic() until which it is set aside
    times_aside: int = 0
    failures: int = 0  # in a row
    successes: int = 0  # in a row
    fault: Fault | None = None  # the last; None after a success that came when it was not aside


class Balancer:
    """The endpoints of one model. Threads may share it.

    Args:
        clients: one for each endpoint, not empty.
        concurrency: requests in flight at each.
        backoff: waits between tries.
    """

    def __init__(
        self,
        clients: Sequence[EndpointClient],
        concurrency: Sequence[int],
        backoff: Backoff | None = None,
    ) -> None:
        self._lanes = [_Lane(c, n, n) for c, n in zip(clients, concurrency, strict=True)]
        self._backoff = backoff or Backoff()
        self._changed = threading.Condition()

    @property
    def urls(self) -> list[str]:
        """Where texts are posted, in the order of the settings."""
        return [lane.client.url for lane in self._lanes]

    @property
    def capacity(self) -> int:
        """Requests that may be in flight together."""
        return sum(lane.most for lane in self._lanes)

    def embed(self, texts: Sequence[str], patience: Patience) -> Vectors:
        """The vectors of these texts from whichever endpoint gives them; see `EndpointClient`.

        Raises:
            RequestFault: an endpoint that works refuses these texts.
            PlacementError: no endpoint could be reached, or none in time.
            ModelError: all answer, but with something else than the model's vectors.
        """
        tries_left = patience.retries + len(self._lanes)
        until: float | None = None
        while True:
            lane = self._take(until, patience)
            seen = lane.times_aside
            try:
                answer = lane.client.embed(texts)
            except (MomentFault, EndpointFault) as fault:
                own = fault
                self._set_aside(lane, fault, seen)
            except BaseException:
                self._put_back(lane)
                raise
            else:
                self._succeed(lane)
                return answer
            until = until or time.monotonic() + patience.total_s
            tries_left -= 1
            if not tries_left:
                raise self._all_gone({lane.client.url: own}) from own

    def check(self, text: str, patience: Patience) -> None:
        """Ask every endpoint for one vector, all at once, so that a wrong setting shows early.

        Raises:
            PlacementError: none of them works.
            ModelError: none of them gives the model's vectors.
        """
        asking = [
            threading.Thread(target=self._check_lane, args=(lane, text), daemon=True)
            for lane in self._lanes[1:]
        ]
        for thread in asking:
            thread.start()
        self._check_lane(self._lanes[0], text)
        for thread in asking:
            thread.join()
        if all(lane.fault is not None for lane in self._lanes):
            try:
                self.embed([text], patience)  # waits for one that only asked for a moment
            except RequestFault as fault:
                raise PlacementError(
                    f"The endpoint refuses a text of one word: {fault}."
                ) from fault

    def _check_lane(self, lane: _Lane, text: str) -> None:
        try:
            lane.client.embed([text])
        except RequestFault as fault:
            # It cannot be the text: one word.
            self._set_aside(lane, EndpointFault(str(fault)), lane.times_aside, taken=False)
        except Fault as fault:
            self._set_aside(lane, fault, lane.times_aside, taken=False)

    def _take(self, until: float | None, patience: Patience) -> _Lane:
        """A place at the least busy endpoint that is not set aside; waits for one.

        Raises:
            SemsearchError: none will be free by `until`.
        """
        with self._changed:
            while True:
                now = time.monotonic()
                usable = [lane for lane in self._lanes if lane.free_at <= now]
                free = [lane for lane in usable if lane.in_flight < lane.limit]
                if free:
                    lane = min(free, key=lambda lane: lane.in_flight)
                    lane.in_flight += 1
                    return lane
                if not usable:
                    until = until or now + patience.total_s
                    healing = [lane.free_at for lane in self._lanes if _may_heal(lane)]
                    if not healing or min(healing) > until:
                        raise self._all_gone()
                # Until a request comes back, or an endpoint's time aside is over.
                aside = [lane.free_at for lane in self._lanes if lane.free_at > now]
                self._changed.wait(min(aside) - now if aside else None)

    def _put_back(self, lane: _Lane) -> None:
        with self._changed:
            lane.in_flight -= 1
            self._changed.notify_all()

    def _succeed(self, lane: _Lane) -> None:
        with self._changed:
            lane.in_flight -= 1
            lane.successes += 1
            if lane.free_at <= time.monotonic():  # else it was set aside while this was under way
                lane.failures, lane.fault = 0, None
            if lane.successes % _SUCCESSES_TO_WIDEN == 0:
                lane.limit = min(lane.most, lane.limit + 1)
            self._changed.notify_all()

    def _set_aside(self, lane: _Lane, fault: Fault, seen: int, *, taken: bool = True) -> None:
        """Leave the endpoint alone for a while.

        Args:
            lane: the endpoint.
            fault: what happened.
            seen: how often it had been set aside when the request began: requests that were
                under way together and fail together count as one failure.
            taken: the request holds a place.
        """
        with self._changed:
            first = seen == lane.times_aside
            moment = fault if isinstance(fault, MomentFault) else None
            if moment is None:
                wait_s = _BROKEN_ASIDE_S
            else:
                failures = lane.failures if first else 0
                wait_s = self._backoff.wait_s(failures, moment.retry_after_s)
            if first:
                lane.times_aside += 1
                lane.failures += 1
                if moment is not None and moment.overloaded:
                    lane.limit = max(1, lane.limit // 2)
            lane.successes = 0
            lane.fault = fault
            lane.free_at = max(lane.free_at, time.monotonic() + wait_s)
            lane.in_flight -= taken
            self._changed.notify_all()
        # What nobody waits for is an error's text in a moment, unless others take over.
        told = len(self._lanes) > 1 or (moment and wait_s <= FOR_DOCUMENTS.total_s)
        if first and wait_s >= _WORTH_TELLING_S and told:
            logger.warning("%s: %s. Next try in %.0f s.", lane.client.url, fault, wait_s)

    def _all_gone(self, own: Mapping[str, Fault] | None = None) -> SemsearchError:
        """Names each endpoint with its last fault; `own` is that of the request that gives up."""
        faults = {lane.client.url: lane.fault for lane in self._lanes if lane.fault} | dict(
            own or {}
        )
        text = "; ".join(f"{url}: {_with_wait(fault)}" for url, fault in faults.items())
        if all(isinstance(fault, AnswerFault) for fault in faults.values()):
            return ModelError(f"Endpoint {text}.")
        if len(self._lanes) == 1:
            return PlacementError(f"Endpoint {text}.")
        return PlacementError(f"None of the {len(self._lanes)} endpoints works. {text}.")

    def close(self) -> None:
        """Close all connections."""
        for lane in self._lanes:
            lane.client.close()


def _may_heal(lane: _Lane) -> bool:
    return isinstance(lane.fault, MomentFault)


def _with_wait(fault: Fault) -> str:
    if isinstance(fault, MomentFault) and fault.retry_after_s:
        return f"{fault}, asks to come back in {fault.retry_after_s:.0f} s"
    return str(fault)
