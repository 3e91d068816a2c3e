"""The queries that somebody wants to judge: checked, and each with the id it is stored under."""

from collections.abc import Iterable
from pathlib import Path

from app.judging.read import read_queries
from app.judging.store import Judgements, query_id
from app.search.query import MAX_QUERY_CHARS
from indexer.errors import QueryError, UsageError

Wanted = tuple[str, str]  # query id, text


def wanted_queries(texts: Iterable[str], file: Path | None, known: Judgements) -> list[Wanted]:
    """Queries given one by one and in a file, each once, in that order.

    A query that was judged before keeps its id, else one of a JSONL file keeps the file's.

    Raises:
        UsageError: the file cannot be read, or an id in it is taken or no id.
        QueryError: a query is empty, too long or no text.
    """
    ids = {text: query for query, text in known.queries.items()}
    wanted: dict[str, str] = {}  # {text: query id}
    for text in texts:
        text = clean(text)
        wanted.setdefault(text, ids.get(text) or query_id(text))
    for given, text in _in_file(file) if file is not None else ():
        text = clean(text)
        if given is not None and text not in ids:
            _check_id(given, text, known.queries | {of: said for said, of in wanted.items()})
        wanted.setdefault(text, ids.get(text) or given or query_id(text))
    return [(query, text) for text, query in wanted.items()]


def clean(text: str) -> str:
    """The query on one line.

    Raises:
        QueryError: it is empty, too long, or holds bytes that are no text.
    """
    text = " ".join(text.split())
    if not text:
        raise QueryError("A query is empty. Say what somebody would look for.")
    if len(text) > MAX_QUERY_CHARS:
        raise QueryError(
            f"A query has {len(text):,} characters; at most {MAX_QUERY_CHARS:,} are taken."
        )
    try:
        text.encode()
    except UnicodeEncodeError:
        raise QueryError(f"{text[:80]!r} is not UTF-8. Write the query in that encoding.") from None
    return text


def _in_file(file: Path) -> list[tuple[str | None, str]]:
    """(id, text) of a BEIR file, (None, text) of one with a query a line."""
    try:
        lines = file.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(
            f"{file}: cannot be read ({error}). Name a file with a query a line, or a "
            "queries.jsonl."
        ) from error
    texts = [line.strip() for line in lines if line.strip()]
    if not texts:
        raise UsageError(f"{file}: holds no query. Write one a line.")
    if texts[0].startswith("{"):
        return list(read_queries(file).items())
    return [(None, text) for text in texts]


def _check_id(query: str, text: str, taken: dict[str, str]) -> None:
    if query.split() != [query]:
        raise UsageError(
            f"Query id {query!r} holds white space, which TREC files cannot. Give it another _id."
        )
    if taken.get(query, text) != text:
        raise UsageError(
            f"Query id {query!r} is that of {taken[query]!r}, so it cannot be that of {text!r}. "
            "Give it another _id."
        )
