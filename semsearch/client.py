"""Ask a running `semsearch serve`."""

import ipaddress
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
from semsearch.hits import Hits

_BY_STATUS: dict[int, type[SemsearchError]] = {
    400: UsageError,
    404: NotFoundError,
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
        answer = self._ask("POST", "/search", json=request)
        try:
            return Hits.from_dict(answer)
        except (KeyError, TypeError):
            raise self._foreign() from None

    def ready(self) -> bool:
        """Whether the service has its model loaded.

        Raises:
            SemsearchError: it cannot be reached.
        """
        return self._send("GET", "/ready").status_code == 200

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
