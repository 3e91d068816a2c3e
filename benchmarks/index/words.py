"""The best of a million passages by words: time of a query, and of what was tried to shorten it.

    python benchmarks/index/words.py cut TEXTS.sqlite3 FOLDER... [--n 1000000]
    python benchmarks/index/words.py index TEXTS.sqlite3 OUT
    python benchmarks/index/words.py measure TEXTS.sqlite3 OUT

`cut` takes passages of about 850 characters out of text files, each text once; `collection.py`
takes its file for TEXTS too. A query is the fourth to ninth word of a passage, as there.
"""

import argparse
import hashlib
import os
import random
import re
import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from engine import times_ms

from indexer.storage.analysis import guess_language, query_terms
from indexer.storage.lexical import _HEAP_BYTES, open_index
from indexer.storage.lexical_clauses import BOOSTS
from indexer.storage.lexical_entries import make_entry
from indexer.storage.lexical_query import literal
from indexer.storage.lexical_reader import LexicalSnapshot

SUFFIXES = "py md rst txt h c js rs pm html pod hpp cpp ts el rb go"
ENDINGS = {f".{suffix}" for suffix in SUFFIXES.split()}
LEAST_CHARS, CHARS, LONGEST_LINE = 200, 850, 1_500
FILE_BYTES = range(1_000, 400_000)
QUERIES, FOUND = 200, 108  # 100 and the spare ones that the collection asks for
LANGUAGES = ("english",)


def files_under(folders: list[Path]) -> list[Path]:
    """Of text, in a fixed random order, so that the first ones are of every kind."""
    found = [
        Path(at, name)
        for folder in folders
        for at, _, names in os.walk(folder)
        for name in names
        if os.path.splitext(name)[1] in ENDINGS
    ]
    fitting = [p for p in found if not p.is_symlink() and p.stat().st_size in FILE_BYTES]
    random.Random(0).shuffle(fitting)  # noqa: S311
    return fitting


def passages(path: Path) -> Iterator[str]:
    """Whole lines, together as long as a passage."""
    try:
        text = path.read_text("utf-8")
    except (OSError, UnicodeDecodeError):
        return
    if path.suffix == ".html":
        text = re.sub(r"<[^>]+>", " ", text)
    passage = ""
    for line in text.split("\n"):
        passage += line[:LONGEST_LINE] + "\n"
        if len(passage) >= CHARS:
            yield passage
            passage = ""
    if len(passage) >= LEAST_CHARS:
        yield passage


def cut(given: argparse.Namespace) -> None:
    """No two alike but for white space."""
    seen: set[bytes] = set()
    with sqlite3.connect(given.texts) as texts:
        texts.execute("CREATE TABLE chunks (id INTEGER PRIMARY KEY, text TEXT NOT NULL)")
        for path in files_under(given.folders):
            for text in passages(path):
                key = hashlib.blake2b(" ".join(text.split()).encode(), digest_size=8).digest()
                if key not in seen and len(seen) < given.n:
                    seen.add(key)
                    texts.execute("INSERT INTO chunks (text) VALUES (?)", (text,))
    print(f"{len(seen):,} passages")


def index(given: argparse.Namespace) -> None:
    """As the product indexes chunks without titles."""
    given.out.mkdir()
    writer = open_index(given.out, create=True).writer(_HEAP_BYTES, 1)
    with sqlite3.connect(given.texts) as texts:
        for chunk_id, text in texts.execute("SELECT id, text FROM chunks ORDER BY id"):
            name, language = str(chunk_id // 10), guess_language([text])
            writer.add_document(make_entry(chunk_id, text, (), name, language))
    writer.commit()
    writer.wait_merging_threads()


def queries_of(texts: Path, count: int) -> list[str]:
    """Some words each of passages anywhere."""
    rng = random.Random(1)  # noqa: S311
    with sqlite3.connect(texts) as connection:
        last = connection.execute("SELECT max(id) FROM chunks").fetchone()[0]
        found: list[str] = []
        while len(found) < count:
            where = (rng.randint(1, last),)
            row = connection.execute("SELECT text FROM chunks WHERE id = ?", where).fetchone()
            words = row[0].split()[3:9]
            if len(words) == 6 and all(len(word) < 30 for word in words):
                found.append(" ".join(words))
    return found


class Ways:
    """The product's search, and others that are not its equal in one way or another."""

    def __init__(self, index: Any) -> None:
        self._snapshot = LexicalSnapshot(1, index)
        self._searcher, self._schema = index.searcher(), index.schema

    def as_is(self, query: str) -> list[tuple[int, float]]:
        """Best of a word's forms, and a fifth of the others: tantivy cannot prune those."""
        return self._snapshot.search(literal(query), LANGUAGES, FOUND)

    def added(self, query: str, count: int = FOUND) -> list[tuple[int, float]]:
        """All forms added up, which tantivy prunes (block-max WAND): a bound of the true score."""
        import tantivy

        clauses = [
            (tantivy.Occur.Should, tantivy.Query.boost_query(term, boost))
            for forms in query_terms(query, LANGUAGES)
            for field, boost in BOOSTS.items()
            for form in forms
            if self._searcher.doc_freq(field, form)
            for term in [tantivy.Query.term_query(self._schema, field, form, "freq")]
        ]
        return self._snapshot._found(clauses, count)

    def in_two_steps(self, query: str, times: int) -> tuple[list[tuple[int, float]], bool]:
        """The best so many by the bound, scored anew; and whether no other can be better."""
        bound = self.added(query, FOUND * times)
        scores = self._snapshot.scores(
            literal(query), LANGUAGES, [chunk_id for chunk_id, _ in bound]
        )
        best = sorted(scores.items(), key=lambda item: (-item[1], item[0]))[:FOUND]
        sure = len(bound) < FOUND * times or (len(best) == FOUND and best[-1][1] > bound[-1][1])
        return best, sure


def measure(given: argparse.Namespace) -> None:
    """Three rounds of all ways in turn."""
    opened = open_index(given.out)
    ways, queries = Ways(opened), queries_of(given.texts, QUERIES)
    steps = (2, 4, 8)
    calls: dict[str, Callable[[str], Any]] = {"as is": ways.as_is, "added up": ways.added}
    for times in steps:
        calls[f"two steps, {times} times as many"] = lambda q, times=times: ways.in_two_steps(
            q, times
        )
    for _ in range(3):
        for name, call in calls.items():
            figures = times_ms(call, queries)
            print(f"{name:30} p50 {figures['p50_ms']:6.2f}  p99 {figures['p99_ms']:6.2f} ms")
    for times in steps:
        sure = sum(ways.in_two_steps(query, times)[1] for query in queries)
        print(f"{times} times as many are surely enough for {sure} of {len(queries)}")


def main() -> None:
    """One of the three steps."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    steps = parser.add_subparsers(dest="step", required=True)
    for name, step in (("cut", cut), ("index", index), ("measure", measure)):
        sub = steps.add_parser(name)
        sub.set_defaults(run=step)
        sub.add_argument("texts", type=Path)
        if name == "cut":
            sub.add_argument("folders", type=Path, nargs="+")
            sub.add_argument("--n", type=int, default=1_000_000)
        else:
            sub.add_argument("out", type=Path)
    given = parser.parse_args()
    given.run(given)


if __name__ == "__main__":
    main()
