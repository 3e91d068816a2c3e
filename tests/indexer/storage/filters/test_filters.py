"""Filters decide before the k best are taken: exactly k hits whenever k chunks match."""

import re
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import select

from indexer.errors import QueryError
from indexer.storage.collection import Collection
from indexer.storage.commit import Writer
from indexer.storage.filters.where import (
    AllOf,
    AnyOf,
    Compared,
    Documents,
    Format,
    HasMetadata,
    Language,
    Metadata,
    Modified,
    Not,
    Order,
    Path,
    Tag,
    Where,
)
from indexer.storage.tables import DocumentRow, FileRow
from indexer.types import Changes, Chunk, FileChange, FileStamp, Kind, embedding_key
from indexer.types import PreparedDocument as Prepared

FORMATS, LANGUAGES, TAGS = ("markdown", "pdf", "text"), ("english", "german", ""), ("a", "b", "c")
# What a pattern matches on this shelf, as an expression told without our matcher.
PATTERNS = {
    "**": r".*",
    "*": r".*",
    "/notes/*": r"/notes/.*",
    "/archive/*": r"never",
    "archive": r"/archive/.*",
    "old/*.md": r"/archive/old/.*",
    "/notes/1?.md": r"/notes/1.\.md",
    "*.pdf": r"never",
}


def texts_of(path: str) -> tuple[str, str]:
    """Some are German, some English, the rest too short to tell."""
    number = int(path.rpartition("/")[2].partition(".")[0])
    said = (
        "",
        "Das ist ja nicht schwer, und wir haben es auch schon gesagt",
        "that is what we said",
    )
    return f"word {said[number % 3]} {path}", f"other word {path}"


class Shelf:
    """60 files in a collection, each with its facts and two chunks; chunk texts name the file."""

    def __init__(self, world: Any) -> None:
        self.world = world
        rng = np.random.default_rng(1)
        self.facts: dict[str, dict[str, Any]] = {}
        files, vectors = [], {}
        for i in range(60):
            path = f"/{'notes' if i % 3 else 'archive/old'}/{i}.md"
            facts = {
                "path": path,
                "format": FORMATS[int(rng.integers(3))],
                "mtime": int(rng.integers(0, 100)),
                "metadata": self.metadata(i, [t for t in TAGS if rng.random() < 0.4]),
            }
            self.facts[path] = facts
            file, stored = self.change(facts)
            files.append(file)
            vectors.update(stored)
        with world.writer() as writer:
            writer.commit(Changes(files=tuple(files), vectors=vectors))
            writer.sync()
        with world.reader() as reader, reader.snapshot() as now:
            rows = select(FileRow.path, DocumentRow.language).join(
                DocumentRow, DocumentRow.file_id == FileRow.id
            )
            for path, language in now.connection.execute(rows):
                self.facts[path.decode()]["language"] = language

    @staticmethod
    def metadata(i: int, tags: list[str]) -> dict[str, Any]:
        """Tags are written in three ways, and every fourth document has no date."""
        written = (tags, ", ".join(tags).upper(), [tags])[i % 3]
        said = {"tags": written, "n": i % 4, "Author": {"name": f"Name {i % 2}"}}
        said |= {"draft": i % 5 == 0, "nothing": None}
        return said | ({"date": f"2024-0{i % 4}-15"} if i % 4 else {})

    @staticmethod
    def tags_of(metadata: dict[str, Any]) -> list[str]:
        match metadata["tags"]:
            case str(text):
                return text.lower().split(", ")
            case [[*tags]] | [*tags]:
                return tags
        raise AssertionError(metadata)

    def change(self, facts: dict[str, Any]) -> tuple[FileChange, dict[bytes, Any]]:
        path = facts["path"]
        texts = texts_of(path)
        chunks = tuple(
            Chunk(i, text, i * 50, i * 50 + 50, i, i, (), "", text, 3)
            for i, text in enumerate(texts)
        )
        keys = tuple(
            embedding_key(self.world.contract.fingerprint, Kind.DOCUMENT, text) for text in texts
        )
        document = Prepared("", path, facts["format"], facts["metadata"], chunks, keys)
        stamp = FileStamp(path.encode(), 1, facts["mtime"], path.encode().ljust(32)[:32])
        vectors = {k: self.world.vector_of(t) for k, t in zip(keys, texts, strict=True)}
        return FileChange(stamp, (document,)), vectors

    def holds(self, where: Where, facts: dict[str, Any], ids: dict[str, int]) -> bool:
        match where:
            case Not(condition):
                return not self.holds(condition, facts, ids)
            case AllOf(conditions):
                return all(self.holds(part, facts, ids) for part in conditions)
            case AnyOf(conditions):
                return any(self.holds(part, facts, ids) for part in conditions)
            case Documents(wanted):
                return ids[facts["path"]] in wanted
            case _:
                return self.has(where, facts)

    def has(self, where: Any, facts: dict[str, Any]) -> bool:
        match where:
            case Path(pattern):
                return re.fullmatch(PATTERNS[pattern], facts["path"]) is not None
            case Format(names):
                return facts["format"] in names
            case Language(names):
                return facts["language"] in names
            case Modified(since, until):
                return (since is None or facts["mtime"] >= since) and (
                    until is None or facts["mtime"] < until
                )
        return self.says(where, facts["metadata"])

    def says(self, where: Any, metadata: dict[str, Any]) -> bool:
        month = metadata["n"]  # of those with a date
        match where:
            case Tag(name):
                return name.lower() in self.tags_of(metadata)
            case Metadata("author.name", value):
                return bool(metadata["Author"]["name"].lower() == value.lower())
            case Metadata("draft", value):
                return metadata["draft"] is (value == "yes")
            case Metadata("date", "2024-02"):
                return bool(month == 2)
            case Metadata(key, value):
                return str(metadata.get(key)) == value
            case HasMetadata("tags"):
                return any(self.tags_of(metadata))
            case HasMetadata(key):
                return bool(key == "author")
            case Compared("n", order, operand):
                return self.stands(order, metadata["n"], int(operand))
            case Compared("date", order, operand):
                return month > 0 and self.stands(order, month, int(operand[-2:]))
        raise AssertionError(where)

    @staticmethod
    def stands(order: Order, left: int, right: int) -> bool:
        return {
            Order.BELOW: left < right,
            Order.UP_TO: left <= right,
            Order.ABOVE: left > right,
            Order.FROM: left >= right,
        }[order]

    def matching(self, where: Where, ids: dict[str, int]) -> list[str]:
        return [path for path, facts in self.facts.items() if self.holds(where, facts, ids)]


