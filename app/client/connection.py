"""What both clients have in common: addresses checked, answers read, refusals made errors."""

import ipaddress
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import httpx

from app.client.calls import Call, T
from indexer.errors import (
    ContractError,
    NotFoundError,
    OverloadedError,
    SemsearchError,
    UsageError,
)

_BY_STATUS: dict[int, type[SemsearchError]] = {
    400: UsageError,
    401: UsageError,
    403: UsageError,
    404: NotFoundError,
    409: ContractError,
    413: UsageError,
    422: UsageError,
    429: OverloadedError,
    503: OverloadedError,
}


@dataclass(frozen=True, slots=True)
class Connection:
    """Where a service is, and how it is asked."""

    address: httpx.URL
    timeout_s: float
    key: str | None

    @classmethod
    def to(cls, url: str, timeout_s: float, key: str | None) -> "Connection":
        """A connection to this address, checked before anything is sent.

        Raises:
            UsageError: it is none.
        """
        try:
            address = httpx.URL(url)
        except httpx.InvalidURL:
            address = httpx.URL()
        if (
            address.scheme not in {"http", "https"}
            or not address.host
            or not 0 < (address.port or 80) < 65_536
        ):
            raise UsageError(
                f"{url!r} is no address of a service. Give one like http://127.0.0.1:8765"
            )
        return cls(address, timeout_s, key)

    @property
    def options(self) -> Mapping[str, Any]:
        """For httpx. A service on this machine is never asked through a proxy."""
        headers = {} if self.key is None else {"Authorization": f"Bearer {self.key}"}
        return {
            "base_url": self.address,
            "timeout": self.timeout_s,
            "headers": headers,
            "follow_redirects": False,  # an answer must come from the service that was named
            "trust_env": not _is_here(self.address.host),
        }

    def read(self, call: Call[T], response: httpx.Response) -> T:
        """What the answer says.

        Raises:
            SemsearchError: the service refused, with its own words, or it is no such service.
        """
        if not response.is_success:
            raise self._refusal(response)
        try:
            return call.make(response.json())
        except (KeyError, TypeError, ValueError):
            raise SemsearchError(
                f"{self.address} is no semsearch service: its answer has another shape. "
                "Check the address and port."
            ) from None

    def _refusal(self, response: httpx.Response) -> SemsearchError:
        try:
            message = str(response.json()["error"]["message"])
        except (ValueError, KeyError, TypeError):
            message = f"{self.address} answered {response.status_code} without an explanation."
        return _BY_STATUS.get(response.status_code, SemsearchError)(message)

    def unreachable(self, error: httpx.HTTPError) -> SemsearchError:
        """What to raise for a failure on the way."""
        return SemsearchError(
            f"{self.address}: {error or type(error).__name__}. Is `semsearch serve` running there?"
        )


def _is_here(host: str) -> bool:
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
