"""Queries made from headings: a weaker substitute where nobody has judged anything.

A heading is a question whose answer is known: the document it heads. But the embedded text contains
that heading, word for word, which no real question does; figures are therefore too good, favour
the search by words, and are fit to compare modes of one model, not to say how well people are
served. Whatever shows them says so (`OwnSet.label`, `problems`).
"""

import re
from collections import defaultdict
from collections.abc import Iterable
from hashlib import sha256

from app.evaluation.judged.own import OwnSet
from app.judging.names import document_names
from app.judging.read import Qrels
from app.judging.store import query_id
from indexer.errors import UsageError
from indexer.storage.analysis import query_terms
from indexer.storage.collection import Collection

LEAST_WORDS = 3
_MOST_CHARS = 200  # longer ones are paragraphs that a reader took for headings
_LETTERS = re.compile(r"[^\W\d_]")
_WARNING = (
    "The queries are titles and headings of the documents themselves, so they are easier than real "
    "questions. Judge some with `semsearch judge` to know how good search is for you."
)


def known_item_set(collection: Collection, count: int, seed: int = 0) -> OwnSet:
    """At most `count` queries, each a title or heading that names exactly one document.

    As many documents as possible are asked for before any is asked for twice. The same seed gives
    the same queries as long as the documents stay.

    Raises:
        UsageError: no heading will do.
    """
    with collection.snapshot() as now:
        owners = _owners(now.headings())
        chosen = _choose(owners, count, seed)
        wanted = set(chosen.values())
        names = {doc.id: name for name, doc in document_names(now) if doc.id in wanted}
    if not chosen:
        raise UsageError(
            f"No title or heading of {LEAST_WORDS} words or more names one document alone, so no "
            "queries can be made. Judge your own with `semsearch judge`."
        )
    queries = {query_id(heading): heading for heading in chosen}
    qrels: Qrels = {query_id(heading): {names[of]: 1} for heading, of in chosen.items()}
    return OwnSet(queries, qrels, problems=(_WARNING,), known_items=True)


def _owners(headings: Iterable[tuple[int, str]]) -> dict[str, int]:
    """{heading: the one document that has it}.

    One that stands in several documents, whatever its case and spacing, is boilerplate or a copy.
    """
    documents: dict[str, set[int]] = defaultdict(set)
    spelling: dict[str, str] = {}
    for document_id, heading in headings:
        text = " ".join(heading.split())
        documents[text.casefold()].add(document_id)
        spelling.setdefault(text.casefold(), text)
    return {
        spelling[folded]: next(iter(ids))
        for folded, ids in documents.items()
        if len(ids) == 1 and _is_telling(spelling[folded])
    }


def _is_telling(heading: str) -> bool:
    """Long enough to be a query. Scripts without spaces count by pairs of characters."""
    if len(heading) > _MOST_CHARS:
        return False
    words = [group for group in query_terms(heading, {""}) if group and _LETTERS.search(group[0])]
    return len(words) >= LEAST_WORDS


def _choose(owners: dict[str, int], count: int, seed: int) -> dict[str, int]:
    def draw(heading: str) -> bytes:
        return sha256(f"{seed}\0{heading}".encode()).digest()

    turns: dict[int, int] = defaultdict(int)  # headings of a document drawn so far
    ranked = []
    for heading in sorted(owners, key=draw):
        ranked.append((turns[owners[heading]], draw(heading), heading))
        turns[owners[heading]] += 1
    return {heading: owners[heading] for _, _, heading in sorted(ranked)[:count]}
