"""A mode may work on a collection only if it gives the vectors that the collection holds."""

import threading
from pathlib import Path

from indexer.embedding.embedder import Embedder
from indexer.embedding.proof.circumstances import circumstances
from indexer.embedding.proof.prove import Say
from indexer.embedding.proof.records import Records
from indexer.errors import ContractError
from indexer.modes import Placement
from indexer.pipeline.canaries import Comparison, compare, gather
from indexer.storage.collection import Collection


class Admission:
    """Compares modes with collections, each pair once. Safe to use from several threads."""

    def __init__(self, folder: Path, say: Say) -> None:
        """Remember admissions in this folder; `say` is told before a comparison."""
        self._folder = folder
        self._records = Records(folder, "admission")
        self._say = say
        self._admitted: set[tuple[str, str]] = set()  # (collection, mode) seen in this process
        self._lock = threading.Lock()

    def check(self, collection: Collection, embedder: Embedder) -> None:
        """Return if the embedder's mode made vectors of this collection, or gives the same ones.

        An endpoint has to show it whoever embedded the collection: the same address may run
        another model.

        Raises:
            ContractError: its vectors differ too much; says by how much.
        """
        mode = str(embedder.mode)
        with collection.snapshot() as now:
            pair, modes = (now.head.uuid, mode), now.modes()
            if pair in self._admitted:
                return
            native = mode in modes and embedder.mode.placement is not Placement.REMOTE
            if native or not modes:
                return
        with self._lock:
            if pair not in self._admitted:
                self._admit(collection, embedder, pair, ", ".join(sorted(modes)))

    def _admit(
        self, collection: Collection, embedder: Embedder, pair: tuple[str, str], modes: str
    ) -> None:
        key = {"collection": pair[0], **circumstances(embedder, self._folder)}
        if self._records.get(key) is None:
            result = self._compare(collection, embedder, modes)
            if result is not None and not result.passed:
                raise ContractError(
                    f"Mode {pair[1]} ({embedder.engine}) gives other vectors than this collection "
                    f"holds, which were made in {modes}: {result}. Use that mode, or embed again "
                    "under a new name: semsearch index --collection NAME."
                )
            if result is not None:
                self._say(f"{pair[1]} fits: {result}.")
                self._records.put(key, {"result": str(result)})
        self._admitted.add(pair)

    def _compare(self, collection: Collection, embedder: Embedder, modes: str) -> Comparison | None:
        """The comparison; None if no passage could be put together again."""
        with collection.snapshot() as now:
            canaries = gather(now, embedder.tokenizer)
        if not canaries.texts:
            return None
        self._say(
            f"The collection was embedded in {modes}: comparing {embedder.mode} on "
            f"{len(canaries.texts)} passages (once) ..."
        )
        with collection.snapshot() as now:
            return compare(now, canaries, embedder)
