"""The lexical copy, written: tantivy over our own terms, one entry per chunk, keyed by its id.

tantivy's segment files never change once written; the manifest lists them with their sha256
together with the `meta.json` that names them. A reader believes the manifest only, so what a killed
writer left behind is not seen.
"""

import json
import os
import shutil
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, select

from indexer.errors import StoreError
from indexer.storage import catalog
from indexer.storage.analysis import ANALYSIS_VERSION
from indexer.storage.catalog import Head
from indexer.storage.lexical_entries import ID, TERMS, entries, schema
from indexer.storage.manifest import (
    TrustedFiles,
    read_json,
    sha256_of,
    write_bytes,
    write_json,
)
from indexer.storage.tables import ChunkRow

FOLDER, MANIFEST, SIDECAR = "lexical", "lexical.json", "lexical.trust.json"
_FORMAT = 2
_HEAP_BYTES = 48_000_000  # of the one indexing thread; a segment is written when it is full
_ROWS = 1_000
_EMPTY = -1  # before any generation: nothing written, no manifest


def open_index(path: Path, create: bool = False) -> Any:
    """Tantivy's index in a folder, with our tokenizer.

    Raises:
        ValueError: tantivy cannot read it.
    """
    import tantivy

    index = (
        tantivy.Index(schema(), path=os.fspath(path))
        if create
        else tantivy.Index.open(os.fspath(path))
    )
    whitespace = tantivy.TextAnalyzerBuilder(tantivy.Tokenizer.whitespace()).build()
    index.register_tokenizer(TERMS, whitespace)
    return index


