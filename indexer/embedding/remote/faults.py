"""What can go wrong with an endpoint, sorted by what helps.

Fault
├── MomentFault     may heal by itself: overloaded, restarting, cut off. Try again
├── EndpointFault   this endpoint cannot serve until somebody mends it: key, path, model, TLS
│   └── AnswerFault   what it answered cannot be the vectors of these texts
└── RequestFault    these texts cannot be embedded there: too long, or too many at once

They stay inside this package; `balance` turns them into PlacementError and ModelError.
"""

import json
from typing import Any

_SHOWN_CHARS = 300


class Fault(Exception):
    """Base; its text is fit for a user."""

    def hide(self, secret: str) -> None:
        """Take a secret out of the text: a server may have echoed it."""
        self.args = (str(self).replace(secret, "***"),)


class MomentFault(Fault):
    """May heal by itself."""

    def __init__(
        self, message: str, retry_after_s: float | None = None, *, overloaded: bool = False
    ) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s  # what the server asked for
        self.overloaded = overloaded  # fewer requests at once may help


class EndpointFault(Fault):
    """Somebody has to mend the endpoint or the settings."""


class AnswerFault(EndpointFault):
    """A success by its status, but not the vectors that were asked for."""


class RequestFault(Fault):
    """Refused because of these texts."""

    def __init__(self, message: str, *, too_large: bool = False) -> None:
        super().__init__(message)
        self.too_large = too_large  # fewer texts at once may help


def cleaned(text: str, key: str | None = None) -> str:
    """A server's words for a message: one short line, printable, without the key."""
    if key:
        text = text.replace(key, "***")
    line = " ".join("".join(c if c.isprintable() else " " for c in text).split())
    return line if len(line) <= _SHOWN_CHARS else f"{line[:_SHOWN_CHARS]} ..."


def read_error(body: bytes) -> tuple[str, str]:
    """(message, code) of an error answer in any of the known shapes; "" for what it lacks.

    {"error": {"message", "type", "code"}} (OpenAI, newer vLLM), {"error": "...", "error_type"}
    (TEI), {"object": "error", "message", "type", "code"} (SGLang, older vLLM), {"message", "code"}
    (TEI's OpenAI route), {"detail": "..." or [{"loc", "msg"}]} (FastAPI), plain text.
    """
    try:
        values: Any = json.loads(body)
    except (ValueError, RecursionError):
        text = body.decode("utf-8", "replace").strip()
        return ("" if text.startswith("<") else text), ""  # a proxy's HTML page says nothing
    return error_in(values)


def error_in(values: object) -> tuple[str, str]:
    """`read_error` of parsed JSON."""
    if not isinstance(values, dict):
        return "", ""
    error = values.get("error", values)
    if isinstance(error, str):
        return error, str(values.get("error_type") or "")
    if not isinstance(error, dict):
        return "", ""
    message = error.get("message") or error.get("detail") or values.get("detail") or ""
    code = error.get("code") or error.get("type") or ""
    return _text_of(message), str(code) if isinstance(code, str | int) else ""


def _text_of(message: object) -> str:
    """A message, or FastAPI's list of what is wrong with each field."""
    if isinstance(message, str):
        return message
    if not isinstance(message, list):
        return ""
    parts = [item for item in message if isinstance(item, dict)]
    return "; ".join(
        f"{'.'.join(map(str, item.get('loc') or ()))}: {item.get('msg', '')}"
        if isinstance(item.get("loc"), list)
        else str(item.get("msg", ""))
        for item in parts[:5]
    )
