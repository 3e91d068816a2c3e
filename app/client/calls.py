"""What a service can be asked, and how its answers are read: the same for both clients."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from app.client.documents import Document, ListedDocument, SimilarDocument, StoredDocument
from app.client.hits import Hits

T = TypeVar("T")
Values = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Call(Generic[T]):
    """One request. `make` makes the result of the answer's JSON, or fails on another shape."""

    method: str
    path: str
    make: Callable[[Any], T]
    options: Values = field(default_factory=dict)  # for httpx


@dataclass(frozen=True, slots=True)
class ListPage:
    """Some documents, and where those after them begin; None: there are none."""

    documents: list[ListedDocument]
    after: int | None


def search(
    query: str,
    k: int,
    mode: str,
    instruction: str | None,
    where: str | None,
    cursor: str | None,
    collection: str | Sequence[str] | None,
) -> Call[Hits]:
    """Ranked hits."""
    several = collection is None or isinstance(collection, str)
    asked = _given(
        query=query,
        k=k,
        mode=mode,
        instruction=instruction,
        where=where,
        cursor=cursor,
        collection=collection if several else list(collection or ()),
    )
    return Call("POST", "/search", Hits.from_dict, {"json": asked})


def answer(request: Values) -> Call[dict[str, Any]]:
    """The whole answer to a search."""

    def make(values: Any) -> dict[str, Any]:
        Hits.from_dict(values)  # fails on another shape, as an older service's
        for hit in values["hits"]:
            _ = [hit[name] for name in ("before", "after", "more", "duplicates", "snippet")]
        _ = values["degraded"], values["rerank"]
        return dict(values)

    return Call("POST", "/search", make, {"json": dict(request)})


def put(
    documents: Iterable[Values], collection: str | None, create: bool
) -> Call[list[StoredDocument]]:
    """Add or replace documents."""
    asked = {"documents": list(documents), "collection": collection, "create": create}
    make = _each(StoredDocument.from_dict, "documents")
    return Call("POST", "/documents", make, {"json": asked})


def delete(external_ids: Sequence[str], collection: str | None) -> Call[list[int]]:
    """Delete documents that were put there."""
    asked = _given(external_id=list(external_ids), collection=collection)
    return Call("DELETE", "/documents", _each(int, "deleted"), {"params": asked})


def document(document_id: int, collection: str | None) -> Call[Document]:
    """A whole document."""
    asked = _given(collection=collection)
    return Call("GET", f"/documents/{document_id:d}", Document.from_dict, {"params": asked})


def documents(
    after: int, under: str | None, where: str | None, collection: str | None
) -> Call[ListPage]:
    """A page of a listing."""
    asked = _given(after=after, under=under, where=where, collection=collection)

    def make(answer: Any) -> ListPage:
        listed = _each(ListedDocument.from_dict, "documents")(answer)
        after = answer["next"]
        return ListPage(listed, None if after is None else int(after))

    return Call("GET", "/documents", make, {"params": asked})


def similar(
    document_id: int, k: int, where: str | None, collection: str | None
) -> Call[list[SimilarDocument]]:
    """Documents like this one."""
    asked = _given(k=k, where=where, collection=collection)
    make = _each(SimilarDocument.from_dict, "hits")
    return Call("GET", f"/documents/{document_id:d}/similar", make, {"params": asked})


def _given(**options: Any) -> dict[str, Any]:
    """Those that were given; the service has its own defaults."""
    return {name: value for name, value in options.items() if value is not None}


def _each(make: Callable[[Any], T], name: str) -> Callable[[Any], list[T]]:
    return lambda answer: [make(one) for one in answer[name]]
