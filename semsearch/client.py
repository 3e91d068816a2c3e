"""Ask a running `semsearch serve`."""

from types import TracebackType
from typing import Any, Self

import httpx

from semsearch.errors import (
    ContractError,
    NotFoundError,
    OverloadedError,
    SemsearchError,
    UsageError,
)
from semsearch.hits import Hit

_BY_STATUS: dict[int, type[SemsearchError]] = {
    400: UsageError,
    404: NotFoundError,
    409: ContractError,
    422: UsageError,
    503: OverloadedError,
}


class Client:
    """A connection to one service. A context manager; threads may share it.

    `timeout_s` bounds each request: a cold model may take long to answer the first one.
    """

    def __init__(self, url: str = "http://127.0.0.1:8765", timeout_s: float = 30.0) -> None:
        # No redirects: an answer must come from the service that was named.
        self._http = httpx.Client(base_url=url, timeout=timeout_s, follow_redirects=False)

    def search(
        self,
        query: str,
        k: int = 10,
        *,
        mode: str = "dense",
        instruction: str | None = None,
        collection: str | list[str] | None = None,
    ) -> list[Hit]:
        """The k best documents, best first.

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
        answer = self._ask("POST", "/search", json=request)
        return [Hit.from_dict(values) for values in answer["hits"]]

    def ready(self) -> bool:
        """Whether the service has its model loaded.

        Raises:
            SemsearchError: it cannot be reached.
        """
        return self._send("GET", "/ready").status_code == 200

    def _ask(self, method: str, path: str, **options: Any) -> Any:
        response = self._send(method, path, **options)
        if response.is_success:
            return response.json()
        try:
            message = str(response.json()["error"]["message"])
        except (ValueError, KeyError, TypeError):
            message = (
                f"{self._http.base_url} answered {response.status_code} without an explanation."
            )
        raise _BY_STATUS.get(response.status_code, SemsearchError)(message)

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
