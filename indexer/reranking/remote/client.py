"""One server that reranks: which way it is asked is found out once, by asking."""

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TypeVar

from indexer.embedding.remote.address import parts_of, with_path
from indexer.embedding.remote.body import parse_json
from indexer.embedding.remote.connection import Connection
from indexer.embedding.remote.faults import AnswerFault, EndpointFault, Fault, MomentFault
from indexer.embedding.remote.retry import Backoff, Patience
from indexer.embedding.remote.status import fault_of
from indexer.embedding.wishes import Endpoint
from indexer.errors import UsageError
from indexer.reranking.base import Scores
from indexer.reranking.remote.wire import Dialect, Place, cap_bytes, request_of, scores_in

_T = TypeVar("_T")
# Somebody waits for an answer, and there is one without reranking.
_PATIENCE = Patience(retries=1, total_s=2.0)
# A server that failed is left alone for so long: else every query would wait to see it fail.
_ASIDE_S = 10.0
# Statuses of servers that are asked in the wrong way, or at the wrong path.
_ASKED_WRONGLY = frozenset({400, 404, 405, 415, 422, 501})
_PATH = "/rerank"
_VERSIONED = ("/v1/rerank", "/v2/rerank")
_READY = "ready"


def places_of(endpoint: Endpoint) -> list[Place]:
    """Where and how the endpoint may be asked, the likeliest first.

    A URL that ends in /rerank is taken as it is; a base URL gets that path, with and without /v1.

    Raises:
        UsageError: no usable address or key.
    """
    parts = parts_of(endpoint)
    path = parts.path.rstrip("/")
    if path.endswith(_PATH):
        paths = [path]
    elif path.endswith(("/v1", "/v2")):
        paths = [f"{path}{_PATH}"]
    else:
        paths = [f"{path}{_PATH}", f"{path}/v1{_PATH}"]
    # TEI has no versions in its paths; the others have.
    both = (Dialect.TEI, Dialect.DOCUMENTS)
    return [
        Place(with_path(parts, p), dialect)
        for p in paths
        for dialect in (both[::-1] if p.endswith(_VERSIONED) else both)
    ]


class RerankClient:
    """A connection to one endpoint. Threads may share it.

    Args:
        endpoint: where it is and how it is asked; its model is sent where a server wants one.
        backoff: waits between tries.

    Raises:
        UsageError: the endpoint's address or key cannot be used.
    """

    def __init__(self, endpoint: Endpoint, backoff: Backoff | None = None) -> None:
        self._endpoint = endpoint
        self._places = places_of(endpoint)
        self._connection = Connection(endpoint, parts_of(endpoint).hostname or "")
        self._backoff = backoff or Backoff()
        self._places_free = threading.BoundedSemaphore(endpoint.concurrency)
        self._found: Place | None = None
        self._aside: tuple[float, Fault] | None = None  # time.monotonic() until when, and why
        self._finding = threading.Lock()

    @property
    def url(self) -> str:
        """Where texts are posted; for messages."""
        return (self._found or self._places[0]).url

    def scores(self, query: str, texts: Sequence[str], *, raw: bool = False) -> Scores:
        """The endpoint's scores of these texts, float32, shape (n,), finite; one request.

        Raises:
            Fault: none of that came, after a few tries where trying again may help.
            UsageError: raw scores of a server that has none to give.
        """
        with self._hiding_key():
            place = self._place()
            if raw and place.dialect is not Dialect.TEI:
                raise UsageError(
                    f"Reranker {place.url}: gives no raw scores. Ask without raw_scores."
                )
            return self._patiently(lambda: self._ask(place, query, texts, raw=raw))

    def find(self) -> None:
        """Ask for one score, unless that was done, to learn how this server is asked.

        Raises:
            Fault: it answers in no known way.
        """
        with self._hiding_key():
            self._place()

    @contextmanager
    def _hiding_key(self) -> Iterator[None]:
        """A server may have echoed the key: no fault tells it."""
        try:
            yield
        except Fault as fault:
            if self._endpoint.key:
                fault.hide(self._endpoint.key)
            raise

    def _place(self) -> Place:
        """Where and how this server is asked; the first call asks it."""
        with self._finding:
            if self._found is None:
                self._found = self._patiently(self._find)
            return self._found

    def _find(self) -> Place:
        refusals: list[str] = []
        for place in self._places:
            try:
                self._ask(place, _READY, [_READY])
            except (_AskedWronglyFault, AnswerFault) as fault:
                refusals.append(f"{place.dialect} at {place.url}: {fault}")
            else:
                return place
        raise EndpointFault(
            f"does not rerank in any known way ({'; '.join(refusals)}). Check the address: give "
            "the base URL of a server that has /rerank"
        )

    def _ask(self, place: Place, query: str, texts: Sequence[str], *, raw: bool = False) -> Scores:
        request = request_of(place.dialect, self._endpoint.model, query, texts, raw=raw)
        with self._places_free:
            response, body = self._connection.post(place.url, request, cap_bytes(texts))
        if not response.is_success:
            fault = fault_of(response, body, self._endpoint, lambda: "It is not served there")
            if self._found is None and response.status_code in _ASKED_WRONGLY:
                raise _AskedWronglyFault(str(fault))
            raise fault
        return scores_in(parse_json(response, body), len(texts))

    def _patiently(self, ask: Callable[[], _T]) -> _T:
        """What `ask` gives, asked again where that may help and somebody would still wait."""
        aside = self._aside
        if aside is not None and time.monotonic() < aside[0]:
            raise type(aside[1])(str(aside[1]))
        until: float | None = None
        failures = 0
        while True:
            try:
                return ask()
            except MomentFault as fault:
                until = until or time.monotonic() + _PATIENCE.total_s
                wait_s = self._backoff.wait_s(failures, fault.retry_after_s)
                if failures == _PATIENCE.retries or time.monotonic() + wait_s > until:
                    self._aside = (time.monotonic() + _ASIDE_S, fault)
                    raise
            except EndpointFault as fault:
                if not isinstance(fault, AnswerFault):
                    self._aside = (time.monotonic() + _ASIDE_S, fault)
                raise
            failures += 1
            time.sleep(wait_s)

    def close(self) -> None:
        """Close the connections."""
        self._connection.close()


class _AskedWronglyFault(EndpointFault):
    """Another way of asking may be taken."""
