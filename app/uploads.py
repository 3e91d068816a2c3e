"""Documents that come through the API: what they are stored with, and under which lock."""

from collections.abc import Sequence
from dataclasses import dataclass

from app.indexing import choose_model, index_options, is_collection
from app.search.collections import Collections
from app.search.models import Models
from app.settings import Settings
from indexer.documents.chunk import CHUNKER_VERSION
from indexer.embedding.embedder import Embedder
from indexer.errors import ContractError, UsageError
from indexer.paths import display_path, upload_id
from indexer.pipeline.put import Prepared, Put, Putter, check_uploads, forget
from indexer.pipeline.upload import Upload
from indexer.storage.commit import Writer
from indexer.types import Contract


class FileDocumentError(UsageError):
    """The document lies in a file: to delete it here would not last."""


@dataclass(frozen=True, slots=True)
class Waiting:
    """Uploads that are read and embedded, and wait for the collection's lock."""

    collection: str
    create: bool
    contract: Contract
    uploads: Sequence[Upload]
    prepared: Prepared
    putter: Putter


class Uploads:
    """Stores, replaces and deletes uploaded documents. Safe to use from several threads."""

    def __init__(self, settings: Settings, models: Models, collections: Collections) -> None:
        self._settings = settings
        self._models = models
        self._collections = collections

    def embedder(self, name: str, *, create: bool) -> Embedder:
        """The model that uploads to this collection are embedded with.

        Raises:
            NotFoundError: there is no such collection, and `create` is false.
            ModelError, PlacementError: the model is not to be had.
            ContractError: the model at hand is not the collection's.
        """
        return self._basis(name, create)[1]

    def prepare(self, name: str, uploads: Sequence[Upload], *, create: bool) -> Waiting:
        """Read, chunk and embed what is new; takes no lock and changes nothing.

        Args:
            name: the collection's.
            uploads: at least one.
            create: make the collection, with the settings' model, if there is none.

        Raises:
            UsageError, ReadError: uploads that cannot be stored.
            NotFoundError, ModelError, PlacementError, ContractError: see `embedder`.
        """
        check_uploads(uploads)
        contract, embedder = self._basis(name, create)
        options = index_options(self._settings, contract, (), (), workers=0)
        putter = Putter(embedder, contract, options.chunking, options.limits)
        if not self._is_there(name):
            nothing = putter.prepare(uploads, lambda _paths: {}, lambda _keys: set())
            return Waiting(name, create, contract, uploads, nothing, putter)
        opened = self._collections.get(name)
        self._models.admit(opened, embedder)
        prepared = putter.prepare(uploads, opened.stamps, opened.known_keys)
        return Waiting(name, create, contract, uploads, prepared, putter)

    def store(self, waiting: Waiting) -> list[Put]:
        """Make them durable and findable in one transaction, all or none.

        Raises:
            LockedError: another process writes to the collection.
            NotFoundError: the collection is gone, and was not to be made.
            ContractError: it has another contract meanwhile.
            StoreError: it cannot be written; nothing was stored.
        """
        folder = self._collections.folder(waiting.collection)
        with Writer.open(folder, waiting.contract, create=waiting.create) as writer:
            return waiting.putter.store(waiting.uploads, waiting.prepared, writer)

    def delete(self, name: str, ids: Sequence[str]) -> list[int]:
        """Delete uploads by their ids, all or none; their document ids in the same order.

        Raises:
            NotFoundError: there is no such collection or upload.
            LockedError: another process writes to the collection.
        """
        contract = self._collections.get(name).contract
        with Writer.open(self._collections.folder(name), contract, create=False) as writer:
            return forget(ids, writer)

    def delete_document(self, name: str, document_id: int) -> None:
        """Delete an upload by its document id.

        Raises:
            FileDocumentError: it lies in a file.
            NotFoundError, LockedError: see `delete`.
        """
        document = self._collections.get(name).document(document_id)
        uploaded = upload_id(document.path)
        if uploaded is None:
            path = display_path(document.path)
            raise FileDocumentError(
                f"Document {document_id} lies in {path} and would come back when that is indexed "
                f"again. Remove the file, or forget it with: semsearch rm {path}"
            )
        self.delete(name, [uploaded])

    def _basis(self, name: str, create: bool) -> tuple[Contract, Embedder]:
        """What the collection's vectors mean, and the model that makes them."""
        if create and not self._is_there(name):
            folder = self._collections.folder(name)
            source, spec, contract = choose_model(
                self._settings, self._models, folder, reembed=False
            )
            embedder = self._models.embedder(spec, contract.dimension)
            if source is not None:
                self._models.remember(spec.weights_sha256, source)
            return contract, embedder
        contract = self._collections.get(name).contract
        if contract.chunker.partition("/")[0] != str(CHUNKER_VERSION):
            raise ContractError(
                f"The collection {name!r} was cut by chunker {contract.chunker}; this semsearch "
                f"has {CHUNKER_VERSION}. Embed it again with `semsearch index --reembed`."
            )
        return contract, self._models.embedder_of(contract)

    def _is_there(self, name: str) -> bool:
        return is_collection(self._collections.folder(name))
