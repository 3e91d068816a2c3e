"""The one-writer lock: a kernel lock on an open file, so that it vanishes with its holder.

A PID file would outlive a kill -9 and two starters would both "clean it up"; nothing here is ever
unlinked.
"""

import os
import sys
import time
import weakref
from pathlib import Path

from indexer.errors import LockedError, StoreError
from indexer.processes import is_writer

_PID_WAIT_S = 0.5  # the winner locks first and writes its pid next: give it that long
_WINDOWS_BYTE = (
    1 << 20
)  # Windows locks are mandatory: lock a byte beyond the pid, which stays readable

_held: "weakref.WeakSet[WriterLock]" = weakref.WeakSet()


class WriterLock:
    """Holds the exclusive lock of a collection from construction until `release`.

    Raises:
        LockedError: another process (or another writer of this one) holds it; at most a second is
            waited.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._fd: int | None = os.open(path, os.O_RDWR | os.O_CREAT | _NO_INHERIT, 0o600)
        try:
            if not _try_lock(self._fd, path):
                raise _locked(path)
            os.ftruncate(self._fd, 0)
            os.write(self._fd, f"{os.getpid()}\n".encode())
        except BaseException:
            os.close(self._fd)
            raise
        _held.add(self)

    def release(self) -> None:
        """Let the next writer in; does nothing the second time."""
        if self._fd is not None:
            os.ftruncate(self._fd, 0)
            os.close(self._fd)  # closing drops the kernel lock
            self._fd = None

    def _forget(self) -> None:
        """In a forked child: drop the inherited handle, or it holds the lock for a dead parent."""
        if self._fd is not None:
            os.close(self._fd)
            self._fd = None


def writer_pid(path: Path) -> int | None:
    """The process that holds the lock, told without touching it: a probe could turn a writer away.

    None without one, and where its number means nothing here (another container's). A killed
    holder leaves its number behind; whoever has that number now started after it was written.
    """
    try:
        text, written = path.read_bytes().strip(), path.stat().st_mtime
    except OSError:
        return None
    return int(text) if text.isdigit() and is_writer(int(text), written) else None


def _locked(path: Path) -> LockedError:
    pid = _holder(path)
    who = f"process {pid}" if pid else "another process"
    return LockedError(
        f"{path.parent}: {who} is writing to this collection. Wait until it is done, or stop it.",
        pid,
    )


def _holder(path: Path) -> int | None:
    deadline = time.monotonic() + _PID_WAIT_S
    while True:
        text = path.read_bytes().strip()
        if text.isdigit():
            return int(text)
        if time.monotonic() > deadline:
            return None
        time.sleep(0.02)


if sys.platform == "win32":  # pragma: no cover - exercised on Windows
    import msvcrt

    _NO_INHERIT = os.O_NOINHERIT | os.O_BINARY

    def _try_lock(fd: int, path: Path) -> bool:  # noqa: ARG001 - as on POSIX
        os.lseek(fd, _WINDOWS_BYTE, os.SEEK_SET)
        try:
            msvcrt.locking(fd, msvcrt.LK_NBLCK, 1)
        except OSError:
            return False
        os.lseek(fd, 0, os.SEEK_SET)
        return True

else:
    import fcntl

    _NO_INHERIT = os.O_CLOEXEC

    def _try_lock(fd: int, path: Path) -> bool:
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        except OSError as error:
            raise StoreError(
                f"{path}: this file system offers no locks ({error.strerror}). "
                "Put the collection on a local disk."
            ) from error
        return True

    def _forget_all() -> None:
        for lock in list(_held):
            lock._forget()

    os.register_at_fork(after_in_child=_forget_all)
