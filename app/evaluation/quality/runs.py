"""Rankings of documents for queries, kept in TREC's run format."""

from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

Run = Mapping[str, Sequence["Ranked"]]  # {query id: documents, best first}


@dataclass(frozen=True, slots=True)
class Ranked:
    """A document in a ranking."""

    document: str
    score: float


def without_itself(ranked: Sequence[Ranked], query: str, themselves: Set[str]) -> Sequence[Ranked]:
    """Without the query's own document.

    In sets of questions about questions (ArguAna, Quora) a query is a document as well, and would
    find itself first. BEIR goes by the id alone, and so drops a relevant document of Cranfield,
    where both are numbered from 1.

    Args:
        ranked: documents, best first.
        query: its id.
        themselves: ids of queries that are documents.
    """
    if query not in themselves:
        return ranked
    return [item for item in ranked if item.document != query]


def write_run(run: Run, path: Path, tag: str) -> None:
    """`query Q0 document rank score tag`, a line each; white space in names is percent-encoded.

    trec_eval sorts by score and breaks ties by name, so a tie is written as the rank has it: a
    score that does not fall is written a little lower than the one above.
    """
    with path.open("w", encoding="utf-8") as stream:
        for query, ranked in run.items():
            above = float("inf")
            for rank, item in enumerate(ranked, 1):
                above = min(item.score, above - 1e-6)
                names = f"{_name(query)} Q0 {_name(item.document)}"
                stream.write(f"{names} {rank} {above:.6f} {_name(tag)}\n")


def _name(text: str) -> str:
    return "".join(quote(char) if char.isspace() or char == "%" else char for char in text)
