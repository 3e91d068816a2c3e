"""Where an endpoint's requests go: its URL checked and completed."""

from dataclasses import dataclass
from urllib.parse import SplitResult, urlsplit, urlunsplit

import httpx

from indexer.embedding.wishes import Endpoint, EndpointApi
from indexer.errors import UsageError

_EXAMPLE = "Give one like http://127.0.0.1:30000/v1"


@dataclass(frozen=True, slots=True)
class Address:
    """The checked addresses of one endpoint. Safe to show: they hold no secret."""

    url: str  # where texts are posted
    models_url: str | None  # where an OpenAI-compatible server lists its models
    host: str
    api: EndpointApi


def address_of(endpoint: Endpoint) -> Address:
    """The endpoint's addresses.

    A base URL gets its path: "http://gpu:30000" and "http://gpu:30000/v1" become
    "http://gpu:30000/v1/embeddings". A URL that ends in /embeddings or /embed is taken as it is;
    the latter is TEI's own format.

    Raises:
        UsageError: no http(s) address, one with a user name, query or fragment, or a key that no
            header can carry.
    """
    parts = parts_of(endpoint)
    path = parts.path.rstrip("/")
    api = endpoint.api
    if api is None:
        api = EndpointApi.TEI if path.endswith("/embed") else EndpointApi.OPENAI
    if api is EndpointApi.TEI:
        path = path if path.endswith("/embed") else f"{path}/embed"
        return Address(with_path(parts, path), None, parts.hostname or "", api)
    base = path.removesuffix("/embeddings") if path.endswith("/embeddings") else path or "/v1"
    return Address(
        with_path(parts, f"{base}/embeddings"),
        with_path(parts, f"{base}/models"),
        parts.hostname or "",
        api,
    )


def parts_of(endpoint: Endpoint) -> SplitResult:
    """The checked parts of an endpoint's URL.

    Raises:
        UsageError: see `address_of`.
    """
    url = endpoint.url
    try:
        parts = urlsplit(url)
        port = parts.port  # checked only when asked for
        httpx.URL(url)
    except (ValueError, httpx.InvalidURL):
        raise UsageError(f"{_shown(url)} is no address of an endpoint. {_EXAMPLE}") from None
    if "@" in parts.netloc:
        raise UsageError(
            f"{_shown(url)}: an endpoint's address holds no user name or key, because addresses "
            f"are shown and logged. Give the key as {endpoint.key_setting}."
        )
    usable = url.isascii() and url.isprintable() and " " not in url and port != 0
    if parts.scheme not in {"http", "https"} or not parts.hostname or not usable:
        raise UsageError(f"{_shown(url)} is no address of an endpoint. {_EXAMPLE}")
    if parts.query or parts.fragment:
        raise UsageError(
            f"{_shown(url)}: an endpoint's address has no query and no fragment. {_EXAMPLE}"
        )
    if endpoint.key is not None and not _fits_a_header(endpoint.key):
        raise UsageError(
            f"The key of endpoint {endpoint.url}: empty, or holds characters that no header can "
            "carry. Give it as the server's owner wrote it, without line breaks."
        )
    return parts


def with_path(parts: SplitResult, path: str) -> str:
    """The URL with another path."""
    return urlunsplit((parts.scheme, parts.netloc, path, "", ""))


def _shown(url: str) -> str:
    """The URL for a message, without what may be a secret."""
    head, at, tail = url.rpartition("@")
    scheme, separator, _ = head.partition("://")
    safe = (f"{scheme}{separator}***@{tail}" if separator else f"***@{tail}") if at else url
    return ascii(safe.partition("?")[0][:200])


def _fits_a_header(key: str) -> bool:
    return bool(key) and key.isascii() and key.isprintable() and key == key.strip()
