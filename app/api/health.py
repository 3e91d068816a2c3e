"""GET /health (the process is alive) and GET /ready (a real embedding has worked)."""

from fastapi import APIRouter

from app.api.errors import RESPONSES, ApiError
from app.api.schemas import Health
from app.api.state import StateDep

router = APIRouter(tags=["health"])


@router.get("/health")
async def health() -> Health:
    """Alive: the process answers."""
    return Health(status="alive")


@router.get("/ready", responses={503: RESPONSES[503]})
async def ready(state: StateDep) -> Health:
    """Ready: the model is loaded and has embedded a text."""
    if state.problem is not None:
        raise ApiError(503, state.problem, code="not_ready")
    return Health(status="ready")
