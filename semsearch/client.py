"""Ask a running `semsearch serve`."""

import ipaddress
from collections.abc import Callable, Iterable, Iterator, Mapping
from types import TracebackType
from typing import Any, Self, TypeVar

import httpx

from semsearch.documents import Document, ListedDocument, SimilarDocument, StoredDocument
from semsearch.errors import (
    ContractError,
    NotFoundError,
    OverloadedError,
    SemsearchError,
    UsageError,
)
from semsearch.hits import Hits

T = TypeVar("T")

_BY_STATUS: dict[int, type[SemsearchError]] = {
    400: UsageError,
    404: NotFoundError,
    413: UsageError,
    409: ContractError,
    422: UsageError,
    503: OverloadedError,
}


def _address(url: str) -> httpx.URL:
    """The address of a service, checked before anything is sent."""
    try:
        address = httpx.URL(url)
    except httpx.InvalidURL:
        address = httpx.URL()
    if (
        address.scheme not in {"http", "https"}
        or not address.host
        or not 0 < (address.port or 80) < 65_536
    ):
        raise UsageError(f"{url!r} is no address of a service. Give one like http://127.0.0.1:8765")
    return address


def _is_here(host: str) -> bool:
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _given(**options: Any) -> dict[str, Any]:
    """Those that were given; the service has its own defaults."""
    return {name: value for name, value in options.items() if value is not None}


class Client:
    """A connection to one service. A context manager; threads may share it.

    `timeout_s` bounds each request: a cold model may take long to answer the first one. A service
    on this machine is never asked through a proxy, whatever the environment says.

    Raises:
        UsageError: the address is none.
    """

    def __init__(self, url: str = "http://127.0.0.1:8765", timeout_s: float = 30.0) -> None:
        address = _address(url)
        self._http = httpx.Client(
            base_url=address,
            timeout=timeout_s,
            follow_redirects=False,  # an answer must come from the service that was named
            trust_env=not _is_here(address.host),
        )

    def search(
        self,
        query: str,
        k: int = 10,
        *,
        mode: str = "hybrid",
        instruction: str | None = None,
        collection: str | list[str] | None = None,
    ) -> Hits:
        """The k best documents, best first. `mode`: "hybrid", "dense" or "lexical".

        Raises:
            SemsearchError: the service refused, with its own words, or cannot be reached.
        """
        request = {
            "query": query,
            "k": k,
            "mode": mode,
            "instruction": instruction,
            "collection": collection,
        }
        return self._read(Hits.from_dict, self._ask("POST", "/search", json=request))

    def put(
        self,
        documents: Iterable[Mapping[str, Any]],
        *,
        collection: str | None = None,
        create: bool = False,
    ) -> list[StoredDocument]:
        """Add documents, or replace those of the same ids: all of them, or none.

        Args:
            documents: each with `id` and `text`, and, as wanted, `format` ("text", "markdown",
                "html" ...), `title`, `metadata` (JSON values to filter by) and `modified`
                (ISO 8601 with its zone).
            collection: None: the service's default one.
            create: make the collection, with the service's model, if there is none.

        Raises:
            SemsearchError: the service refused, with its own words, or cannot be reached.
        """
        request = {"documents": list(documents), "collection": collection, "create": create}
        answer = self._ask("POST", "/documents", json=request)
        return self._read_each(StoredDocument.from_dict, answer, "documents")

    def delete(self, *external_ids: str, collection: str | None = None) -> list[int]:
        """Delete documents that were put there, all of them or none; their ids in the service.

        Raises:
            NotFoundError: there is none of one of these ids.
            SemsearchError: see `put`.
        """
        query = _given(external_id=list(external_ids), collection=collection)
        answer = self._ask("DELETE", "/documents", params=query)
        return self._read_each(int, answer, "deleted")

    def document(self, document_id: int, *, collection: str | None = None) -> Document:
        """A whole document, by the id that hits and listings give.

        Raises:
            NotFoundError: there is none.
            SemsearchError: see `put`.
        """
        path = f"/documents/{document_id:d}"
        answer = self._ask("GET", path, params=_given(collection=collection))
        return self._read(Document.from_dict, answer)

    def documents(
        self,
        *,
        under: str | None = None,
        where: str | None = None,
        collection: str | None = None,
    ) -> Iterator[ListedDocument]:
        """Documents by ascending id, asked for page by page.

        Args:
            under: a file or folder by its absolute path, or "api:/" for what was put there.
            where: a filter, as in searches.
            collection: None: the service's default one.

        Raises:
            SemsearchError: see `put`.
        """
        query = _given(under=under, where=where, collection=collection)
        after: int | None = 0
        while after is not None:
            answer = self._ask("GET", "/documents", params={**query, "after": after})
            yield from self._read_each(ListedDocument.from_dict, answer, "documents")
            after = answer.get("next")

    def similar(
        self,
        document_id: int,
        k: int = 10,
        *,
        where: str | None = None,
        collection: str | None = None,
    ) -> list[SimilarDocument]:
        """The k documents that mean most nearly the same as this one, best first; needs no model.

        Raises:
            NotFoundError: there is no such document.
            SemsearchError: see `put`.
        """
        query = _given(k=k, where=where, collection=collection)
        answer = self._ask("GET", f"/documents/{document_id:d}/similar", params=query)
        return self._read_each(SimilarDocument.from_dict, answer, "hits")

    def ready(self) -> bool:
        """Whether the service has its model loaded.

        Raises:
            SemsearchError: it cannot be reached.
        """
        return self._send("GET", "/ready").status_code == 200

    def _read(self, make: Callable[[Any], T], answer: Any) -> T:
        """What `make` makes of an answer.

        Raises:
            SemsearchError: it has another shape.
        """
        try:
            return make(answer)
        except (KeyError, TypeError, ValueError):
            raise self._foreign() from None

    def _read_each(self, make: Callable[[Any], T], answer: Any, name: str) -> list[T]:
        return self._read(lambda whole: [make(one) for one in whole[name]], answer)

    def _ask(self, method: str, path: str, **options: Any) -> Any:
        response = self._send(method, path, **options)
        if response.is_success:
            try:
                return response.json()
            except ValueError:
                raise self._foreign() from None
        try:
            message = str(response.json()["error"]["message"])
        except (ValueError, KeyError, TypeError):
            message = (
                f"{self._http.base_url} answered {response.status_code} without an explanation."
            )
        raise _BY_STATUS.get(response.status_code, SemsearchError)(message)

    def _foreign(self) -> SemsearchError:
        return SemsearchError(
            f"{self._http.base_url} is no semsearch service: its answer has another shape. "
            "Check the address and port."
        )

    def _send(self, method: str, path: str, **options: Any) -> httpx.Response:
        try:
            return self._http.request(method, path, **options)
        except httpx.HTTPError as error:
            raise SemsearchError(
                f"{self._http.base_url}: {error or type(error).__name__}. "
                "Is `semsearch serve` running there?"
            ) from error

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()
