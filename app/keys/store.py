"""The keys of a home folder. Changes count at once, also in a service that is running."""

import hmac
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from app.keys.file import read_keys, write_keys
from app.keys.key import Key, Scope, digest_of, make_key
from indexer.errors import LockedError, NotFoundError, StoreError, UsageError
from indexer.storage.lock import WriterLock

_LOCK_WAIT_S = 5.0  # another `semsearch key` takes milliseconds

Stamp = tuple[int, int, int]  # inode, size, time of change: every write makes a new file


class KeyStore:
    """Keys in `keys.json` of the home folder. Safe to use from several threads and processes."""

    def __init__(self, home: Path) -> None:
        self._path = home / "keys.json"
        self._stamp: Stamp | None = None
        self._keys: tuple[Key, ...] = ()

    def all(self) -> tuple[Key, ...]:
        """All keys, oldest first; read again only when the file has changed.

        Raises:
            StoreError: the file cannot be read or understood. That lets nobody in.
        """
        stamp = self._stamp_now()
        if stamp != self._stamp:
            # The stamp is the older of the two: a change in between is read once more, not missed.
            self._keys, self._stamp = read_keys(self._path), stamp
        return self._keys

    def find(self, secret: bytes) -> Key | None:
        """The key with this secret.

        Every key is compared, each in constant time: how long it takes says nothing about how much
        of a guess was right, nor which key it was.

        Raises:
            StoreError: see `all`.
        """
        digest = digest_of(secret)
        found = None
        for key in self.all():
            if hmac.compare_digest(key.digest, digest):
                found = key
        return found

    def create(
        self, name: str, scopes: set[Scope], collections: set[str] | None
    ) -> tuple[Key, str]:
        """(a new key, its secret, which is not kept).

        Raises:
            UsageError: there is a key of this name, or `make_key` refuses it.
            StoreError: the file cannot be read or written.
        """
        key, secret = make_key(name, scopes, collections)
        with self._locked():
            keys = read_keys(self._path)
            if any(other.name == name for other in keys):
                raise UsageError(f"There is a key named {name!r}. Revoke it, or take another name.")
            write_keys(self._path, (*keys, key))
        return key, secret

    def revoke(self, id_or_name: str) -> Key:
        """Forget a key; a running service refuses it from its next request on.

        Raises:
            NotFoundError: there is none.
            StoreError: the file cannot be read or written.
        """
        with self._locked():
            keys = read_keys(self._path)
            # An id first: a name may be any text, also another key's id.
            for gone in (*(k for k in keys if k.id == id_or_name), *keys):
                if id_or_name in (gone.id, gone.name):
                    write_keys(self._path, tuple(key for key in keys if key.id != gone.id))
                    return gone
        raise NotFoundError(f"There is no key {id_or_name!r}. `semsearch key list` shows all.")

    def _stamp_now(self) -> Stamp | None:
        try:
            status = os.stat(self._path)
        except FileNotFoundError:
            return None
        except OSError as error:
            raise StoreError(f"{self._path}: cannot be read: {error.strerror}.") from None
        return status.st_ino, status.st_size, status.st_mtime_ns

    @contextmanager
    def _locked(self) -> Iterator[None]:
        """One at a time, or of two keys made at once one would be lost."""
        until = time.monotonic() + _LOCK_WAIT_S
        while (lock := self._try_lock(last=time.monotonic() > until)) is None:
            time.sleep(0.02)
        try:
            yield
        finally:
            lock.release()

    def _try_lock(self, *, last: bool) -> WriterLock | None:
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            return WriterLock(self._path.with_suffix(".lock"))
        except LockedError as error:
            if not last:
                return None
            raise LockedError(
                f"{self._path}: another process is changing it.", error.holder_pid
            ) from None
        except OSError as error:
            raise StoreError(f"{self._path}: cannot be written: {error.strerror}.") from None
