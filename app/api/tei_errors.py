"""Errors as text-embeddings-inference's clients read them: {"error", "error_type"}."""

from collections.abc import Callable, Coroutine
from typing import Any, Literal

from fastapi import Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, Response
from fastapi.routing import APIRoute
from pydantic import BaseModel

from app.api.errors import ApiError, retry_headers
from indexer.errors import OverloadedError, SemsearchError, codes_of

Type = Literal["Unhealthy", "Backend", "Overloaded", "Validation", "Tokenizer", "Empty"]


class TeiError(BaseModel):
    """Every error of TEI's routes has this shape."""

    error: str
    error_type: Type


RESPONSES: dict[int | str, dict[str, Any]] = {
    400: {"model": TeiError, "description": "No inputs"},
    422: {"model": TeiError, "description": "A value that does not fit, or too much of it"},
    424: {"model": TeiError, "description": "A fault of the model or the collection"},
    429: {"model": TeiError, "description": "Too much load; Retry-After says when to return"},
    503: {"model": TeiError, "description": "The model is out of reach, loading or stopping"},
}
_TYPES: dict[int, tuple[int, Type]] = {
    400: (422, "Validation"),
    422: (422, "Validation"),
    429: (429, "Overloaded"),
    503: (503, "Unhealthy"),
}


class TeiRoute(APIRoute):
    """A route whose errors have TEI's shape."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """The handler, with its errors answered."""
        handle = super().get_route_handler()

        async def handled(request: Request) -> Response:
            try:
                return await handle(request)
            except ApiError as error:
                if error.code == "empty":
                    return _answer(400, "Empty", error.message)
                return _answer(*_TYPES.get(error.status, (424, "Backend")), error.message)
            except RequestValidationError as error:
                first = error.errors()[0]
                where = ".".join(str(part) for part in first["loc"][1:])
                return _answer(422, "Validation", f"{where}: {first['msg']}")
            except SemsearchError as error:
                status = codes_of(error)[1]
                wait_s = error.retry_after_s if isinstance(error, OverloadedError) else None
                return _answer(*_TYPES.get(status, (424, "Backend")), str(error), wait_s)

        return handled


def _answer(status: int, kind: Type, message: str, wait_s: int | None = None) -> JSONResponse:
    body = TeiError(error=message, error_type=kind).model_dump()
    return JSONResponse(body, status_code=status, headers=retry_headers(status, wait_s))
