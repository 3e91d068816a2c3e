"""The clock of a request, for the routes that say where its time went."""

from typing import Annotated

from fastapi import Depends, Request
from starlette.types import Scope

from app.search.stages import Stages

_STAGES = "semsearch.stages"


def start_clock(connection: Scope) -> Stages:
    """A new clock for this request, which routes get as `StagesDep`."""
    stages = connection[_STAGES] = Stages()
    return stages


async def get_stages(request: Request) -> Stages:
    """The clock of this request, as a dependency."""
    stages = request.scope[_STAGES]
    assert isinstance(stages, Stages)
    return stages


StagesDep = Annotated[Stages, Depends(get_stages)]
