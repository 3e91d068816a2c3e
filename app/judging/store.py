"""The judgements of a collection: two small files in its folder that any tool for IR reads."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from types import TracebackType
from typing import Self

from app.judging.read import Qrels, read_qrels, read_queries
from indexer.errors import StoreError, UsageError
from indexer.storage.lock import WriterLock
from indexer.storage.manifest import remove_leftovers, write_bytes

FOLDER = "judgements"  # in the collection's folder: deleted with it, kept by all that re-indexes
QUERIES, QRELS, LOCK = "queries.jsonl", "qrels.trec", "lock"


@dataclass(frozen=True, slots=True)
class Judgements:
    """What a person said of documents, by the documents' names."""

    queries: dict[str, str]  # {query id: text}
    qrels: Qrels  # {query id: {document name: grade}}

    @property
    def count(self) -> int:
        """How many judgements there are."""
        return sum(len(grades) for grades in self.qrels.values())

    @property
    def answered(self) -> int:
        """How many queries have a relevant document."""
        return sum(any(grade > 0 for grade in grades.values()) for grades in self.qrels.values())


def read_judgements(collection_folder: Path) -> Judgements:
    """Those of the collection in this folder; none when nothing was judged.

    Raises:
        UsageError: the files were changed to something that cannot be read.
    """
    folder = collection_folder / FOLDER
    if not (folder / QRELS).is_file():
        return Judgements({}, {})
    queries, qrels = read_queries(folder / QUERIES), read_qrels(folder / QRELS)
    unknown = [query for query in qrels if query not in queries]
    if unknown:
        raise UsageError(
            f"{folder / QRELS}: judges query {unknown[0]!r}, which {QUERIES} beside it does not "
            "hold. Add its line there, or take its judgements out."
        )
    return Judgements({query: text for query, text in queries.items() if query in qrels}, qrels)


def query_id(text: str) -> str:
    """The same in every collection, so that judgements of several can be put together."""
    return f"q-{sha256(text.encode()).hexdigest()[:12]}"


class JudgementStore:
    """Adds and changes judgements; each is on disk when `put` returns. A context manager.

    Raises:
        LockedError: another process is judging the same collection.
        StoreError: the folder cannot be written.
    """

    def __init__(self, collection_folder: Path) -> None:
        self._folder = collection_folder / FOLDER
        with _store_errors(self._folder):
            self._folder.mkdir(mode=0o700, exist_ok=True)
            self._lock = WriterLock(self._folder / LOCK)
        try:
            remove_leftovers(self._folder)
            self.judgements = read_judgements(collection_folder)
            self._written = set(self.judgements.queries)
        except BaseException:
            self._lock.release()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._lock.release()

    def grade(self, query: str, document: str) -> int | None:
        """What was said of the document before; None when nothing was."""
        return self.judgements.qrels.get(query, {}).get(document)

    def put(self, query: str, text: str, document: str, grade: int) -> None:
        """Keep a judgement; an earlier one of the same query and document is replaced."""
        queries, qrels = self.judgements.queries, self.judgements.qrels
        if query not in queries:
            queries[query] = text
        qrels.setdefault(query, {})[document] = grade
        with _store_errors(self._folder):
            if not qrels.keys() <= self._written:
                # Before the judgements: one of a query without a text could not be read.
                write_bytes(self._folder / QUERIES, _query_lines(queries))
                self._written = set(queries)
            write_bytes(self._folder / QRELS, _trec_lines(qrels))

    def withdraw(self, query: str, document: str) -> None:
        """Forget what was said of the document for this query, if anything was."""
        qrels = self.judgements.qrels
        if qrels.get(query, {}).pop(document, None) is None:
            return
        if not qrels[query]:
            del qrels[query]
        with _store_errors(self._folder):
            if qrels:
                write_bytes(self._folder / QRELS, _trec_lines(qrels))
            else:  # an empty file of judgements is taken for a broken one
                (self._folder / QRELS).unlink()


@contextmanager
def _store_errors(folder: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise StoreError(
            f"{folder}: judgements cannot be written ({error.strerror or error}). Those made "
            "before are safe."
        ) from error


def _query_lines(queries: dict[str, str]) -> bytes:
    rows = ({"_id": query, "text": text} for query, text in queries.items())
    return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows).encode()


def _trec_lines(qrels: Qrels) -> bytes:
    return "".join(
        f"{query} 0 {document} {grade}\n"
        for query, grades in qrels.items()
        for document, grade in grades.items()
    ).encode()
