"""The dialogue of `semsearch judge`: one document at a time, blind, one key each.

Texts and paths are hostile: they are shown with control characters escaped. All of it goes to
stderr, as stdout is for data.
"""

import sys
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum, auto

import typer

from app.cli.output import printable, say, shown_path
from app.evaluation.judged.pool import Pooled, pool
from app.judging.store import JudgementStore
from app.judging.wanted import Wanted, wanted_queries
from app.search.service import SearchService
from app.search.snippets import snippet
from indexer.errors import NotFoundError, UsageError
from indexer.storage.collection import Collection

KEYS = "0 not relevant, 1 relevant, 2 answers fully, s skip, b back, o more text, q quit: "
_FIRST_CHARS = 700  # some ten lines: most documents are judged by them
_MOST_CHARS = 20_000  # of a document that is shown whole


class _Move(Enum):
    ON = auto()
    BACK = auto()
    QUIT = auto()


@dataclass(frozen=True, slots=True)
class _Item:
    """A document to ask about."""

    query: str
    text: str  # of the query
    pooled: Pooled
    number: int  # among those of the query that are asked, from 1: tells nothing of the rank
    count: int


class Dialogue:
    """Asks, and stores each answer at once."""

    def __init__(
        self,
        store: JudgementStore,
        service: SearchService,
        collection: Collection,
        k: int,
        *,
        again: bool,
    ) -> None:
        """Ask nothing yet.

        Args:
            store: of the collection.
            service: finds what to judge.
            collection: to search.
            k: documents of every mode.
            again: ask about judged documents too.
        """
        self._store = store
        self._service = service
        self._collection = collection
        self._k = k
        self._again = again

    def run(self, wanted: Iterator[Wanted]) -> None:
        """Ask about the documents of every query, until all are judged or somebody quits.

        Raises:
            UsageError: standard input ended before the answers did.
        """
        items, met = self._items(wanted), list[_Item]()
        at = 0
        while True:
            if at == len(met):
                item = next(items, None)
                if item is None:
                    return
                met.append(item)
            match self._ask(met[at]):
                case _Move.ON:
                    at += 1
                case _Move.BACK:
                    at = max(0, at - 1)
                case _Move.QUIT:
                    return

    def _items(self, wanted: Iterator[Wanted]) -> Iterator[_Item]:
        """A query is searched for only when its turn comes: the next one may never be reached."""
        for query, text in wanted:
            found = pool(self._service, text, self._collection, self._k)
            open_ = [
                one for one in found if self._again or self._store.grade(query, one.name) is None
            ]
            if not open_:
                done = f"all {len(found)} documents found are judged; --again asks once more"
                say(f"{printable(text)}: {done if found else 'nothing found'}.")
            for number, one in enumerate(open_, 1):
                yield _Item(query, text, one, number, len(open_))

    def _ask(self, item: _Item) -> _Move:
        self._show_head(item)
        size = self._show_text(item, None)
        while True:
            match _read_key(KEYS):
                case "0" | "1" | "2" as key:
                    self._store.put(item.query, item.text, item.pooled.name, int(key))
                    return _Move.ON
                case "s":
                    return _Move.ON
                case "b":
                    return _Move.BACK
                case "q":
                    return _Move.QUIT
                case "o":
                    size = self._show_text(item, size)
                case key:
                    say(f"{key!r} is none of the keys.")

    def _show_head(self, item: _Item) -> None:
        chunk = item.pooled.chunk
        member = f"#{printable(chunk.member)}" if chunk.member else ""
        before = self._store.grade(item.query, item.pooled.name)
        judged = "" if before is None else f", judged {before} before"
        say(f"\nQuery: {printable(item.text)}  (document {item.number} of {item.count}{judged})")
        say(f"{shown_path(chunk.path)}{member}:{chunk.start_line}")
        about = [part for part in (" > ".join(chunk.heading) or chunk.title, chunk.place) if part]
        if about:
            say(printable(" - ".join(about)))

    def _show_text(self, item: _Item, shown: str | None) -> str:
        """Show the next longer text than the one shown; returns it."""
        steps = (self._excerpt, _passage, self._whole)
        texts = (step(item) for step in steps)
        text = next((text for text in texts if shown is None or len(text) > len(shown)), None)
        if text is None:
            say("That is all there is.")
            return shown or ""
        for line in text.strip("\n").split("\n"):
            say(f"    {printable(line)}".rstrip())
        return text

    def _excerpt(self, item: _Item) -> str:
        """About the query, but with none of its words marked: a mark would speak for the words."""
        text = item.pooled.chunk.text
        cut = snippet(text, item.text, _FIRST_CHARS)
        before = "... " if cut.start > 0 else ""
        return before + cut.text + (" ..." if cut.start + len(cut.text) < len(text) else "")

    def _whole(self, item: _Item) -> str:
        try:
            text = self._collection.document(item.pooled.chunk.document_id).text
        except NotFoundError:  # forgotten while it was being judged
            return item.pooled.chunk.text
        if len(text) <= _MOST_CHARS:
            return text
        return f"{text[:_MOST_CHARS]}\n[{len(text) - _MOST_CHARS:,} more characters]"


def _passage(item: _Item) -> str:
    return item.pooled.chunk.text


def asked_for(store: JudgementStore) -> Iterator[Wanted]:
    """Queries typed one by one, until an empty line.

    Raises:
        UsageError: standard input is closed.
    """
    asked = 0
    while True:
        typer.echo("\nQuery (an empty line ends): ", err=True, nl=False)
        line = _read_line()
        if line is None and not asked:
            raise UsageError(
                "Standard input is closed, so no query can be asked for. Give queries as arguments "
                "or with --queries FILE, and keys on standard input, one a line."
            )
        if line is None or not line.strip():
            return
        asked += 1
        yield from wanted_queries([line], None, store.judgements)


def _read_key(prompt: str) -> str:
    """The key somebody pressed; without a terminal the first letter of a line."""
    typer.echo(prompt, err=True, nl=False)
    if sys.stdin is not None and sys.stdin.isatty():
        try:
            key = typer.getchar()
        except EOFError:  # Ctrl-D
            key = "q"
        say(printable(key))
        return key.lower()
    line = _read_line()
    if line is None:
        say("")
        raise UsageError(
            "Standard input ended before all was judged. What was judged is saved. Without a "
            "terminal give the keys on standard input, one a line; q ends."
        )
    say(printable(line.strip()))
    return line.strip().lower()


def _read_line() -> str | None:
    """A line of standard input, None at its end."""
    if sys.stdin is None or sys.stdin.closed:
        return None
    return sys.stdin.readline() or None
