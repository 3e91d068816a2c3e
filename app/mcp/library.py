"""What the tools work on: open collections and the search service."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from app.search.collections import Collections
from app.search.service import SearchService
from app.settings import Settings
from indexer.storage.collection import Collection


@dataclass(frozen=True, slots=True)
class Library:
    """Open collections and the service that searches them; threads may share it."""

    settings: Settings
    collections: Collections
    service: SearchService

    def one(self, name: str | None) -> tuple[str, Collection]:
        """(name, collection) of this name; None: the default one.

        Raises:
            NotFoundError: it does not exist.
        """
        name = name or self.settings.collection
        return name, self.collections.get(name)

    def chosen(self, names: Sequence[str] | None) -> Mapping[str, Collection]:
        """{name: collection} of these names; None: the default one.

        Raises:
            NotFoundError: one of them does not exist.
        """
        wanted = names or [self.settings.collection]
        return {name: self.collections.get(name) for name in wanted}
