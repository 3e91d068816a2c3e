"""GET /collections."""

from fastapi import APIRouter

from app.api.errors import RESPONSES
from app.api.schemas import CollectionAnswer
from app.api.state import StateDep

router = APIRouter(tags=["collections"], responses=RESPONSES)


@router.get("/collections")
def collections(state: StateDep) -> list[CollectionAnswer]:
    """All collections with their counts and contracts."""
    answers = []
    for name in state.collections.names():
        opened = state.collections.get(name)
        status = opened.status()
        answers.append(
            CollectionAnswer(
                name=name,
                documents=status.documents,
                chunks=status.chunks,
                vectors=status.vectors,
                generation=status.generation,
                contract=status.contract.to_dict(),
            )
        )
    return answers