def ids_of(reader: Collection) -> dict[str, int]:
    return {item.path.decode(): item.id for item in reader.documents(limit=1000)}


orders = st.sampled_from(list(Order))
leaves = st.one_of(
    st.sampled_from(sorted(PATTERNS)).map(Path),
    st.frozensets(st.sampled_from([*FORMATS, "html"])).map(Format),
    st.frozensets(st.sampled_from([*LANGUAGES, "xx"])).map(Language),
    st.builds(Modified, st.none() | st.integers(0, 100), st.none() | st.integers(0, 100)),
    st.sampled_from([*TAGS, "A", "z"]).map(Tag),
    st.builds(Metadata, st.sampled_from(["n", "absent"]), st.sampled_from(["0", "3", "None x"])),
    st.builds(Metadata, st.just("author.name"), st.sampled_from(["name 1", "NAME 0", "name"])),
    st.sampled_from(["yes", "false"]).map(lambda value: Metadata("draft", value)),
    st.just(Metadata("date", "2024-02")),
    st.sampled_from(["tags", "author", "nothing"]).map(HasMetadata),
    st.builds(Compared, st.just("n"), orders, st.sampled_from(["-1", "0", "2", "3"])),
    st.builds(Compared, st.just("date"), orders, st.sampled_from(["2024-01", "2024-03"])),
    st.frozensets(st.integers(-5, 80), max_size=20).map(Documents),
)
wheres = st.recursive(
    leaves,
    lambda inner: st.one_of(
        inner.map(Not),
        st.lists(inner, max_size=3).map(lambda parts: AllOf(tuple(parts))),
        st.lists(inner, max_size=3).map(lambda parts: AnyOf(tuple(parts))),
    ),
    max_leaves=6,
)


@pytest.fixture
def shelf(world: Any) -> Shelf:
    return Shelf(world)


def found(reader: Collection, hits: list[Any]) -> list[str]:
    chunks = reader.chunks([hit.chunk_id for hit in hits])
    return [chunks[hit.chunk_id].text for hit in hits]


