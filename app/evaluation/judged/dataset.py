"""A judged set on disk: a BEIR folder, or a corpus with queries and TREC judgements beside it."""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from app.judging.read import Qrels, read_documents, read_qrels, read_queries
from indexer.documents.discover import discover
from indexer.errors import UsageError
from indexer.types import FoundFile

CORPUS, QUERIES = "corpus.jsonl", "queries.jsonl"
# Judged documents that a corpus may lack: of some well-known sets a few were withdrawn.
_MISSING_SHARE = 0.01


@dataclass(frozen=True, slots=True)
class Document:
    """A document of a BEIR corpus."""

    id: str
    title: str
    text: str

    @property
    def whole(self) -> str:
        """What benchmarks embed: title and text on one line (as BEIR and MTEB join them)."""
        return f"{self.title} {self.text}".strip()


@dataclass(frozen=True, slots=True)
class JudgedSet:
    """Documents, queries and which answers which."""

    name: str
    corpus: Path | None  # a JSONL file, or a folder whose documents are named by their path in it
    queries: dict[str, str]  # {query id: text} of the judged ones, in the order of the file
    qrels: Qrels  # {query id: {document id: grade}}
    checksums: dict[str, str]  # {file name: sha256}
    problems: tuple[str, ...]
    themselves: frozenset[str] = frozenset()  # queries that are the document of the same id
    own: Path | None = None  # folder of the user's collection, instead of a corpus
    known_items: bool = False  # queries were made from headings: a weaker substitute

    @property
    def judgements(self) -> int:
        """How many."""
        return sum(len(of) for of in self.qrels.values())


def documents_of(corpus: Path) -> Iterator[Document]:
    """Of a JSONL corpus, in order.

    Raises:
        UsageError: a line is not a document.
    """
    return (Document(*row) for row in read_documents(corpus))


def load_judged(
    folder: Path,
    corpus: Path | None = None,
    queries: Path | None = None,
    qrels: Path | None = None,
    split: str = "test",
) -> JudgedSet:
    """The judged set in a folder, or put together from files that lie elsewhere.

    Args:
        folder: holds corpus.jsonl, queries.jsonl and qrels/<split>.tsv, as far as the others do
            not say where they are.
        corpus: a BEIR corpus, or a folder of documents of any format.
        queries: JSON lines with `_id` and `text`.
        qrels: judgements, of BEIR (a header line) or TREC (`query 0 document grade`).
        split: which judgements of the folder.

    Raises:
        UsageError: a file is missing, empty or broken, or they do not fit each other.
    """
    corpus = _there(corpus or folder / CORPUS, "--corpus")
    queries = _there(queries or folder / QUERIES, "--queries")
    qrels = _there(qrels or _qrels_in(folder, split), "--qrels")
    judged, texts = read_qrels(qrels), read_queries(queries)
    known, digest = _known(corpus, texts)
    if not known.names:
        raise UsageError(f"{corpus}: holds no document. Name the corpus with --corpus.")
    problems = _compare(judged, texts, known.names, queries, qrels, corpus)
    return JudgedSet(
        name=folder.resolve().name,
        corpus=corpus,
        queries={query: text for query, text in texts.items() if query in judged},
        qrels={query: judged[query] for query in texts if query in judged},
        checksums={corpus.name: digest, queries.name: _sha256(queries), qrels.name: _sha256(qrels)},
        problems=problems + known.notes(),
        themselves=frozenset(known.themselves),
    )


def _there(path: Path, option: str) -> Path:
    if not path.exists():
        raise UsageError(
            f"{path}: not there. A BEIR folder holds {CORPUS}, {QUERIES} and qrels/test.tsv; say "
            f"where it lies with {option}."
        )
    return path


def _qrels_in(folder: Path, split: str) -> Path:
    """The judgements of a folder, by the names that are usual."""
    names = (f"qrels/{split}.tsv", f"qrels/{split}.trec", f"qrels/{split}.txt", "qrels.trec")
    found = next((folder / name for name in names if (folder / name).is_file()), None)
    return found or folder / names[0]


@dataclass(slots=True)
class _Known:
    """The documents of a corpus, as far as judgements are concerned."""

    names: set[str] = field(default_factory=set)
    themselves: set[str] = field(default_factory=set)  # that say what the query of their id says
    strangers: int = 0  # that share their id with a query and say something else

    def notes(self) -> tuple[str, ...]:
        """What a reader who knows BEIR should know."""
        notes = []
        if self.themselves:
            notes.append(
                f"{len(self.themselves):,} queries are documents themselves; each is left out of "
                "its own ranking, as BEIR does."
            )
        if self.strangers:
            notes.append(
                f"{self.strangers:,} documents share their id with a query but say something else: "
                "they count. BEIR would leave each out of that query's ranking."
            )
        return tuple(notes)


def _known(corpus: Path, queries: dict[str, str]) -> tuple[_Known, str]:
    """(all documents, sha256 of their files)."""
    known = _Known()
    if corpus.is_file():
        for document in documents_of(corpus):
            identity = document.id
            if identity in known.names:
                raise UsageError(
                    f"{corpus}: document {identity!r} is there twice; a judgement of it could mean "
                    "either. Give each its own _id."
                )
            known.names.add(identity)
            if identity in queries:
                if _said(queries[identity]) in (_said(document.text), _said(document.whole)):
                    known.themselves.add(identity)
                else:
                    known.strangers += 1
        return known, _sha256(corpus)
    digest = hashlib.sha256()
    for path in sorted(file.path for file in discover([corpus]) if isinstance(file, FoundFile)):
        name = path.relative_to(corpus.resolve()).as_posix()
        known.names.add(name)
        digest.update(f"{name}\0{_sha256(path)}\n".encode(errors="surrogateescape"))
    return known, digest.hexdigest()


def _said(text: str) -> str:
    return " ".join(text.casefold().split())


def _compare(
    judged: Qrels, texts: dict[str, str], known: set[str], queries: Path, qrels: Path, corpus: Path
) -> tuple[str, ...]:
    """What a reader should know; refuses what would give figures that mean nothing."""
    silent = [query for query in judged if query not in texts]
    if silent:
        raise UsageError(
            f"{qrels}: judges query {silent[0]!r} and {len(silent) - 1} more that {queries} does "
            "not hold. The two files belong to different sets."
        )
    named = {document for of in judged.values() for document in of}
    # Inside a folder a file may hold many documents, named path#member.
    missing = [name for name in named if name not in known and name.partition("#")[0] not in known]
    if len(missing) > _MISSING_SHARE * len(named):
        raise UsageError(
            f"{qrels}: {len(missing):,} of the {len(named):,} documents it judges, such as "
            f"{min(missing)!r}, are not in {corpus}. The two belong to different sets."
        )
    problems = []
    if missing:
        problems.append(
            f"{len(missing)} judged documents, such as {min(missing)!r}, are not in the corpus: "
            "no search can find them."
        )
    hopeless = [query for query, of in judged.items() if max(of.values()) < 1]
    if hopeless:
        problems.append(
            f"{len(hopeless)} judged queries, such as {hopeless[0]!r}, have no relevant document "
            "and count as 0."
        )
    return tuple(problems)


def _sha256(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
