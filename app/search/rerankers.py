"""The reranker of the settings: found and loaded once."""

import threading
import time
from collections.abc import Callable
from dataclasses import replace

from app.search.models import Models, OnDownload
from app.search.rerank import Reranking
from app.settings import Settings
from indexer.embedding import hub, models
from indexer.embedding.proof.prove import Say
from indexer.embedding.wishes import Endpoint, Wishes
from indexer.errors import ModelError, PlacementError, SemsearchError, UsageError
from indexer.modes import Placement
from indexer.reranking.base import Reranker
from indexer.reranking.spec import RerankerSpec, load_reranker_spec, reranker_layout

# One that could not be had is not asked for again at once: every query would wait for it.
RETRY_AFTER_S = 10.0
# Somebody waits, and the order without it is at hand.
_TIMEOUT_S = 10.0


def _say_nothing(_: str) -> None:
    """For programs nobody watches."""


class Rerankers:
    """The reranker of this machine's settings. Safe to use from several threads."""

    def __init__(
        self,
        settings: Settings,
        on_download: OnDownload | None = None,
        say: Say = _say_nothing,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Know the settings; load nothing yet.

        Args:
            settings: which reranker, where it lies and runs.
            on_download: hears of a download's progress.
            say: told, in one line, before something takes seconds.
            clock: seconds; another one for tests.
        """
        self._settings = settings
        self._on_download = on_download
        self._say = say
        self._clock = clock
        self._opened: Reranking | None = None
        self._failed: tuple[float, SemsearchError] | None = None  # until when, why
        self._lock = threading.Lock()

    @property
    def is_set(self) -> bool:
        """Whether the settings name a reranker."""
        return self._settings.reranks

    @property
    def loaded(self) -> Reranking | None:
        """What `get` gives without loading anything; None if it would have to."""
        return self._opened

    def get(self) -> Reranking:
        """The reranker, ready; the first call may download and load it.

        Raises:
            UsageError: the settings name none, or an address that cannot be used.
            ModelError, PlacementError: it is not to be had; for a while in the same words, at once.
        """
        with self._lock:
            if self._opened is None:
                self._opened = self._try_open()
            return self._opened

    def named(self, name: str) -> RerankerSpec:
        """The verified reranker of this short name, hub id or folder; downloads it if need be.

        Raises:
            ModelError: unknown, out of reach, not what its hashes say, or no reranker.
        """
        settings = self._settings
        ref = models.resolve(name)
        folder = hub.fetch(
            ref,
            settings.models_folder,
            endpoint=settings.hf_endpoint,
            token=settings.hf_token.get_secret_value() if settings.hf_token else None,
            offline=settings.hf_offline,
            on_progress=self._on_download,
            cache_folder=settings.home / "hashes",
            layout=reranker_layout,
        )
        return load_reranker_spec(folder, ref, settings.home / "hashes")

    def close(self) -> None:
        """Free the reranker; it is loaded anew when asked for again."""
        with self._lock:
            if self._opened is not None:
                self._opened.close()
                self._opened = None

    def _try_open(self) -> Reranking:
        if self._failed is not None and self._clock() < self._failed[0]:
            error = self._failed[1]
            raise type(error)(str(error))
        try:
            return Reranking(self._reranker(), self._settings.rerank_depth)
        except (ModelError, PlacementError) as error:
            self._failed = (self._clock() + RETRY_AFTER_S, error)
            raise

    def _reranker(self) -> Reranker:
        settings = self._settings
        if settings.reranker_endpoint is not None:
            from indexer.reranking.remote.reranker import open_remote

            return open_remote(self._endpoint(settings.reranker_endpoint))
        if settings.reranker is None:
            raise UsageError(
                "No reranker is set. Name one with --reranker, for example --reranker "
                "qwen3-reranker-0.6b, or a server as SEMSEARCH_RERANKER_ENDPOINT."
            )
        from indexer.reranking.opening import open_reranker

        spec = self.named(settings.reranker)
        self._say(f"Loading the reranker {spec.model}.")
        return open_reranker(spec, self._wishes, settings.prepared_folder)

    @property
    def _wishes(self) -> Wishes:
        """Where models run by the settings; in this process even where the embedder is remote."""
        wishes = Models(self._settings).wishes
        is_remote = wishes.placement is Placement.REMOTE
        return replace(wishes, placement=None if is_remote else wishes.placement, endpoints=())

    def _endpoint(self, url: str) -> Endpoint:
        settings = self._settings
        key, name = settings.reranker_key, settings.reranker
        return Endpoint(
            url,
            model=models.resolve(name).model if name in models.RERANKERS else name,
            key=key.get_secret_value() if key else None,
            timeout_s=min(settings.endpoint_timeout_s, _TIMEOUT_S),
            concurrency=settings.endpoint_concurrency,
            key_setting="SEMSEARCH_RERANKER_KEY",
        )
