"""The FAISS copy of the catalog's vectors: an exact index, checked by sha256 before it is believed.

The only file that imports faiss, and only when an index is made.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt
from sqlalchemy import Connection, select

from indexer.storage import catalog
from indexer.storage.catalog import Head
from indexer.storage.encoding import Ids, decode_vectors
from indexer.storage.manifest import TrustedFiles, read_json, write_atomically, write_json
from indexer.storage.tables import EmbeddingRow

FILE, MANIFEST, SIDECAR = "vectors.faiss", "vectors.json", "vectors.trust.json"
_FORMAT = 1
_BLOCK = 1 << 20
_ROWS = 2_000  # vectors per read from the catalog
_DEAD_SHARE, _DEAD_LEAST = 0.1, 1_000  # removing is a full pass: only when this much is dead


class VectorIndex:
    """Vectors in memory at a generation. Removed ones may linger until they are worth a pass.

    So a hit must be checked against the catalog; `search` may return ids that are gone, never
    misses one that is live at any generation from `floor` to `generation`.
    """

    def __init__(self, dimension: int) -> None:
        self._faiss = _import_faiss()
        self.dimension = dimension
        self.generation = 0
        self.floor = 0
        self._last_id = 0  # every embedding with a higher id is still missing here
        self._dead: set[int] = set()
        # Flat float16: what the catalog holds, bit for bit, and 1.5x faster than float32 per query.
        quantizer = self._faiss.ScalarQuantizer.QT_fp16
        metric = self._faiss.METRIC_INNER_PRODUCT
        self._index = self._faiss.IndexIDMap2(
            self._faiss.IndexScalarQuantizer(dimension, quantizer, metric)
        )

    @property
    def stored(self) -> int:
        """Vectors held, lingering ones included."""
        return int(self._index.ntotal)

    def ids(self) -> Ids:
        """Embedding ids held, lingering ones included, in the order they were added."""
        return np.array(self._faiss.vector_to_array(self._index.id_map), dtype=np.int64)

    def search(self, vector: npt.NDArray[np.float32], k: int) -> tuple[list[int], list[float]]:
        """(embedding ids, cosines) of at least the k nearest, best first, ties by id.

        Args:
            vector: float32, shape (dimension,), unit length.
            k: at least 1.
        """
        query = np.ascontiguousarray(vector, dtype=np.float32).reshape(1, -1)
        wanted = k + 1
        while True:
            taken = min(wanted, self.stored)
            if taken == 0:
                return [], []
            with _one_thread(self._faiss):
                scores, ids = self._index.search(query, taken)
            # A tie that crosses the cut would make the choice depend on insertion order: look
            # further.
            if taken == self.stored or taken <= k or scores[0, k - 1] != scores[0, -1]:
                break
            wanted *= 2
        order = np.lexsort((ids[0], -scores[0]))
        return ids[0][order].tolist(), scores[0][order].tolist()

    def catch_up(self, connection: Connection, head: Head) -> bool:
        """Follow the catalog to `head`; True when a vector came or went."""
        before = self.stored
        if self.generation < head.removals_from:
            self._forget_gone(connection, head.generation)
        else:
            for removal in catalog.removals_since(connection, self.generation):
                self._dead.update(removal.embedding_ids)
                if any(i > self._last_id for i in removal.embedding_ids):
                    self.floor = removal.generation  # came and went between two looks: never here
        died = bool(self._dead)
        self._add_new(connection)
        self.generation = head.generation
        if len(self._dead) > max(_DEAD_LEAST, _DEAD_SHARE * self.stored):
            self.compact()
        return died or self.stored != before

    def compact(self) -> None:
        """Drop removed vectors for good: one full pass."""
        if self._dead:
            with _one_thread(self._faiss):
                self._index.remove_ids(np.array(sorted(self._dead), dtype=np.int64))
            self._dead.clear()
        self.floor = self.generation

    def _forget_gone(self, connection: Connection, generation: int) -> None:
        live = np.fromiter(connection.scalars(select(EmbeddingRow.id)), dtype=np.int64)
        self._dead.update(np.setdiff1d(self.ids(), live).tolist())
        self.floor = generation

    def _add_new(self, connection: Connection) -> None:
        query = (
            select(EmbeddingRow.id, EmbeddingRow.vector)
            .where(EmbeddingRow.id > self._last_id)
            .order_by(EmbeddingRow.id)
        )
        result = connection.execution_options(yield_per=_ROWS).execute(query)
        for rows in result.partitions(_ROWS):
            ids = np.array([row[0] for row in rows], dtype=np.int64)
            vectors = decode_vectors([row[1] for row in rows], self.dimension)
            with _one_thread(self._faiss):
                self._index.add_with_ids(vectors, ids)
            self._last_id = int(ids[-1])

    def save(self, folder: Path, head: Head) -> None:
        """Write file and manifest, each atomically; a crash between the two is found by the sha256.

        Raises:
            OSError: disk full or not writable; the old copy stays.
        """
        self.compact()

        def write(file: BinaryIO) -> None:
            writer = self._faiss.PyCallbackIOWriter(file.write, _BLOCK)
            self._faiss.write_index(self._index, writer)

        digest = write_atomically(folder / FILE, write)
        self._save_manifest(folder, head, digest)

    def _save_manifest(self, folder: Path, head: Head, digest: str) -> None:
        values = {
            "format": _FORMAT,
            "collection": head.uuid,
            "contract": head.contract.fingerprint,
            "generation": self.generation,
            "last_id": self._last_id,
            "count": self.stored,
            "dimension": self.dimension,
            "sha256": digest,
            "library": f"faiss {self._faiss.__version__}",
        }
        write_json(folder / MANIFEST, values)

    @classmethod
    def load(cls, folder: Path, head: Head) -> "VectorIndex | None":
        """The copy on disk, maybe behind; None if missing, damaged, ahead or not this one's."""
        for _ in range(3):  # a writer may replace file and manifest between our two reads
            manifest = read_json(folder / MANIFEST)
            if manifest is None or not _fits(manifest, head):
                return None
            if (index := cls._read(folder, manifest)) is not None:
                return index
            if read_json(folder / MANIFEST) == manifest:
                return None
        return None

    @classmethod
    def _read(cls, folder: Path, manifest: dict[str, Any]) -> "VectorIndex | None":
        trusted = TrustedFiles(folder / SIDECAR)
        try:
            with open(folder / FILE, "rb") as file:
                if not trusted.check(file, FILE, manifest["sha256"]):
                    return None
                trusted.save({FILE})
                index = cls(manifest["dimension"])
                reader = index._faiss.PyCallbackIOReader(file.read, _BLOCK)
                index._index = index._faiss.read_index(reader)
        except (OSError, RuntimeError):
            return None
        if index.stored != manifest["count"] or index._index.d != manifest["dimension"]:
            return None
        index._last_id = manifest["last_id"]
        index.generation = index.floor = manifest["generation"]
        return index

    @classmethod
    def open(cls, folder: Path, connection: Connection, head: Head) -> "VectorIndex":
        """At exactly `head`: the copy on disk caught up, or rebuilt from the catalog."""
        index = cls.load(folder, head)
        if index is None:
            index = cls(head.contract.dimension)
            index.floor = head.generation
        if index.generation != head.generation or index.stored == 0:
            index.catch_up(connection, head)
        return index


