"""What the service holds for its whole life: open collections, loaded models, readiness."""

import copy
import logging
import threading
import time
from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Request

from app.api.guard.access import Access
from app.api.guard.visible import VisibleCollections
from app.api.latency import Latencies
from app.api.turns import Turns
from app.search.collections import Collections
from app.search.live_recall import RecallChecker
from app.search.models import Models
from app.search.rerankers import Rerankers
from app.search.service import SearchService
from app.settings import Settings
from app.uploads import Uploads
from indexer.embedding.embedder import Embedder
from indexer.errors import SemsearchError
from indexer.storage.collection import Collection
from indexer.types import Kind

logger = logging.getLogger("semsearch")


@dataclass(frozen=True, slots=True)
class Served:
    """A model that /v1/embeddings serves: by its id, and by the name it was asked for."""

    id: str
    collection: str | None  # that was embedded with it; None: the model of the settings


class State:
    """Collections are opened once and models loaded once, whatever the number of requests."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.collections = Collections(settings)
        self.models = Models(settings, say=logger.info)
        self.recall = RecallChecker(settings.live_recall_share)
        self.service = SearchService(
            self.models.embedder_of, self.models.admit, watch=self.recall.offer
        )
        self.rerankers = Rerankers(settings, say=logger.info)
        self.turns = Turns(settings)
        self.latencies = Latencies()
        self.started = time.monotonic()
        self.judging = threading.Lock()  # two clicks of one page are not two processes
        self._problem: str | None = "The model is still loading."

    def seen_with(self, access: Access) -> "State":
        """The same state for one request, with only the collections that its key was made for."""
        if access.collections is None:
            return self
        view = copy.copy(self)
        view.collections = VisibleCollections(self.collections, access, self.settings.collection)
        return view

    def start_warming(self) -> None:
        """Load the model and embed one text, off the request path."""
        threading.Thread(target=self._warm, name="warm-up", daemon=True).start()

    def _warm(self) -> None:
        try:
            served = self.served()[0]
            self.embedder(served).embed(["ready"], Kind.DOCUMENT)
        except SemsearchError as error:
            logger.error("not ready: %s", error)
            self._problem = str(error)
        else:
            self._problem = None

    @property
    def problem(self) -> str | None:
        """Why the service is not ready; None once a real embedding has worked."""
        return self._problem

    def names(self, wanted: str | list[str] | None) -> list[str]:
        """Names of the collections a request asks for; the default one for None."""
        if wanted is None:
            return [self.settings.collection]
        return [wanted] if isinstance(wanted, str) else wanted

    def chosen(self, names: list[str]) -> dict[str, Collection]:
        """Open collections by name.

        Raises:
            NotFoundError: one of them does not exist.
        """
        return {name: self.collections.get(name) for name in names}

    def load_models(self, names: list[str]) -> bool:
        """Load the models of these collections; False where the search will say what is wrong."""
        try:
            for opened in self.chosen(names).values():
                self.service.embedder(opened.contract)
        except SemsearchError:
            return False
        return True

    @property
    def uploads(self) -> Uploads:
        """Stores documents in the collections that this state sees."""
        return Uploads(self.settings, self.models, self.collections)

    def served(self) -> list[Served]:
        """Models of the collections, the default one's first; that of the settings if none."""
        names = self.collections.names()
        names.sort(key=lambda name: name != self.settings.collection)
        found: dict[str, Served] = {}
        for name in names:
            model = self.collections.get(name).contract.model
            found.setdefault(model, Served(model, name))
        return list(found.values()) or [Served(self.settings.model, None)]

    def embedder(self, served: Served, dimension: int | None = None) -> Embedder:
        """The embedder of a served model, at full or shorter dimension."""
        if served.collection is None:
            spec = self.models.named(served.id)
        else:
            spec = self.models.of_contract(self.collections.get(served.collection).contract)
        return self.models.embedder(spec, dimension)


async def get_state(request: Request) -> State:
    """The application's state as the request's key may see it, as a dependency."""
    state = request.app.state.semsearch
    assert isinstance(state, State)
    return state.seen_with(Access.of(request.scope))


StateDep = Annotated[State, Depends(get_state)]
