"""Find, load and remember models: by name for new collections, by contract for existing ones."""

import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from app.search.model_sources import ModelSources
from app.settings import Settings
from app.threads import thread_count
from indexer.embedding import hub, models
from indexer.embedding.embedder import Embedder
from indexer.embedding.opening import open_embedder
from indexer.embedding.planning.published import PUBLISHED
from indexer.embedding.planning.size import ModelSize, read_size
from indexer.embedding.proof.prove import Say, prove
from indexer.embedding.proof.quality import checked_modes, is_good_enough
from indexer.embedding.shared.embedder import SharedEmbedder
from indexer.embedding.spec import ModelSpec, load_spec
from indexer.embedding.wishes import Endpoint, Wishes
from indexer.errors import ContractError, ModelError
from indexer.modes import Mode, Placement, Precision
from indexer.types import Contract

if TYPE_CHECKING:  # commands without a collection need no storage
    from app.search.admission import Admission
    from indexer.storage.collection import Collection

OnDownload = Callable[[str, int, int], None]  # file, bytes so far, bytes in all


def _say_nothing(_: str) -> None:
    """For programs nobody watches."""


class Models:
    """Models of this machine. Loaded once each; safe to use from several threads.

    A contract names a model and the hash of its weights, not where they lie: see `ModelSources`.
    """

    def __init__(
        self,
        settings: Settings,
        on_download: OnDownload | None = None,
        say: Say = _say_nothing,
        share: Callable[[Embedder], SharedEmbedder] | None = None,
    ) -> None:
        """Know the models; load none yet.

        Args:
            settings: where models lie and run.
            on_download: hears of a download's progress.
            say: told, in one line, before something takes seconds that only the first use takes.
            share: what stands between a loaded model and all who ask it; None: nothing.
        """
        self._settings = settings
        self._on_download = on_download
        self._say = say
        self._share = share
        self._admission: Admission | None = None
        self._admission_lock = threading.Lock()  # not the one that is held while a model loads
        self._sources = ModelSources(settings.home / "models.json")
        self._loaded: dict[tuple[str, int], Embedder] = {}
        self._of_contract: dict[str, Embedder] = {}  # by fingerprint
        self._lock = threading.Lock()

    def named(self, name: str) -> ModelSpec:
        """The verified model of this short name, hub id or folder; downloads it if need be.

        Raises:
            ModelError: unknown, out of reach, or not what its hashes say.
        """
        settings = self._settings
        ref = models.resolve(name)
        if ref.reranks:
            raise ModelError(
                f"Model {name} is a reranker: it reorders hits and gives no vectors. Name it with "
                f"--reranker, and another model for the collection."
            )
        folder = hub.fetch(
            ref,
            settings.models_folder,
            endpoint=settings.hf_endpoint,
            token=settings.hf_token.get_secret_value() if settings.hf_token else None,
            offline=settings.hf_offline,
            on_progress=self._on_download,
            cache_folder=settings.home / "hashes",
            weights=not settings.runs_remote,
        )
        return load_spec(folder, ref, settings.home / "hashes")

    def size(self, name: str) -> tuple[ModelSize, ModelSpec | None]:
        """(what a model weighs, the model); downloads nothing: None where it is not here yet.

        Raises:
            ModelError: unknown, or neither here nor of a published size.
        """
        with suppress(ModelError):  # the bundled model's package is not installed
            folder = hub.local_folder(models.resolve(name), self._settings.models_folder)
            if folder.is_dir():
                spec = self.named(name)
                return read_size(spec), spec
        known = {size.model: size for size in PUBLISHED.values()} | PUBLISHED
        if name in known:
            return known[name], None
        ref = models.resolve(name)
        raise ModelError(
            f"Model {name}: {ref.model} is not on this machine, and its size is not known. Run "
            f"`semsearch model pull {name}` first."
        )

    def of_contract(self, contract: Contract) -> ModelSpec:
        """The model whose weights a collection was embedded with.

        Raises:
            ContractError: the model found under that name has other weights or rules.
        """
        source = self.source_of(contract)
        spec = self.named(source)
        mine = spec.contract(contract.chunker, contract.dimension)
        differing = contract.differences(mine)
        differing.pop(
            "model", None
        )  # the same weights under another folder name are the same model
        differing.pop("revision", None)
        if differing:
            shown = "; ".join(
                f"{k}: collection {a!r}, model {b!r}" for k, (a, b) in differing.items()
            )
            raise ContractError(
                f"The collection was embedded with {contract.model}, but {source} differs: "
                f"{shown}. Get the right model, or embed again with `semsearch index --reembed`."
            )
        return spec

    def source_of(self, contract: Contract) -> str:
        """The name or folder under which the model of a collection is found here."""
        return self._sources.find(contract.weights_sha256) or contract.model

    def embedder(self, spec: ModelSpec, dimension: int | None = None) -> Embedder:
        """The model, loaded on the placement of the settings, its self-test passed.

        Raises:
            PlacementError: this machine cannot run it there, or what it gives there is wrong.
        """
        key = (spec.weights_sha256, spec.check_dimension(dimension))
        if (loaded := self._loaded.get(key)) is not None:
            return loaded  # without waiting for another model that is being loaded
        with self._lock:
            if key not in self._loaded:
                if self._share is None:
                    self._loaded[key] = self._open(spec, dimension)
                else:
                    self._loaded[key] = self._shared(spec, key[1], self._share)
            return self._loaded[key]

    def in_use(self) -> list[Embedder]:
        """The models that are loaded now; does not wait for one that is being loaded."""
        return list(self._loaded.values())

    def checked(self, spec: ModelSpec) -> frozenset[Mode]:
        """Quantised modes that were measured on this machine and found good enough."""
        return checked_modes(spec, self._proofs)

    @property
    def _proofs(self) -> Path:
        return self._settings.home / "proofs"

    def _open(
        self, spec: ModelSpec, dimension: int | None, wishes: Wishes | None = None
    ) -> Embedder:
        wishes = wishes or self.wishes
        prepared = self._settings.prepared_folder
        embedder = open_embedder(spec, wishes, dimension, prepared, self.checked(spec))
        try:
            prove(embedder, self._proofs, self._say)
            good = is_good_enough(embedder, self._proofs, self._say)
        except BaseException:
            embedder.close()
            raise
        if good:
            return embedder
        embedder.close()
        # On a GPU bf16 is what fp32 is on the CPU: exact enough, and it fits.
        on_cpu = embedder.mode.placement is Placement.CPU
        instead = Precision.FP32 if on_cpu else Precision.BF16
        self._say(f"Using {Mode(embedder.mode.placement, instead)} instead.")
        return self._open(spec, dimension, replace(wishes, precision=instead))

    def _shared(
        self, spec: ModelSpec, dimension: int, share: Callable[[Embedder], SharedEmbedder]
    ) -> Embedder:
        """One copy of the model in memory, whatever the dimensions that are asked of it."""
        key = (spec.weights_sha256, spec.hidden_size)
        whole = self._loaded.get(key)
        if whole is None:
            whole = self._loaded[key] = share(self._open(spec, None))
        assert isinstance(whole, SharedEmbedder)
        if dimension == spec.hidden_size:
            return whole
        shorter = whole.shortened(dimension)
        prove(shorter, self._proofs, self._say)
        if is_good_enough(shorter, self._proofs, self._say):
            return shorter
        return share(self._open(spec, dimension))

    def embedder_of(self, contract: Contract) -> Embedder:
        """The embedder for queries on a collection of this contract; found and checked once."""
        fingerprint = contract.fingerprint
        if fingerprint not in self._of_contract:
            spec = self.of_contract(contract)
            self._of_contract[fingerprint] = self.embedder(spec, contract.dimension)
        return self._of_contract[fingerprint]

    def loaded(self, contract: Contract) -> Embedder | None:
        """What `embedder_of` gives without loading anything; None if it would have to."""
        return self._of_contract.get(contract.fingerprint)

    def admit(self, collection: "Collection", embedder: Embedder) -> None:
        """Refuse an embedder whose vectors are not like those of the collection; see `Admission`.

        Raises:
            ContractError: they differ too much.
        """
        from app.search.admission import Admission

        with self._admission_lock:
            if self._admission is None:
                self._admission = Admission(self._proofs, self._say)
        self._admission.check(collection, embedder)

    def admit_to(self, folder: Path, embedder: Embedder) -> None:
        """`admit` to the collection in this folder, before anything is written to it."""
        from indexer.storage.collection import Collection

        with Collection.open(folder) as collection:
            self.admit(collection, embedder)

    def listing(self) -> list[dict[str, Any]]:
        """The short names: what each stands for, and whether it is on this machine."""
        rows = []
        for name in (*models.SHORT_NAMES, *models.RERANKERS):
            folder, model = None, ""
            with suppress(ModelError):  # the bundled model's package is not installed
                ref = models.resolve(name)
                folder, model = hub.local_folder(ref, self._settings.models_folder), ref.model
            local = folder is not None and folder.is_dir()
            rows.append(
                {
                    "name": name,
                    "id": model,
                    "local": local,
                    "folder": str(folder) if local else None,
                    "size_bytes": _size(folder) if folder and local else 0,
                    "default": name == models.DEFAULT_MODEL,
                    "reranks": name in models.RERANKERS,
                }
            )
        return rows

    @property
    def wishes(self) -> Wishes:
        """Where and how models shall run, by the settings."""
        settings = self._settings
        key = settings.endpoint_key.get_secret_value() if settings.endpoint_key else None
        return Wishes(
            placement=Placement.REMOTE if settings.runs_remote else settings.placement,
            precision=settings.precision,
            engine=settings.engine,
            threads=thread_count(settings),
            max_batch_tokens=settings.batch_tokens,
            max_vram_bytes=_bytes(settings.max_vram_mib),
            max_ram_bytes=_bytes(settings.max_ram_mib),
            visible_gpus=settings.visible_gpus,
            endpoints=tuple(
                Endpoint(
                    url,
                    model=settings.endpoint_model,
                    key=key,
                    timeout_s=settings.endpoint_timeout_s,
                    concurrency=settings.endpoint_concurrency,
                )
                for url in settings.endpoints
            ),
        )

    def remember(self, weights_sha256: str, name: str) -> None:
        """Record where these weights came from; a folder by its absolute path."""
        self._sources.remember(weights_sha256, name)


def _bytes(mebibytes: int | None) -> int | None:
    return None if mebibytes is None else mebibytes << 20


def _size(folder: Path) -> int:
    """Bytes of all files below a folder."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
