"""Vectors of queries in Redis, for several servers and for restarts. A help, never a need.

Redis may be down, slow, full, or hold what others wrote under our names: whatever happens, the
answer is "not known", in bounded time. After a failure it is left alone for some seconds, so that
not every query waits for it.
"""

import asyncio
import hashlib
import logging
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TYPE_CHECKING, cast

import numpy as np

from app.search.vector_cache import is_unit
from indexer.errors import UsageError
from indexer.types import Vector

if TYPE_CHECKING:
    import redis

logger = logging.getLogger("semsearch")

# On the same network an answer takes less than 1 ms, and embedding a query takes 3 to 100: who
# waits longer than this for Redis had better embed.
_SOCKET_TIMEOUT_S = 0.05
_PATIENCE_S = 0.1  # in all: a server that sends byte by byte never meets the socket's timeout
_ASIDE_S = 5.0  # after a failure
_THREADS = 4
_MOST_PENDING = 64  # calls; behind so many nobody stands in line
_DIGEST_BYTES = 16
_PREFIX = "semsearch:query:1:"


class RedisVectors:
    """Vectors by `query_key`. Threads may share it."""

    def __init__(self, url: str, ttl_s: int | None = None) -> None:
        """Connect to nothing yet.

        Args:
            url: redis://, rediss:// or unix://; may hold a password, and is never shown.
            ttl_s: how long Redis keeps a vector; None: as long as it likes.

        Raises:
            UsageError: the package is not installed, or the address cannot be used.
        """
        self._client = _client_of(url)
        self._ttl_s = ttl_s
        self._pool = ThreadPoolExecutor(_THREADS, "redis")
        self._lock = threading.Lock()
        self._pending = 0
        self._aside_until = 0.0
        self._told = False
        self.hits = self.misses = self.failures = 0

    def get(self, key: bytes, dimension: int) -> Vector | None:
        """The vector, float32, shape (dimension,); None if it is not known. Raises nothing."""
        answer = self._start(lambda: self._read(key, dimension))
        if answer is None:
            return None
        try:
            return answer.result(_PATIENCE_S)
        except TimeoutError:
            self._set_aside("no answer in time")
            return None

    async def fetch(self, key: bytes, dimension: int) -> Vector | None:
        """`get` without a thread of the caller's."""
        answer = self._start(lambda: self._read(key, dimension))
        if answer is None:
            return None
        try:
            return await asyncio.wait_for(asyncio.wrap_future(answer), _PATIENCE_S)
        except TimeoutError:
            self._set_aside("no answer in time")
            return None

    def put(self, key: bytes, vector: Vector) -> None:
        """Write it some time soon, if Redis takes it."""
        values = vector.astype("<f4").tobytes()
        self._start(lambda: self._write(key, values))

    def close(self) -> None:
        """Drop the connections; what has not been written is not."""
        self._pool.shutdown(wait=False, cancel_futures=True)
        self._client.connection_pool.disconnect()

    def _start(self, work: Callable[[], Vector | None]) -> "Future[Vector | None] | None":
        """The work on a thread of the pool; None while Redis is left alone."""
        with self._lock:
            if time.monotonic() < self._aside_until or self._pending >= _MOST_PENDING:
                return None
            self._pending += 1
        future = self._pool.submit(self._guarded, work)
        future.add_done_callback(self._on_done)
        return future

    def _on_done(self, _future: "Future[Vector | None]") -> None:
        with self._lock:
            self._pending -= 1

    def _guarded(self, work: Callable[[], Vector | None]) -> Vector | None:
        from redis.exceptions import ResponseError

        try:
            found = work()
        except ResponseError as error:  # it works, but not for this: a value of another kind, full
            self._tell(str(error))
            return None
        except Exception as error:  # whatever a broken server makes the client raise
            self._set_aside(str(error) or type(error).__name__)
            return None
        self._told = False
        return found

    def _read(self, key: bytes, dimension: int) -> Vector | None:
        length = 4 * dimension + _DIGEST_BYTES
        # One byte more than there should be, and never megabytes that somebody else put there.
        value = cast("bytes", self._client.getrange(_PREFIX + key.hex(), 0, length))
        vector = _vector_of(key, value) if len(value) == length else None
        if vector is None:
            self.misses += 1
        else:
            self.hits += 1
        return vector

    def _write(self, key: bytes, values: bytes) -> None:
        name = _PREFIX + key.hex()
        self._client.set(name, values + _digest(key, values), ex=self._ttl_s)

    def _set_aside(self, reason: str) -> None:
        self._aside_until = time.monotonic() + _ASIDE_S
        self._tell(f"{reason}. Not asked for {_ASIDE_S:.0f} s")

    def _tell(self, reason: str) -> None:
        """Once until it works again: a broken Redis must not fill the log."""
        self.failures += 1
        if not self._told:
            logger.warning("Redis does not help: %s.", reason)
            self._told = True


def _client_of(url: str) -> "redis.Redis":
    try:
        import redis
        from redis.backoff import NoBackoff
        from redis.retry import Retry
    except ModuleNotFoundError:
        raise UsageError(
            "redis_url is set, but the package is missing. pip install 'semsearch[redis]'"
        ) from None
    try:
        return redis.Redis.from_url(
            url,
            socket_timeout=_SOCKET_TIMEOUT_S,
            socket_connect_timeout=_SOCKET_TIMEOUT_S,
            retry=Retry(NoBackoff(), 0),
            protocol=2,
            decode_responses=False,
        )
    except ValueError:  # its text may hold parts of a password
        raise UsageError(
            "redis_url is no address of a Redis server. Give one like redis://127.0.0.1:6379/0"
        ) from None


def _digest(key: bytes, values: bytes) -> bytes:
    """Tells damage, and a value that was stored under another name."""
    return hashlib.blake2b(key + values, digest_size=_DIGEST_BYTES).digest()


def _vector_of(key: bytes, value: bytes) -> Vector | None:
    """The vector in a value of the right length; None if it is none of ours."""
    values, digest = value[:-_DIGEST_BYTES], value[-_DIGEST_BYTES:]
    if digest != _digest(key, values):
        return None
    vector: Vector = np.frombuffer(values, dtype="<f4").astype(np.float32)
    return vector if is_unit(vector) else None
