"""GET / and its files: the search page."""

from typing import Annotated

from fastapi import APIRouter, Path, Request
from fastapi.responses import Response

from app.api.errors import ApiError
from app.api.guard.headers import PAGE_POLICY
from app.web.files import INDEX, page_files

_HEADERS = {
    "Content-Security-Policy": PAGE_POLICY,
    # Files of one version belong together: ask each time, and be told that nothing changed.
    "Cache-Control": "no-cache",
}
_FILES = page_files()

router = APIRouter(include_in_schema=False)  # for people, not for programs


@router.get("/")
async def page(request: Request) -> Response:
    """The search page."""
    return _answer(request, INDEX)


@router.get("/web/{name}")
async def file(request: Request, name: Annotated[str, Path(max_length=100)]) -> Response:
    """One of its files."""
    if name not in _FILES or name == INDEX:
        raise ApiError(404, f"The page has no file {name!r}.")
    return _answer(request, name)


def _answer(request: Request, name: str) -> Response:
    found = _FILES[name]
    headers = {**_HEADERS, "ETag": found.etag}
    if request.headers.get("if-none-match") == found.etag:
        return Response(status_code=304, headers=headers)
    return Response(found.content, media_type=found.media_type, headers=headers)