def sync_vectors(folder: Path, connection: Connection, head: Head) -> None:
    """Bring the copy on disk to `head`; only for the holder of the lock.

    Raises:
        OSError: disk full or not writable; the old copy stays.
    """
    manifest = read_json(folder / MANIFEST)
    if manifest is not None and _fits(manifest, head) and _is_current(folder, manifest, head):
        return
    index = VectorIndex.load(folder, head)
    if index is None or manifest is None:
        index = VectorIndex(head.contract.dimension)
        index.catch_up(connection, head)
        index.save(folder, head)
    elif index.catch_up(connection, head):
        index.save(folder, head)
    else:  # the same vectors: only the generation is new
        index._save_manifest(folder, head, manifest["sha256"])


def _is_current(folder: Path, manifest: dict[str, Any], head: Head) -> bool:
    """True when the file is whole and at `head`, without loading it."""
    trusted = TrustedFiles(folder / SIDECAR)
    try:
        with open(folder / FILE, "rb") as file:
            whole = trusted.check(file, FILE, manifest["sha256"])
    except OSError:
        return False
    trusted.save({FILE})
    return whole and manifest["generation"] == head.generation


def manifest_sha256(folder: Path) -> str | None:
    """What the file must hash to; None without a manifest."""
    manifest = read_json(folder / MANIFEST)
    return None if manifest is None else manifest.get("sha256")


def disown_if_ahead(folder: Path, head: Head) -> None:
    """Drop a copy that is ahead of the catalog, as after restoring an old catalog from a backup.

    Once the catalog has grown past it again, ids would mean other texts and nothing could tell.
    """
    manifest = read_json(folder / MANIFEST)
    if manifest is not None and not _fits(manifest, head):
        (folder / MANIFEST).unlink()


def _fits(manifest: dict[str, Any], head: Head) -> bool:
    numbers = [manifest.get(name) for name in ("generation", "last_id", "count", "dimension")]
    if not all(type(number) is int and number >= 0 for number in numbers):
        return False
    return (
        manifest.get("format") == _FORMAT
        and manifest.get("collection") == head.uuid
        and manifest.get("contract") == head.contract.fingerprint
        and manifest["dimension"] == head.contract.dimension
        and manifest["generation"] <= head.generation
        and isinstance(manifest.get("sha256"), str)
    )


def _import_faiss() -> Any:
    import faiss

    return faiss


@contextmanager
def _one_thread(faiss: Any) -> Iterator[None]:
    """Run FAISS on the calling thread alone, and leave OpenMP as it was.

    One flat query gains nothing from more threads, and on busy cores their barriers cost 28 ms
    instead of 1 (40,000 vectors); where torch brings a second libomp (macOS) they crash the
    process (faiss#3401). The setting is torch's too, hence put back (measured: its 2 became 1).
    """
    before = faiss.omp_get_max_threads()
    faiss.omp_set_num_threads(1)
    try:
        yield
    finally:
        faiss.omp_set_num_threads(before)
