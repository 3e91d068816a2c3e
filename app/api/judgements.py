"""GET and POST /judgements: whether a document answers a query, as somebody says who reads it.

They lie where those of `semsearch judge` lie. Unlike those they were not made blind.
"""

from typing import Annotated

from fastapi import APIRouter
from fastapi import Query as Parameters

from app.api.errors import RESPONSES
from app.api.judgement_schemas import (
    MAX_DOCUMENTS,
    DocumentId,
    Judgement,
    JudgementRequest,
    JudgementsAnswer,
)
from app.api.schemas import CollectionName
from app.api.state import StateDep
from app.judging.names import document_name
from app.judging.store import JudgementStore, read_judgements
from app.judging.wanted import clean, wanted_queries
from app.search.query import MAX_QUERY_CHARS
from indexer.errors import NotFoundError
from indexer.storage.snapshot import Snapshot

router = APIRouter(tags=["judgements"], responses=RESPONSES)


@router.get("/judgements")
def judgements(
    state: StateDep,
    query: Annotated[str, Parameters(min_length=1, max_length=MAX_QUERY_CHARS)],
    document: Annotated[list[DocumentId], Parameters(max_length=MAX_DOCUMENTS)],
    collection: CollectionName | None = None,
) -> JudgementsAnswer:
    """What was said of these documents for this query; those nobody judged are left out."""
    ((name, opened),) = state.chosen(state.names(collection)).items()
    text = clean(query)
    known = read_judgements(state.collections.folder(name))
    grades = next((known.qrels[of] for of, said in known.queries.items() if said == text), {})
    found = []
    if grades:
        with opened.snapshot() as now:
            for document_id in dict.fromkeys(document):
                judged_as = _name(now, document_id)
                if judged_as in grades:
                    found.append(Judgement(document=document_id, grade=grades[judged_as]))
    return JudgementsAnswer(collection=name, query=text, judgements=found)


@router.post("/judgements")
def judge(request: JudgementRequest, state: StateDep) -> JudgementsAnswer:
    """Keep a judgement; one of the same query and document is replaced, `null` takes it back."""
    ((name, opened),) = state.chosen(state.names(request.collection)).items()
    text = clean(request.query)
    with opened.snapshot() as now:
        document = _name(now, request.document)
    if document is None:
        raise NotFoundError(
            f"There is no document {request.document} in collection {name!r}. Search again: it may "
            "have been indexed anew."
        )
    with state.judging, JudgementStore(state.collections.folder(name)) as store:
        ((query, text),) = wanted_queries([text], None, store.judgements)
        if request.grade is None:
            store.withdraw(query, document)
        else:
            store.put(query, text, document, request.grade)
    return JudgementsAnswer(collection=name, query=text, judgements=_as_asked(request))


def _as_asked(request: JudgementRequest) -> list[Judgement]:
    if request.grade is None:
        return []
    return [Judgement(document=request.document, grade=request.grade)]


def _name(now: Snapshot, document_id: int) -> str | None:
    """What judgements call the document of this id; None where there is none."""
    found = now.documents(after=document_id - 1, limit=1)
    if not found or found[0].id != document_id:
        return None
    return document_name(found[0], now.roots())
