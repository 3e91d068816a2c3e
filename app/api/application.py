"""The application factory: everything comes from the settings that are handed in."""

import ipaddress
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI
from starlette.middleware.trustedhost import TrustedHostMiddleware

from app.api import collections, documents, embeddings, errors, health, search
from app.api.state import State
from app.settings import Settings
from indexer.errors import UsageError
from indexer.version import __version__

LOOPBACK_NAMES = ["localhost", "127.0.0.1", "[::1]"]


def create_app(settings: Settings) -> FastAPI:
    """The HTTP service over the collections of these settings.

    Raises:
        UsageError: the address lies beyond this machine and that was not allowed.
    """
    check_address(settings)
    state = State(settings)

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        state.turns.start()
        state.start_warming()
        yield
        state.recall.close()
        state.collections.close()

    app = FastAPI(
        title="semsearch",
        version=__version__,
        summary="Search your documents by meaning",
        lifespan=lifespan,
    )
    app.state.semsearch = state
    errors.install(app)
    if is_loopback(settings.host):
        # A web page can point its own name at 127.0.0.1 (DNS rebinding) and read answers as if it
        # were us; its requests carry that name in Host.
        app.add_middleware(TrustedHostMiddleware, allowed_hosts=[*LOOPBACK_NAMES, settings.host])
    for part in (search, embeddings, documents, collections, health):
        app.include_router(part.router)
    return app


def check_address(settings: Settings) -> None:
    """Refuse an address that others can reach, unless that was allowed in so many words."""
    if is_loopback(settings.host) or settings.allow_remote:
        return
    raise UsageError(
        f"host = {settings.host}: other machines could read every collection, and the service asks "
        "for no key. Keep 127.0.0.1 behind a proxy that checks who asks, or set "
        "SEMSEARCH_ALLOW_REMOTE=true on a network you trust."
    )


def is_loopback(host: str) -> bool:
    """True when only this machine can reach the address."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
