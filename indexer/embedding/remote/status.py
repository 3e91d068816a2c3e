"""What an HTTP status of an endpoint means, and what to do about it."""

from collections.abc import Callable

import httpx

from indexer.embedding.remote.faults import (
    EndpointFault,
    Fault,
    MomentFault,
    RequestFault,
    cleaned,
    read_error,
)
from indexer.embedding.remote.retry import retry_after_s
from indexer.embedding.wishes import Endpoint

_OVERLOADED = frozenset({429, 503, 529})
_MOMENT = frozenset({408, 424, 425, 429})  # 424: TEI's "inference failed"
_TOO_LARGE = frozenset({413, 422})  # TEI says 422 to too many texts, 413 to too long ones


def fault_of(
    response: httpx.Response,
    body: bytes,
    endpoint: Endpoint,
    wrong_path: Callable[[], str],
) -> Fault:
    """The fault that an answer without success stands for.

    Args:
        response: its status and headers.
        body: the start of its body.
        endpoint: its key is kept out of the text.
        wrong_path: says what the server offers instead; asked only for 404 and 405.
    """
    status, key = response.status_code, endpoint.key
    message, code = read_error(body)
    words = cleaned(message, key)
    said = f"answered {status}" + (f" ({words})" if words else "")
    if 300 <= status < 400:
        return EndpointFault(_redirected(response, said, key))
    if status in (401, 403):
        advice = "Check the key" if key else f"It wants a key: set {endpoint.key_setting}"
        return EndpointFault(f"{said}. {advice}")
    if status in (404, 405):
        return EndpointFault(f"{said}. {wrong_path()}")
    if status == 429 and code == "insufficient_quota":
        return EndpointFault(f"{said}. The account has nothing left to spend")
    if status in _MOMENT or (status >= 500 and status not in (501, 505)):
        return MomentFault(said, retry_after_s(response.headers), overloaded=status in _OVERLOADED)
    if status in (400, 413, 422):
        return RequestFault(said, too_large=status in _TOO_LARGE)
    return EndpointFault(said)


def _redirected(response: httpx.Response, said: str, key: str | None) -> str:
    """Redirects are never followed: the texts and the key go where the settings say, or nowhere."""
    try:
        target = response.url.join(response.headers.get("location", ""))
        place = f"{target.scheme}://{target.netloc.decode()}{target.path}"
    except (httpx.InvalidURL, ValueError):
        place = "an address that is none"
    return (
        f"{said} and points to {cleaned(place, key)}. Redirects are not followed: if that is the "
        "right place, name it as the endpoint"
    )
