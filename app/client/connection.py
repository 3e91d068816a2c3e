"""What both clients have in common: addresses checked, answers read, refusals made errors."""

import ipaddress
import json
from dataclasses import dataclass
from urllib.parse import urlsplit

from app.client.calls import Call, T
from indexer.errors import (
    ContractError,
    NotFoundError,
    OverloadedError,
    SemsearchError,
    UsageError,
)


class NoAnswerError(SemsearchError):
    """No service of ours answered; the question itself may be fine."""


class NoKeyError(UsageError):
    """The service asks for a key, or for another one."""


_BY_STATUS: dict[int, type[SemsearchError]] = {
    400: UsageError,
    401: NoKeyError,
    403: NoKeyError,
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

    address: str
    timeout_s: float
    key: str | None

    @classmethod
    def to(cls, url: str, timeout_s: float, key: str | None) -> "Connection":
        """A connection to this address, checked before anything is sent.

        Raises:
            UsageError: it is none.
        """
        try:
            parts = urlsplit(url)
            port = parts.port
        except ValueError:
            parts, port = urlsplit(""), None
        is_address = parts.scheme in ("http", "https") and bool(parts.hostname)
        if not is_address or port == 0 or any(c.isspace() or not c.isprintable() for c in url):
            raise UsageError(
                f"{url!r} is no address of a service. Give one like http://127.0.0.1:8765"
            )
        if key is not None and not (key.isascii() and key.isprintable()):
            raise UsageError("The key holds characters that none of ours has. Copy it again.")
        return cls(url.rstrip("/"), timeout_s, key)

    @property
    def headers(self) -> dict[str, str]:
        """That each request carries."""
        return {} if self.key is None else {"Authorization": f"Bearer {self.key}"}

    @property
    def is_here(self) -> bool:
        """Whether the service is on this machine: then no proxy is asked."""
        host = urlsplit(self.address).hostname or ""
        return _is_here(host)

    def read(self, call: Call[T], status: int, body: bytes) -> T:
        """What the answer says.

        Raises:
            SemsearchError: the service refused, with its own words, or it is no such service.
        """
        if not 200 <= status < 300:
            raise self._refusal(status, body)
        try:
            return call.make(json.loads(body))
        except (KeyError, TypeError, ValueError, RecursionError):
            raise NoAnswerError(
                f"{self.address} is no semsearch service: its answer has another shape. "
                "Check the address and port."
            ) from None

    def _refusal(self, status: int, body: bytes) -> SemsearchError:
        try:
            message = str(json.loads(body)["error"]["message"])
        except (ValueError, KeyError, TypeError, RecursionError):
            message = f"{self.address} answered {status} without an explanation."
            return _BY_STATUS.get(status, NoAnswerError)(message)
        return _BY_STATUS.get(status, SemsearchError)(message)

    def unreachable(self, error: Exception) -> NoAnswerError:
        """What to raise for a failure on the way."""
        return NoAnswerError(
            f"{self.address}: {error or type(error).__name__}. Is `semsearch serve` running there?"
        )


def _is_here(host: str) -> bool:
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