def test_any_filter_gives_what_brute_force_gives(shelf: Shelf) -> None:
    world = shelf.world
    query = world.vector_of("q")
    texts = [text for path in shelf.facts for text in texts_of(path)]
    stored = {text: world.vector_of(text).astype(np.float16).astype(np.float32) for text in texts}
    cosine = {text: float(stored[text] @ query) for text in texts}
    with world.reader() as reader:
        ids = ids_of(reader)

        @settings(max_examples=150, deadline=None)
        @given(wheres, st.integers(1, 30))
        def check(where: Where, k: int) -> None:
            paths = set(shelf.matching(where, ids))
            allowed = [text for text in texts if text.rpartition(" ")[2] in paths]
            expected = sorted(allowed, key=lambda text: -cosine[text])[:k]
            assert found(reader, reader.dense(query, k, where)) == expected
            lexical = found(reader, reader.lexical("word", k, where))
            assert len(lexical) == min(k, len(allowed))
            assert set(lexical) <= set(allowed)

        check()


def test_lexical_filter_that_leaves_many_looks_deep_enough(shelf: Shelf, monkeypatch: Any) -> None:
    monkeypatch.setattr("indexer.storage.snapshot._FEW_CHUNKS", 0)
    with shelf.world.reader() as reader:
        hits = found(reader, reader.lexical("word", 30, Path("/archive/**")))
    assert len(hits) == 30
    assert all("/archive/" in text for text in hits)


def test_filter_follows_commits_moves_and_removals(shelf: Shelf) -> None:
    world = shelf.world
    query, where = world.vector_of("q"), Path("/notes/*")
    with world.reader() as reader:
        before = found(reader, reader.dense(query, 200, where))
        assert len(before) == 80
        with world.writer() as writer:
            writer.commit(Changes(removed=(b"/notes/1.md",)))
        assert not any(" /notes/1.md" in text for text in _all(reader, query, where))
        stamp = FileStamp(b"/elsewhere/2.md", 1, 1, b"/notes/2.md".ljust(32))
        with world.writer() as writer:
            writer.commit(Changes(moved=((b"/notes/2.md", stamp),)))
        assert len(_all(reader, query, where)) == 76
        assert len(_all(reader, query, Path("/elsewhere/*"))) == 2
        facts = dict(shelf.facts["/notes/4.md"], path="/notes/100.md")
        file, vectors = shelf.change(facts)
        with world.writer() as writer:
            writer.commit(Changes(files=(file,), vectors=vectors))
        assert len(_all(reader, query, where)) == 78


def _all(reader: Collection, query: Any, where: Where) -> list[str]:
    return found(reader, reader.dense(query, 500, where))


def test_vector_shared_by_files_is_found_through_the_one_that_passes(world: Any) -> None:
    world.add(world.file("/keep/a", "same text"), world.file("/drop/b", "same text"))
    with world.reader() as reader:
        hits = reader.dense(world.vector_of("same text"), 5, Path("/keep/*"))
        assert [reader.chunks([hit.chunk_id])[hit.chunk_id].path for hit in hits] == [b"/keep/a"]


def test_request_that_began_before_a_commit_filters_its_own_generation(shelf: Shelf) -> None:
    world = shelf.world
    query, where = world.vector_of("q"), Path("/notes/*")
    with world.reader() as reader, reader.snapshot() as old:
        assert len(old.dense(query, 500, where)) == 80
        with Writer.open(world.folder, world.contract) as writer:
            writer.commit(Changes(removed=(b"/notes/1.md",)))
        assert len(reader.dense(query, 500, where)) == 78
        assert len(old.dense(query, 500, where)) == 80


def test_filter_after_a_search_that_read_new_vectors_knows_every_chunk(shelf: Shelf) -> None:
    """Vectors are read in parts; rows read like that lack the first one in the driver's cursor."""
    world = shelf.world
    query, where = world.vector_of("q"), Path("/notes/*")
    with world.reader() as reader:
        assert len(reader.dense(query, 500)) == 120
        with world.writer() as writer:
            writer.commit(world.adding(world.file("/else/where", "new text")))
        with reader.snapshot() as now:
            assert len(now.dense(query, 500)) == 121
            assert len(now.dense(query, 500, where)) == 80
            assert len(now.dense(query, 500, Not(where))) == 41


def test_endless_filter_is_refused(shelf: Shelf) -> None:
    where: Where = Path("**")
    for _ in range(300):
        where = Not(where)
    with (
        shelf.world.reader() as reader,
        pytest.raises(QueryError, match="more than 200 conditions"),
    ):
        reader.dense(shelf.world.vector_of("q"), 1, where)


def test_pattern_that_means_nothing_is_refused_and_harms_nobody_else(shelf: Shelf) -> None:
    query = shelf.world.vector_of("q")
    with shelf.world.reader() as reader:
        for where in (Path("["), Compared("n", Order.FROM, "many")):
            with pytest.raises(QueryError):
                reader.dense(query, 1, where)
        assert len(_all(reader, query, Path("/notes/*"))) == 80
