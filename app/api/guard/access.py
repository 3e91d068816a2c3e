"""What the sender of a request may do: all of it where no key is asked for."""

from dataclasses import dataclass
from typing import Self

from starlette.types import Scope as Connection

from app.api.errors import ApiError
from app.keys.key import Key, Scope

_ACCESS = "semsearch.access"


@dataclass(frozen=True, slots=True)
class Access:
    """Scopes and collections of a request."""

    scopes: frozenset[Scope]
    collections: frozenset[str] | None  # None: all

    @classmethod
    def of_key(cls, key: Key) -> Self:
        """What this key allows."""
        return cls(key.scopes, key.collections)

    @classmethod
    def of(cls, connection: Connection) -> Self:
        """What the entry found out about this request."""
        access = connection[_ACCESS]
        assert isinstance(access, cls)
        return access

    def attach(self, connection: Connection) -> None:
        """For `of`."""
        connection[_ACCESS] = self

    def check(self, collection: str) -> None:
        """Refuse a collection that the key was not made for, whether it exists or not.

        Raises:
            ApiError: 403, naming those that it was made for.
        """
        if self.collections is None or collection in self.collections:
            return
        allowed = ", ".join(sorted(self.collections))
        raise ApiError(
            403,
            f"This key may not use collection {collection!r}; it may use: {allowed}.",
            param="collection",
            code="forbidden",
        )


EVERYTHING = Access(frozenset(Scope), None)
