"""A judged set of the user's own collection, ready to measure it with."""

from dataclasses import dataclass
from pathlib import Path

from app.evaluation.judged.enough import too_few
from app.judging.names import document_names
from app.judging.read import Qrels
from app.judging.store import Judgements, read_judgements
from indexer.errors import UsageError
from indexer.storage.collection import Collection
from indexer.storage.snapshot import Snapshot


@dataclass(frozen=True, slots=True)
class OwnSet:
    """Queries with at least one relevant document, and what is known of documents."""

    queries: dict[str, str]  # {query id: text}
    qrels: Qrels  # {query id: {document name: grade}}, only documents that are there
    missing: int = 0  # judgements whose document is gone
    problems: tuple[str, ...] = ()  # what a reader should know before believing figures
    known_items: bool = False  # made from headings: a weaker substitute for judgements

    @property
    def label(self) -> str:
        """What the figures rest on, to be shown beside them."""
        if self.known_items:
            return f"{len(self.queries)} known-item queries made from headings, not real questions"
        return f"{len(self.queries)} queries judged by hand"


def own_set(collection: Collection, folder: Path) -> OwnSet:
    """What was judged of a collection, as far as its documents are still there.

    Judgements of documents that are gone are left out, and queries without a relevant document
    too: no search could find anything for them. Both are counted in `problems`.

    Args:
        collection: the judged one.
        folder: the collection's.

    Raises:
        UsageError: nothing was judged, or nothing of it can be used.
    """
    judgements = read_judgements(folder)
    if not judgements.count:
        raise UsageError("Nothing of this collection was judged yet. Run `semsearch judge` first.")
    with collection.snapshot() as now:
        return own_set_at(now, judgements)


def own_set_at(now: Snapshot, judgements: Judgements) -> OwnSet:
    """`own_set` at one generation of the collection.

    Raises:
        UsageError: no query has a relevant document that is still there.
    """
    there = _there(now, judgements)
    kept = {
        query: {name: grade for name, grade in grades.items() if name in there}
        for query, grades in judgements.qrels.items()
    }
    missing = judgements.count - sum(len(grades) for grades in kept.values())
    qrels = {query: of for query, of in kept.items() if any(grade > 0 for grade in of.values())}
    if not qrels:
        gone = f" ({missing} judgements name documents that are no longer there)" if missing else ""
        raise UsageError(
            f"None of the {len(judgements.queries)} judged queries has a relevant document{gone}, "
            "so nothing can be measured. Run `semsearch judge` with other queries."
        )
    queries = {query: judgements.queries[query] for query in qrels}
    hopeless = len(judgements.queries) - len(queries)
    return OwnSet(queries, qrels, missing, _problems(missing, hopeless, len(queries)))


def _there(now: Snapshot, judgements: Judgements) -> set[str]:
    """Those of the judged names that documents have."""
    judged = {name for grades in judgements.qrels.values() for name in grades}
    return {name for name, _ in document_names(now) if name in judged}


def _problems(missing: int, hopeless: int, queries: int) -> tuple[str, ...]:
    problems = []
    if missing == 1:
        problems.append("1 judgement names a document that is no longer there.")
    elif missing:
        problems.append(f"{missing} judgements name documents that are no longer there.")
    if hopeless:
        problems.append(f"{hopeless} judged queries have no relevant document and are left out.")
    warning = too_few(queries)
    return (*problems, warning) if warning else tuple(problems)
