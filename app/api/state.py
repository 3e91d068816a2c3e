"""What the service holds for its whole life: open collections, loaded models, readiness."""

import copy
import logging
import threading
import time
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Request

from app.api.guard.access import Access
from app.api.guard.visible import VisibleCollections
from app.api.latency import Latencies
from app.api.metrics import Metrics
from app.api.turns import Turns
from app.search.collections import Collections
from app.search.live_recall import RecallChecker
from app.search.models import Models
from app.search.query import Query
from app.search.query_text import QueryText, VectorOf
from app.search.query_vectors import QueryVectors
from app.search.redis_vectors import RedisVectors
from app.search.rerankers import Rerankers
from app.search.service import SearchService
from app.search.stages import Stages
from app.search.vector_cache import VectorCache
from app.settings import Settings
from app.uploads import Uploads
from indexer.embedding.embedder import Embedder
from indexer.embedding.shared.embedder import SharedEmbedder
from indexer.embedding.shared.line import Bounds
from indexer.errors import PlacementError, SemsearchError
from indexer.storage.collection import Collection
from indexer.types import Contract, Kind

logger = logging.getLogger("semsearch")

_WARM_AGAIN_S = 10.0
RERANKER = "reranker:"  # among what turns wait for; no collection has a name with a colon


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
        self.metrics = Metrics()
        self.models = Models(settings, say=logger.info, share=self._shared)
        self.embedders: list[SharedEmbedder] = []  # one for each loaded model
        self.vectors = QueryVectors(VectorCache(settings.query_cache_mib << 20), _redis(settings))
        self.rerankers = Rerankers(settings, say=logger.info)
        self.recall = RecallChecker(settings.live_recall_share)
        self.service = SearchService(
            self.models.embedder_of,
            self.models.admit,
            watch=self.recall.offer,
            vector_of=self.vectors.vector,
            reranking=self.rerankers.get,
        )
        self.turns = Turns(settings)
        self.latencies = Latencies()
        self.started = time.monotonic()
        self.judging = threading.Lock()  # two clicks of one page are not two processes
        self._warm_embedder: SharedEmbedder | None = None
        self._problem = "The model is still loading."
        self._stopping = threading.Event()

    def _shared(self, embedder: Embedder) -> SharedEmbedder:
        # Requests are counted at the door: one that has a place is not sent away for its number.
        bounds = Bounds(self.turns.most_places, self.settings.queue_tokens)
        shared = SharedEmbedder(
            embedder, bounds, on_run=lambda run: self.metrics.observe_batch(run.tokens)
        )
        self.embedders.append(shared)
        return shared

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
        """Try until it works: an endpoint or the hub may be away for a while at the start."""
        while not self._stopping.is_set():
            try:
                embedder = self.embedder(self._first())
                embedder.embed(["ready"], Kind.DOCUMENT)
            except SemsearchError as error:
                problem = str(error)
            except Exception:  # nobody else would hear of it
                logger.exception("not ready")
                problem = "A fault of the program; its log has the details."
            else:
                self._warm_embedder = embedder
                return
            if problem != self._problem:
                logger.error("not ready: %s", problem)
            self._problem = problem
            self._stopping.wait(_WARM_AGAIN_S)

    def _first(self) -> Served:
        """The model to be ready with: the default collection's, or the settings' if there is none.

        Raises:
            SemsearchError: the default collection cannot be read.
        """
        default = self.settings.collection
        if default in self.collections.names():
            return Served(self.collections.get(default).contract.model, default)
        return self.served()[0]

    def load_reranker(self) -> bool:
        """Load it; False where whoever asks will be told what is wrong."""
        try:
            self.rerankers.get()
        except SemsearchError:
            return False
        return True

    def stop(self) -> None:
        """Be no longer ready, as the service ends; requests are answered all the same."""
        self._stopping.set()

    @property
    def problem(self) -> str | None:
        """Why the service is not ready; None once a real embedding has worked."""
        if self._stopping.is_set():
            return "The service is stopping."
        return self._problem if self._warm_embedder is None else None

    @property
    def first_embedder(self) -> SharedEmbedder:
        """The model that was loaded at the start: that of the default collection.

        Raises:
            PlacementError: it is not loaded yet, or cannot be.
        """
        if self._warm_embedder is None:
            raise PlacementError(self._problem)
        return self._warm_embedder

    def close(self) -> None:
        """Finish what the models are at, and free all."""
        self._stopping.set()
        for embedder in self.embedders:
            embedder.close()
        self.rerankers.close()
        self.vectors.close()
        self.recall.close()
        self.collections.close()

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
            try:
                model = self.collections.get(name).contract.model
            except SemsearchError as error:  # a damaged one must not take the others with it
                logger.warning("%s is not served: %s", name, error)
                continue
            found.setdefault(model, Served(model, name))
        return list(found.values()) or [Served(self.settings.model, None)]

    def embedder(self, served: Served) -> SharedEmbedder:
        """The embedder of a served model, at full dimension."""
        if served.collection is None:
            spec = self.models.named(served.id)
        else:
            spec = self.models.of_contract(self.collections.get(served.collection).contract)
        embedder = self.models.embedder(spec)
        assert isinstance(embedder, SharedEmbedder)
        return embedder

    async def query_vectors(self, names: Iterable[str], query: Query, stages: Stages) -> VectorOf:
        """The query's vectors for these collections, got without a thread: for `with_vectors`.

        Queries that wait at the same time are embedded together. What cannot be got this way (a
        model that is not loaded, a collection that is not there or has another instruction) is left
        to the search.

        Raises:
            OverloadedError: too much waits for the model.
            UsageError: an instruction that a model cannot take.
        """
        wanted: dict[str, tuple[SharedEmbedder, Contract]] = {}
        text: QueryText | None = None
        for name in names:
            with suppress(SemsearchError):
                collection = self.collections.get(name)
                contract, own = collection.contract, QueryText.of(query, collection.instruction)
                text = text or own
                embedder = self.models.loaded(contract)
                if own == text and isinstance(embedder, SharedEmbedder):
                    wanted[contract.fingerprint] = embedder, contract
        if text is None:
            return self.vectors.vector
        got = await self.vectors.fetch_all(list(wanted.values()), text, stages)
        return got.vector


def _redis(settings: Settings) -> RedisVectors | None:
    if settings.redis_url is None:
        return None
    return RedisVectors(settings.redis_url.get_secret_value(), settings.redis_ttl_s)


async def get_state(request: Request) -> State:
    """The application's state as the request's key may see it, as a dependency."""
    state = request.app.state.semsearch
    assert isinstance(state, State)
    return state.seen_with(Access.of(request.scope))


StateDep = Annotated[State, Depends(get_state)]
