"""Load from one process of its own: clients that wait for answers, or arrivals that do not.

    python benchmarks/serving/generator.py < PLAN.json > FOUND.json

One thread, an event loop, and HTTP/1.1 by hand, so that on two cores the server and not this
program is what is measured; it reports its own processor time. The parent's side is `load.py`.
"""

import asyncio
import json
import random
import resource
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import cycle
from typing import Any

from doors import DOORS, Door

TIMEOUT_S = 60.0
CONNECTIONS = 4096  # open at once; an arrival beyond them is counted, not sent
KEPT_S = 3.0  # servers close idle connections, uvicorn after 5 s
_ENDED = (ConnectionError, asyncio.IncompleteReadError)


class Busy(Exception):
    """No connection is left for an arrival."""


@dataclass
class Asked:
    """Columns, a row for each request, in the order of the answers."""

    at_s: list[float] = field(default_factory=list)  # when it was due, since the phase began
    ms: list[float] = field(default_factory=list)  # from when it was due to the whole answer
    late_ms: list[float] = field(default_factory=list)  # how late this program sent it
    status: list[str] = field(default_factory=list)

    def add(self, at_s: float, ms: float, late_ms: float, status: str) -> None:
        self.at_s.append(round(at_s, 4))
        self.ms.append(round(ms, 3))
        self.late_ms.append(round(late_ms, 3))
        self.status.append(status)


class Connection:
    """A kept connection, opened when it is needed."""

    def __init__(self, host: str, port: int) -> None:
        self._address = host, port
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None
        self._answered = 0.0

    async def ask(self, request: bytes) -> tuple[int, bytes]:
        """(status, body). Never asks twice: a request that the server drops must be seen."""
        if time.monotonic() - self._answered > KEPT_S:
            self.close()
        if self._streams is None:
            self._streams = await asyncio.open_connection(*self._address)
        reader, writer = self._streams
        writer.write(request)
        head = (await reader.readuntil(b"\r\n\r\n")).lower()
        _, found, length = head.partition(b"\r\ncontent-length:")
        if not found:
            raise ValueError(f"an answer without Content-Length: {head[:200]!r}")
        body = await reader.readexactly(int(length.split(b"\r\n", 1)[0]))
        self._answered = time.monotonic()
        if b"\r\nconnection: close" in head:
            self.close()
        return int(head[9:12]), body

    def close(self) -> None:
        if self._streams is not None:
            self._streams[1].close()
            self._streams = None


class Generator:
    """Asks one server through one door."""

    def __init__(self, host: str, port: int, door: Door) -> None:
        self._host, self._port, self._door = host, port, door
        self._idle: list[Connection] = []
        self._opened = 0

    async def closed(
        self, items: Iterator[Any], clients: int, seconds: float | None, asked: Asked
    ) -> None:
        """Clients that ask on once they have their answer, until items or time end."""
        began = time.perf_counter()
        until = None if seconds is None else began + seconds

        async def client() -> None:
            for item in items:
                due = time.perf_counter()
                if until is not None and due >= until:
                    return
                status = await self._status(item)
                asked.add(due - began, (time.perf_counter() - due) * 1000, 0.0, status)

        await asyncio.gather(*(client() for _ in range(clients)))

    async def opened(
        self,
        items: Iterator[Any],
        rate: float,
        seconds: float,
        asked: Asked,
        group: asyncio.TaskGroup,
    ) -> None:
        """Arrivals at random (Poisson, seeded), whatever becomes of those before."""
        draw, began = random.Random(11), time.perf_counter()
        due = draw.expovariate(rate)
        while due < seconds:
            await asyncio.sleep(max(0.0, began + due - time.perf_counter()))
            group.create_task(self._arrive(next(items), began, due, asked))
            due += draw.expovariate(rate)

    async def _arrive(self, item: Any, began: float, due: float, asked: Asked) -> None:
        late = time.perf_counter() - began - due
        status = await self._status(item)
        asked.add(due, (time.perf_counter() - began - due) * 1000, late * 1000, status)

    async def _status(self, item: Any) -> str:
        try:
            connection = self._take()
        except Busy:
            return "not sent"
        try:
            async with asyncio.timeout(TIMEOUT_S):
                status, body = await connection.ask(self._door.request(item))
        except TimeoutError:
            connection.close()
            status, body = 0, b""
        except _ENDED as error:
            connection.close()
            return type(error).__name__
        finally:
            self._idle.append(connection)
        if status == 200 and self._door.holds not in body:
            return "degraded"
        return str(status) if status else "timeout"

    def _take(self) -> Connection:
        if self._idle:
            return self._idle.pop()
        if self._opened == CONNECTIONS:
            raise Busy
        self._opened += 1
        return Connection(self._host, self._port)

    def close(self) -> None:
        for connection in self._idle:
            connection.close()


async def run(plan: dict[str, Any]) -> dict[str, Any]:
    """Do the phases of a plan (see `load.Phase`) one after another.

    What arrived in a phase and has no answer at its end goes on beside the next one.
    """
    generator = Generator(plan["host"], plan["port"], DOORS[plan["door"]])
    items = cycle(plan["items"]) if plan["again"] else iter(plan["items"])
    found = []
    async with asyncio.TaskGroup() as group:
        for phase in plan["phases"]:
            asked, started, used = Asked(), time.monotonic(), time.process_time()
            if phase["rate"] is None:
                await generator.closed(items, phase["clients"], phase["seconds"], asked)
            else:
                await generator.opened(items, phase["rate"], phase["seconds"], asked, group)
            wall = time.monotonic() - started
            times = {"wall_s": wall, "cpu_share": (time.process_time() - used) / wall}
            found.append((asked, {"started_s": started, **times}))
    generator.close()
    return {"phases": [vars(asked) | times for asked, times in found]}


def main() -> None:
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    json.dump(asyncio.run(run(json.load(sys.stdin))), sys.stdout)


if __name__ == "__main__":
    main()
