"""The two calls of a model hub that are needed: list a revision's files, and fetch one.

Own code, because huggingface_hub (2.4) throws a partial file away when a download fails: on a slow
line the 1.2 GB of the default model would never arrive. Here a download goes on where it broke off,
also in the next process. The endpoint is an argument; nothing here reads HF_* variables.
"""

import hashlib
import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from urllib.parse import quote

import httpx

from indexer.errors import ModelError

DEFAULT_ENDPOINT = "https://huggingface.co"
_ATTEMPTS = 5  # in a row without a single new byte
_BLOCK_BYTES = 1 << 20


class UnreachableError(Exception):
    """The hub did not answer, or broke off again and again; its text is the cause."""


@dataclass(frozen=True, slots=True)
class RemoteFile:
    """A file of a revision as the hub lists it."""

    path: str
    size_bytes: int | None
    sha256: str | None  # of files in large-file storage


@dataclass(frozen=True, slots=True)
class RemoteModel:
    """A revision: its commit and files."""

    revision: str
    files: tuple[RemoteFile, ...]


class HubClient:
    """A connection to one hub or mirror."""

    def __init__(
        self, endpoint: str | None = None, token: str | None = None, retry_wait_s: float = 1.0
    ) -> None:
        self.endpoint = (endpoint or DEFAULT_ENDPOINT).rstrip("/")
        self._retry_wait_s = retry_wait_s
        # identity: a compressed answer could not be resumed by byte offset.
        headers = {"User-Agent": "semsearch", "Accept-Encoding": "identity"}
        if token:
            headers["Authorization"] = f"Bearer {token}"  # httpx drops it when redirected elsewhere
        self._http = httpx.Client(
            headers=headers, follow_redirects=True, timeout=httpx.Timeout(30, connect=15)
        )

    def model(self, model: str, revision: str | None) -> RemoteModel:
        """Commit and files of a revision (None: the newest).

        Raises:
            UnreachableError: no usable answer.
            ModelError: the hub does not have it, or keeps it behind a licence.
        """
        commit = quote(revision or "main", safe="")
        url = f"{self.endpoint}/api/models/{quote(model)}/revision/{commit}"
        cause = ""
        for attempt in range(_ATTEMPTS):
            try:
                response = self._http.get(url, params={"blobs": "true"})
                self._check_status(response, f"{model}@{revision}" if revision else model)
                return _parse(response.json())
            except (httpx.ConnectError, httpx.UnsupportedProtocol, httpx.InvalidURL) as error:
                raise UnreachableError(_cause(error)) from error  # waiting is no use
            except (httpx.HTTPError, _ServerTroubleError) as error:
                cause = _cause(error)
            except (ValueError, KeyError, TypeError, AttributeError) as error:
                raise UnreachableError(f"{url} gave no model hub's answer") from error
            self._wait(attempt)
        raise UnreachableError(cause)

    def download(
        self,
        model: str,
        revision: str,
        file: RemoteFile,
        target: Path,
        on_bytes: Callable[[int], None],
    ) -> str:
        """Fetch one file into `target`, going on with what an earlier try left in `<target>.part`.

        Args:
            model: hub id.
            revision: commit.
            file: one of that revision's files.
            target: where it goes.
            on_bytes: called with bytes gained; negative when a start from zero is needed.

        Returns:
            Hex sha256 of the whole file.

        Raises:
            UnreachableError: broken off too often; the part stays for the next try.
            ModelError: the hub refuses the file.
        """
        url = (
            f"{self.endpoint}/{quote(model)}/resolve/{quote(revision, safe='')}/{quote(file.path)}"
        )
        part = target.with_name(target.name + ".part")
        target.parent.mkdir(parents=True, exist_ok=True)
        if part.exists():
            on_bytes(part.stat().st_size)
        attempt, cause = 0, ""
        while attempt < _ATTEMPTS:
            before = _size(part)
            try:
                self._stream(url, part, file, on_bytes)
                break
            except (httpx.HTTPError, _ServerTroubleError) as error:
                cause = _cause(error)
            attempt = 0 if _size(part) > before else attempt + 1
            self._wait(attempt)
        else:
            raise UnreachableError(f"{file.path}: {cause}")
        digest = _sha256(part)
        part.replace(target)
        return digest

    def _stream(
        self, url: str, part: Path, file: RemoteFile, on_bytes: Callable[[int], None]
    ) -> None:
        """Append what is missing to the part; an error of httpx leaves what has come."""
        have = _size(part)
        if have and have == file.size_bytes:
            return
        headers = {"Range": f"bytes={have}-"} if have else {}
        with self._http.stream("GET", url, headers=headers) as response:
            if response.status_code == 416:
                part.unlink()
                on_bytes(-have)
                raise _ServerTroubleError("the part on disk does not belong to this file")
            self._check_status(response, file.path)
            resumed = response.status_code == 206 and _range_start(response) == have
            if have and not resumed:
                on_bytes(-have)
            with part.open("ab" if resumed else "wb") as out:
                # As it comes: a block size would hold back, and lose, what came before a cut.
                for block in response.iter_bytes():
                    out.write(block)
                    on_bytes(len(block))
        size = _size(part)
        if file.size_bytes is not None and size != file.size_bytes:
            if size > file.size_bytes:
                part.unlink()
                on_bytes(-size)
            raise _ServerTroubleError(f"{size} of {file.size_bytes} bytes came")

    def _check_status(self, response: httpx.Response, what: str) -> None:
        status = response.status_code
        if status in (401, 403):
            raise ModelError(
                f"{what}: {self.endpoint} answers {status}: no such model, or one behind a "
                "licence. Check the name; "
                "for a gated model accept its terms on its page and set HF_TOKEN."
            )
        if status == 404:
            raise ModelError(
                f"{what}: not found at {self.endpoint}. Check name and revision "
                "(org/name@revision)."
            )
        if not 200 <= status < 300:
            raise _ServerTroubleError(f"{self.endpoint} answers {status}")

    def _wait(self, attempt: int) -> None:
        time.sleep(min(30.0, self._retry_wait_s * 2**attempt))

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


class _ServerTroubleError(Exception):
    """An answer worth another try."""


def _cause(error: Exception) -> str:
    if isinstance(error, _ServerTroubleError):
        return str(error)
    return f"{type(error).__name__}: {error}" if str(error) else type(error).__name__


def _parse(values: Any) -> RemoteModel:
    files = [
        RemoteFile(
            path=str(entry["rfilename"]),
            size_bytes=entry.get("size"),
            sha256=(entry.get("lfs") or {}).get("sha256"),
        )
        for entry in values["siblings"]
    ]
    revision = str(values["sha"])
    if not re.fullmatch(r"[0-9a-f]{7,64}", revision):  # it becomes part of a folder name
        raise ValueError(f"revision {revision!r}")
    return RemoteModel(revision, tuple(files))


def _range_start(response: httpx.Response) -> int | None:
    # "bytes 100-199/200"
    span = response.headers.get("Content-Range", "").removeprefix("bytes ").split("-")[0]
    return int(span) if span.isdigit() else None


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


def _sha256(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(_BLOCK_BYTES):
            digest.update(block)
    return digest.hexdigest()