class LexicalWriter:
    """Keeps the copy at the catalog's generation; only for the holder of the lock."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._path = folder / FOLDER
        self._index: Any = None  # opened on first use
        self._files: dict[str, str] = {}  # {segment file: sha256}
        self._collection = ""
        self.generation = _EMPTY

    def catch_up(self, connection: Connection, head: Head) -> None:
        """Bring the copy to `head`, if it is not there; may be killed at any point.

        Raises:
            OSError, StoreError: the disk is full or the folder cannot be written.
        """
        try:
            self._catch_up(connection, head)
        except BaseException as error:
            self._index = None  # the next attempt starts from the manifest again
            if isinstance(error, ValueError):  # what tantivy raises, I/O errors included
                raise StoreError(
                    f"{self._path}: the lexical index cannot be written ({error}). The catalog "
                    "is safe; free some space or check the permissions, and run again."
                ) from error
            raise

    def _catch_up(self, connection: Connection, head: Head) -> None:
        if self._index is None or self._collection != head.uuid:
            self._open(head)
        if self.generation == head.generation:
            return
        if _EMPTY < self.generation < head.removals_from:
            self._reset(head)
        writer = self._index.writer(_HEAP_BYTES, 1)
        if self.generation != _EMPTY:
            self._delete(connection, writer)
        for entry in entries(connection, self.generation):
            writer.add_document(entry)
        writer.commit()
        # Merges would go on changing the files behind the manifest's back.
        writer.wait_merging_threads()
        self.generation = head.generation
        self._save_manifest(head)

    def _delete(self, connection: Connection, writer: Any) -> None:
        """Drop what is gone and what is written anew, which also makes a replay harmless."""
        gone = [i for r in catalog.removals_since(connection, self.generation) for i in r.chunk_ids]
        anew = connection.scalars(select(ChunkRow.id).where(ChunkRow.generation > self.generation))
        for ids in catalog.batches([*gone, *anew], _ROWS):
            writer.delete_documents_by_query(id_query(self._index.schema, ids))

    def _open(self, head: Head) -> None:
        """The copy as its manifest says, or an empty one."""
        manifest = read_manifest(self._folder, head)
        if manifest is None or not verify(self._folder, manifest):
            self._reset(head)
            return
        meta = manifest["meta"].encode()
        try:
            if (self._path / "meta.json").read_bytes() != meta:
                # Killed after tantivy's commit, before the manifest: back to what that says.
                write_bytes(self._path / "meta.json", meta)
            self._remove_strays(manifest["files"])
            self._index = open_index(self._path)
        except (OSError, ValueError):
            self._reset(head)
            return
        self._files = dict(manifest["files"])
        self._collection = head.uuid
        self.generation = manifest["generation"]

    def _remove_strays(self, files: Collection[str]) -> None:
        """Delete what a killed writer left: tantivy refuses to write a file that is there."""
        for entry in os.scandir(self._path):
            ours = entry.is_file() and not entry.name.startswith((".", "meta."))
            if ours and entry.name not in files:
                os.unlink(entry)

    def _reset(self, head: Head) -> None:
        (self._folder / MANIFEST).unlink(missing_ok=True)
        self._index = None
        if self._path.is_symlink() or self._path.is_file():
            self._path.unlink()
        elif self._path.exists():
            shutil.rmtree(self._path)
        self._path.mkdir()
        self._index = open_index(self._path, create=True)
        self._files = {}
        self._collection = head.uuid
        self.generation = _EMPTY

    def _save_manifest(self, head: Head) -> None:
        meta = (self._path / "meta.json").read_text("utf-8")
        files = {}
        for name in segment_files(self._path, meta):
            if name not in self._files:
                with open(self._path / name, "rb") as file:
                    self._files[name] = sha256_of(file)
            files[name] = self._files[name]
        self._files = files
        values = {
            "format": _FORMAT,
            "analysis": ANALYSIS_VERSION,
            "collection": head.uuid,
            "generation": self.generation,
            "meta": meta,
            "files": files,
        }
        write_json(self._folder / MANIFEST, values)


def id_query(schema: Any, ids: Sequence[int]) -> Any:
    """Entries with these ids; a single term would take an int for signed and find nothing."""
    import tantivy

    return tantivy.Query.term_set_query(schema, ID, list(ids))


def read_manifest(folder: Path, head: Head) -> dict[str, Any] | None:
    """The manifest, if it belongs to this collection and analysis; else None."""
    manifest = read_json(folder / MANIFEST)
    if manifest is None:
        return None
    generation, files = manifest.get("generation"), manifest.get("files")
    fits = (
        manifest.get("format") == _FORMAT
        and manifest.get("analysis") == ANALYSIS_VERSION
        and manifest.get("collection") == head.uuid
        and type(generation) is int
        and generation >= 0
        and isinstance(manifest.get("meta"), str)
        and isinstance(files, dict)
        and all(os.path.basename(name) == name for name in files)
    )
    return manifest if fits else None


def verify(folder: Path, manifest: dict[str, Any]) -> bool:
    """True when every file the manifest lists is there with its sha256."""
    trusted = TrustedFiles(folder / SIDECAR)
    for name, sha256 in manifest["files"].items():
        try:
            with open(folder / FOLDER / name, "rb") as file:
                if not trusted.check(file, name, sha256):
                    return False
        except OSError:
            return False
    trusted.save(set(manifest["files"]))
    return True


def segment_files(path: Path, meta: str) -> list[str]:
    """Names of the files that belong to the segments in a `meta.json`, sorted."""
    deletes: dict[str, str] = {}
    for segment in json.loads(meta)["segments"]:
        stem = segment["segment_id"].replace("-", "")
        opstamp = (segment["deletes"] or {}).get("opstamp")
        deletes[stem] = f"{stem}.{opstamp}.del"
    return sorted(
        name
        for name in os.listdir(path)
        if (stem := name.split(".")[0]) in deletes
        and (not name.endswith(".del") or name == deletes[stem])
    )


def disown_if_ahead(folder: Path, head: Head) -> None:
    """Drop a copy that is ahead of the catalog, as after restoring an old catalog."""
    manifest = read_manifest(folder, head)
    if manifest is not None and manifest["generation"] > head.generation:
        (folder / MANIFEST).unlink()
