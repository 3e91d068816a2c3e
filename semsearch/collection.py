"""A collection on this machine, without a service."""

from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from app.client.hits import Hits
from app.indexing import build_index, choose_model, index_options, index_wishes, targets
from app.search.collections import Collections
from app.search.models import Models
from app.search.query import Mode, Query
from app.search.service import SearchService
from app.settings import Settings
from indexer.errors import UsageError
from indexer.pipeline.run import index
from indexer.storage.commit import Writer
from indexer.storage.upgrade import upgrade


class Collection:
    """A named collection under the home folder. A context manager; threads may share it.

    Settings come from the environment and the config file as for the command line; keyword
    arguments override them: `Collection("notes", home="/data", model="minilm", placement="cpu")`.
    The model is loaded at the first use that needs it.
    """

    def __init__(self, name: str | None = None, **settings: Any) -> None:
        self._settings = Settings.load(flags={"collection": name, **settings})
        self._models = Models(self._settings)
        self._collections = Collections(self._settings)
        self._service = SearchService(self._models.embedder_of, self._models.admit)

    @property
    def name(self) -> str:
        """The collection's name."""
        return self._settings.collection

    def index(
        self,
        *paths: str | Path,
        include: Sequence[str] = (),
        exclude: Sequence[str] = (),
        reembed: bool = False,
    ) -> dict[str, Any]:
        """Make the collection mirror these files and folders; the counts of `index --json`.

        Raises:
            SemsearchError: see `semsearch.errors`.
        """
        folder = self._settings.collection_folder()
        upgrade(folder)
        wanted = targets([Path(path) for path in paths], folder)
        name, spec, contract = choose_model(self._settings, self._models, folder, reembed=reembed)
        # No worker processes: they would run an unguarded calling script a second time.
        options = index_options(self._settings, contract, include, exclude, workers=0)
        wishes = index_wishes(self._settings, spec, contract)
        if name is not None:
            self._models.remember(spec.weights_sha256, name)
        embedder = self._models.embedder(spec, contract.dimension)
        with Writer.open(folder, contract, reembed=reembed) as writer:
            self._models.admit_to(folder, embedder)
            report = index(wanted, writer, embedder, contract, options)
        build_index(folder, wishes, lambda _stage, _done: None)
        return report.to_dict()

    def search(
        self,
        query: str,
        k: int | None = None,
        *,
        mode: str = "hybrid",
        instruction: str | None = None,
        where: str | None = None,
    ) -> Hits:
        """The k best documents (None: the setting k), best first.

        `mode`: "hybrid", "dense" or "lexical". `where`: which documents may be found, as
        docs/filters.md says.

        Raises:
            SemsearchError: see `semsearch.errors`.
        """
        if mode not in set(Mode):
            raise UsageError(f"mode {mode!r}: there are {', '.join(Mode)}.")
        opened = {self.name: self._collections.get()}
        wanted = self._settings.k if k is None else k
        asked = Query(query, Mode(mode), wanted, where, instruction)
        answer = self._service.search(asked, opened)
        return Hits.from_dict(answer.to_dict())

    def close(self) -> None:
        """Close the files. The model stays loaded until the object is gone."""
        self._collections.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()
