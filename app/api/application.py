"""The application factory: everything comes from the settings that are handed in."""

import ipaddress
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from anyio.to_thread import run_sync
from fastapi import FastAPI

from app.api import (
    collections,
    documents,
    embeddings,
    errors,
    health,
    judgements,
    metrics,
    page,
    rerank,
    search,
    status,
    tei,
    uploads,
)
from app.api.guard.body import BodyLimit
from app.api.guard.entry import Entry
from app.api.guard.envelope import Envelope
from app.api.guard.origins import LOOPBACK_NAMES, Origins
from app.api.guard.routes import ROUTES, Routes
from app.api.mcp import Agents
from app.api.state import State
from app.api.watched import watch
from app.keys.store import KeyStore
from app.settings import Settings
from indexer.errors import UsageError
from indexer.version import __version__

_ROUTERS = (
    search,
    embeddings,
    rerank,
    tei,
    documents,
    uploads,
    collections,
    judgements,
    status,
    health,
    metrics,
    page,
)
_DESCRIPTION = """\
Where the service asks for a key, send it as `Authorization: Bearer KEY` (or `X-Api-Key: KEY`).
Keys have scopes (search, write, admin) and may be limited to collections. Every answer carries
`X-Request-Id` and `Server-Timing`."""


def create_app(settings: Settings) -> FastAPI:
    """The HTTP service over the collections of these settings.

    Raises:
        UsageError: the address lies beyond this machine and there is no key to ask for.
        StoreError: the file of keys cannot be read.
    """
    keys = KeyStore(settings.home)
    check_address(settings, keys)
    state = State(settings)
    agents = Agents(state)

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        state.turns.start()
        state.start_warming()
        async with agents.running():
            yield
        state.stop()
        await run_sync(state.close)

    app = FastAPI(
        title="semsearch",
        version=__version__,
        summary="Search your documents by meaning",
        description=_DESCRIPTION,
        lifespan=lifespan,
        responses=errors.GUARD_RESPONSES,
        redirect_slashes=False,  # a redirect would repeat the Host it was called by
        docs_url=None,  # both pages load scripts from elsewhere
        redoc_url=None,
    )
    app.state.semsearch = state
    app.state.metrics = state.metrics
    watch(state.metrics, state)
    errors.install(app)
    _guard(app, settings, keys)
    for part in _ROUTERS:
        app.include_router(part.router)
    agents.add_to(app)
    return app


def _guard(app: FastAPI, settings: Settings, keys: KeyStore) -> None:
    """Put the guards around the application; what is added last is met first."""
    local = is_loopback(settings.host)
    app.add_middleware(BodyLimit, max_kib=settings.max_body_kib)
    app.add_middleware(Entry, store=keys, always=not local)
    app.add_middleware(
        Origins,
        # Elsewhere any name will do: what makes an answer safe there is the key.
        hosts=(*LOOPBACK_NAMES, settings.host) if local else None,
        origins=settings.allowed_origins,
    )
    app.add_middleware(Envelope, routes=Routes(ROUTES), metrics=app.state.metrics)


def check_address(settings: Settings, keys: KeyStore) -> None:
    """Refuse an address that others can reach, unless they can be asked for a key."""
    if is_loopback(settings.host) or keys.all():
        return
    raise UsageError(
        f"host = {settings.host}: other machines could read every collection, and there is no key "
        "to ask them for. Make one with `semsearch key create --name NAME --scope search`, or keep "
        "127.0.0.1."
    )


def is_loopback(host: str) -> bool:
    """True when only this machine can reach the address."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
