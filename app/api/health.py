"""Whether the process is alive, has had an embedding that worked, or has one just now."""

from fastapi import APIRouter, Request

from app.api.errors import RESPONSES, ApiError
from app.api.gone import result_of, unless_gone
from app.api.schemas import Health
from app.api.state import State, StateDep
from indexer.types import Kind

router = APIRouter(tags=["health"])


@router.get("/health")
async def health() -> Health:
    """Alive: the process answers."""
    return Health(status="alive")


@router.get("/ready", responses={503: RESPONSES[503]})
async def ready(state: StateDep) -> Health:
    """Ready: the model is loaded and has embedded a text."""
    _check(state)
    return Health(status="ready")


@router.get("/health_generate", responses={503: RESPONSES[503]})
async def health_generate(client: Request, state: StateDep) -> Health:
    """The model works: it embeds a word just now, however much waits. As SGLang has it."""
    _check(state)
    asked = state.first_embedder.submit(["a"], Kind.DOCUMENT, urgent=True, bounded=False)
    await unless_gone(client, result_of(asked))
    return Health(status="ready")


def _check(state: State) -> None:
    if state.problem is not None:
        raise ApiError(503, state.problem, code="not_ready")
