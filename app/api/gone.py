"""Work for a client that has gone away is given up, not finished for nobody."""

import asyncio
from collections.abc import Coroutine
from concurrent.futures import Future
from typing import Any, TypeVar

from fastapi import Request

T = TypeVar("T")


class ClientGoneError(Exception):
    """Nobody is there to be answered."""


async def unless_gone(request: Request, work: Coroutine[Any, Any, T]) -> T:
    """What `work` gives; it is cancelled when the client hangs up.

    The request's body must have been read.

    Raises:
        ClientGoneError: the client hung up first.
    """
    working = asyncio.create_task(work)
    leaving = asyncio.create_task(_left(request))
    try:
        await asyncio.wait({working, leaving}, return_when=asyncio.FIRST_COMPLETED)
        if not working.done():
            raise ClientGoneError
        return working.result()
    finally:
        for task in (working, leaving):
            task.cancel()
        await asyncio.gather(working, leaving, return_exceptions=True)


async def result_of(future: Future[T]) -> T:
    """What a future of other threads gives; cancelled with the task that waits."""
    return await asyncio.wrap_future(future)


async def _left(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass
