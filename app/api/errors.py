"""One error shape on every route: {"error": {"message", "type", "param", "code"}}.

It is the one that OpenAI's clients read.
"""

from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from app.api.gone import ClientGoneError
from app.api.schemas import ErrorAnswer
from indexer.errors import OverloadedError, SemsearchError, codes_of

# Every route can answer these; each router documents them with this table.
RESPONSES: dict[int | str, dict[str, Any]] = {
    400: {"model": ErrorAnswer, "description": "The body is not valid JSON"},
    404: {"model": ErrorAnswer, "description": "No such collection, document or model"},
    409: {"model": ErrorAnswer, "description": "Model and collection do not belong together"},
    422: {"model": ErrorAnswer, "description": "A value that does not fit"},
    429: {"model": ErrorAnswer, "description": "Too much load; Retry-After says when to return"},
    500: {"model": ErrorAnswer, "description": "A fault of the program or a damaged collection"},
    503: {"model": ErrorAnswer, "description": "The model is out of reach, loading or stopping"},
}

# What the guards answer before a route is reached.
GUARD_RESPONSES: dict[int | str, dict[str, Any]] = {
    401: {
        "model": ErrorAnswer,
        "description": "No key, or an unknown one, where keys are asked for",
    },
    403: {"model": ErrorAnswer, "description": "Not with this key, Host or Origin"},
    408: {"model": ErrorAnswer, "description": "The body did not come in time"},
    413: {"model": ErrorAnswer, "description": "The body is too large"},
}


class ApiError(Exception):
    """An answer other than success that is no SemsearchError."""

    def __init__(
        self, status: int, message: str, param: str | None = None, code: str | None = None
    ) -> None:
        super().__init__(message)
        self.status, self.message, self.param, self.code = status, message, param, code


def answer(
    status: int,
    message: str,
    param: str | None = None,
    code: str | None = None,
    retry_after_s: int | None = None,
) -> JSONResponse:
    """The documented shape."""
    kind = "invalid_request_error" if status < 500 else "server_error"
    if status == 429:
        kind = "rate_limit_error"
    body = {"message": message, "type": kind, "param": param, "code": code}
    headers = retry_headers(status, retry_after_s)
    return JSONResponse({"error": body}, status_code=status, headers=headers)


def retry_headers(status: int, retry_after_s: int | None = None) -> dict[str, str] | None:
    """When to ask again, for answers that say so."""
    return {"Retry-After": str(retry_after_s or 5)} if status in (429, 503) else None


def install(app: FastAPI) -> None:
    """Give every failure the documented shape; faults of the program get it in the envelope."""
    app.add_exception_handler(SemsearchError, _on_semsearch)
    app.add_exception_handler(ApiError, _on_api)
    app.add_exception_handler(RequestValidationError, _on_invalid)
    app.add_exception_handler(HTTPException, _on_http)
    app.add_exception_handler(ClientGoneError, _on_gone)


async def _on_semsearch(_request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, SemsearchError)
    _, status = codes_of(error)
    code = type(error).__name__.removesuffix("Error").lower()
    wait_s = error.retry_after_s if isinstance(error, OverloadedError) else None
    return answer(status, str(error), code=code, retry_after_s=wait_s)


async def _on_api(_request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, ApiError)
    return answer(error.status, error.message, error.param, error.code)


async def _on_invalid(_request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError)
    first = error.errors()[0]
    status = 400 if first["type"] == "json_invalid" else 422
    where = ".".join(str(part) for part in first["loc"][1:])  # [0] is body, path or query
    message = f"{where}: {first['msg']}" if where else str(first["msg"])
    return answer(status, message, param=where or None, code=first["type"])


async def _on_http(_request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)
    return answer(error.status_code, str(error.detail))


async def _on_gone(_request: Request, _error: Exception) -> Response:
    """For nobody but logs: 499 is what nginx calls it."""
    return Response(status_code=499)
