"""The collections that a key was made for, in the place of all.

Routes ask for collections by name in many ways: in a path, a query, a body, by a model, by default.
What they are handed holds only those they may see, so that none of them can forget to check.
"""

from pathlib import Path

from app.api.guard.access import Access
from app.search.collections import Collections
from indexer.errors import NotFoundError
from indexer.storage.collection import Collection


class VisibleCollections(Collections):
    """Stands in for all collections; those it may not show answer 403, be there any or not."""

    def __init__(self, whole: Collections, access: Access, default: str) -> None:
        # Nothing of its own is opened: what it was not taught to do fails, it does not leak.
        self._whole, self._access, self._default = whole, access, default

    def names(self) -> list[str]:
        """Names of those that may be seen, sorted."""
        allowed = self._access.collections
        return [name for name in self._whole.names() if allowed is None or name in allowed]

    def folder(self, name: str) -> Path:
        """As of all collections.

        Raises:
            ApiError: 403.
        """
        self._access.check(name)
        return self._whole.folder(name)

    def get(self, name: str | None = None) -> Collection:
        """As of all collections.

        Raises:
            ApiError: 403.
            NotFoundError: there is none; unlike that of all collections it names no others.
        """
        name = self._default if name is None else name
        self._access.check(name)
        try:
            return self._whole.get(name)
        except NotFoundError:
            raise NotFoundError(f"There is no collection {name!r} yet.") from None

    def close(self) -> None:
        """Nothing: they are not its own."""
