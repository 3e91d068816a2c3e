"""Ask a running `semsearch serve`."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from types import TracebackType
from typing import Any, Self

import httpx

from app.client import calls
from app.client.calls import Call, T
from app.client.connection import Connection
from app.client.documents import Document, ListedDocument, SimilarDocument, StoredDocument
from app.client.hits import Hits


class Client:
    """A connection to one service. A context manager; threads may share it.

    `timeout_s` bounds each request: a cold model may take long to answer the first one. `key`: what
    `semsearch key create` gave, where the service asks for one. A service on this machine is never
    asked through a proxy, whatever the environment says.

    Raises:
        UsageError: the address is none.
    """

    def __init__(
        self,
        url: str = "http://127.0.0.1:8765",
        timeout_s: float = 30.0,
        key: str | None = None,
    ) -> None:
        self._connection = Connection.to(url, timeout_s, key)
        self._http = httpx.Client(
            base_url=self._connection.address,
            timeout=timeout_s,
            headers=self._connection.headers,
            follow_redirects=False,  # an answer must come from the service that was named
            trust_env=not self._connection.is_here,
        )

    def search(
        self,
        query: str,
        k: int = 10,
        *,
        mode: str = "hybrid",
        instruction: str | None = None,
        where: str | None = None,
        cursor: str | None = None,
        collection: str | Sequence[str] | None = None,
    ) -> Hits:
        """The k best documents, best first.

        Args:
            query: a question, or words; "phrases in quotes" and -excluded words are understood.
            k: how many.
            mode: "hybrid", "dense" or "lexical".
            instruction: the task, for models that take one.
            where: which documents may be found (docs/filters.md).
            cursor: `next` of the hits before: those after them.
            collection: one or several; None: the service's default one.

        Raises:
            SemsearchError: the service refused, with its own words, or cannot be reached.
        """
        return self._ask(calls.search(query, k, mode, instruction, where, cursor, collection))

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
        return self._ask(calls.put(documents, collection, create))

    def delete(self, *external_ids: str, collection: str | None = None) -> list[int]:
        """Delete documents that were put there, all of them or none; their ids in the service.

        Raises:
            NotFoundError: there is none of one of these ids.
            SemsearchError: see `put`.
        """
        return self._ask(calls.delete(external_ids, collection))

    def document(self, document_id: int, *, collection: str | None = None) -> Document:
        """A whole document, by the id that hits and listings give.

        Raises:
            NotFoundError: there is none.
            SemsearchError: see `put`.
        """
        return self._ask(calls.document(document_id, collection))

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
        after: int | None = 0
        while after is not None:
            page = self._ask(calls.documents(after, under, where, collection))
            yield from page.documents
            after = page.after

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
        return self._ask(calls.similar(document_id, k, where, collection))

    def ready(self) -> bool:
        """Whether the service has its model loaded.

        Raises:
            SemsearchError: it cannot be reached.
        """
        return (self._send("GET", "/ready")).status_code == 200

    def _ask(self, call: Call[T]) -> T:
        response = self._send(call.method, call.path, **call.options)
        return self._connection.read(call, response.status_code, response.content)

    def _send(self, method: str, path: str, **options: Any) -> httpx.Response:
        try:
            return self._http.request(method, path, **options)
        except httpx.HTTPError as error:
            raise self._connection.unreachable(error) from error

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
