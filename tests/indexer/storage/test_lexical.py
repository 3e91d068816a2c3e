"""Search by words in the store: scripts, identifiers, compounds, phrases, exclusions, anything."""

import random
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from indexer.storage.collection import Collection
from indexer.storage.lexical_query import parse_query
from indexer.types import ScoredChunk

AXIS = np.eye(16, dtype=np.float32)[0]
GERMAN = "Das ist ja nicht schwer, und wir haben es auch schon gesagt: "
ENGLISH = "That is what they said, and it was not for us: "
TEXTS = {
    "zh": "北京的秋天很美，人工智能\n发展迅速。",
    "zh2": "南京的春天。京北",
    "ja": "東京タワーは高い塔です。猫がいる。",
    "ja2": "京都の寺は古い。犬がいる。",
    "th": "ภาษาไทยสวยงาม ปลา",
    "th2": "แมวดำ กา",
    "gpt": "The gpt-4 model answers",
    "gpt3": "The gpt-3 model answers in 4 ways",
    "snake": "call foo_bar here",
    "foo": "call foo here, then bar",
    "cpp": "written in C++ by hand",
    "csharp": "written in C# by hand",
    "c": "written in C by hand",
    "vector": "use std::vector for this",
    "camel": "parseHttpRequest reads it",
    "dotenv": "put it into .env first",
    "version": "since v1.2.3 it works",
    "version2": "since v1.2.4 it works",
    "mail": "write to user@example.com today",
    "mail2": "write to other@example.com today",
    "compound": GERMAN + "Die Datenbankverbindungen sind offen.",
    "word": GERMAN + "Die Datenbank ist offen.",
    "english": ENGLISH + "databasedriver and worldwide",
    "phrase": "He ate a red, ripe\n   apple -- pie with cream.",
    "scattered": "a pie of ripe fruit, red as an apple",
    "running": "they were running",
    "run": "they run",
}
NAMES = {text: name for name, text in TEXTS.items()} | {"of nothing": "report"}


@pytest.fixture(scope="module")
def reader(tmp_path_factory: pytest.TempPathFactory, world_at: Any) -> Iterator[Collection]:
    world = world_at(tmp_path_factory.mktemp("lexical") / "collection")
    # Names without a meaning, as they are searched too.
    files = [world.file(f"/z{chr(97 + i)}.txt", text) for i, text in enumerate(TEXTS.values())]
    files.append(world.file("/annual-report.txt", "of nothing", title="The Golden Heron"))
    world.add(*files)
    with world.reader() as opened:
        yield opened


def names(reader: Collection, hits: list[ScoredChunk]) -> list[str]:
    chunks = reader.chunks([hit.chunk_id for hit in hits])
    return [NAMES[chunks[hit.chunk_id].text] for hit in hits]


def found(reader: Collection, query: str, k: int = 50) -> list[str]:
    return names(reader, reader.lexical(query, k))


PIECES = (
    *"\"'\u201c\u201d\u300c\u300d\u00ab\u00bb()[]{}:;^~*?!\\/|&+-#@.,<>=$%",
    *"\0\n\t \ud800\udfff\ufffe\u202e",
    *(" AND ", " OR ", " NOT ", ' "', '" ', " -", ' -"', "--", "++", "::", "TO", "[a TO b]"),
    *(
        "北京",
        "タワー",
        "ปลา",
        "gpt-4",
        "foo_bar",
        "C++",
        "datenbank",
        "\u0301",
        "\U0001f600",
        "x" * 300,
    ),
)


def anything(dice: random.Random) -> str:
    """Bytes read as text in two ways, or pieces of syntax."""
    kind = dice.randrange(3)
    if kind == 2:
        return "".join(dice.choices(PIECES, k=dice.randrange(1, 24)))
    data = dice.randbytes(dice.randrange(1, 60))
    return data.decode("latin-1") if kind else data.decode("utf-8", "surrogateescape")


@pytest.mark.parametrize(
    "count", [2_000, pytest.param(100_000, marks=[pytest.mark.torture, pytest.mark.timeout(1_800)])]
)
def test_any_string_is_answered(reader: Collection, count: int) -> None:
    dice = random.Random(count)
    answered = 0
    with reader.snapshot() as now:
        for _ in range(count):
            query = anything(dice)
            hits = now.lexical(query, 5)
            answered += bool(hits)
            ids = [hit.chunk_id for hit in hits]
            assert now.lexical_scores(query, ids).keys() == set(ids)
            assert now.lexical_weight(query) >= 0
            now.dense(AXIS, 5, constraints=parse_query(query).constraints)
    assert count / 20 < answered < count


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("美", ["zh"]),
        ("北京", ["zh"]),
        ("人工", ["zh"]),
        ("塔", ["ja"]),
        ("猫", ["ja"]),
        ("東京", ["ja"]),
        ("タワー", ["ja"]),
        ("寺", ["ja2"]),
        ("ปลา", ["th"]),
        ("ไทย", ["th"]),
        ("กา", ["th2"]),
        ("ดำ", ["th2"]),
        ("ภ", ["th"]),
    ],
)
def test_words_of_scripts_without_spaces_are_found(
    reader: Collection, query: str, expected: list[str]
) -> None:
    assert found(reader, query) == expected


@pytest.mark.parametrize(
    ("query", "first", "others"),
    [
        ("gpt-4", "gpt", {"gpt3", "version2"}),
        ("foo_bar", "snake", {"foo"}),
        ("C++", "cpp", {"c", "csharp"}),
        ("C#", "csharp", {"c", "cpp"}),
        ("C", "c", {"cpp", "csharp"}),
        ("std::vector", "vector", set()),
        ("vector", "vector", set()),
        ("parseHttpRequest", "camel", set()),
        ("http", "camel", set()),
        (".env", "dotenv", set()),
        ("v1.2.3", "version", {"version2", "gpt3"}),
        ("user@example.com", "mail", {"mail2"}),
    ],
)
def test_identifier_is_found_first_and_by_its_parts(
    reader: Collection, query: str, first: str, others: set[str]
) -> None:
    hits = found(reader, query)
    assert set(hits) == {first, *others}
    assert hits[0] == first


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ('"C"', {"c"}),
        ('"C++"', {"cpp"}),
        ('"gpt-4"', {"gpt"}),
        ('"gpt 4"', {"gpt"}),
        ('"foo bar"', {"snake"}),
        ('"std vector"', {"vector"}),
        ('"v1.2.3"', {"version"}),
        ('"run"', {"run"}),
        ('"red ripe apple pie"', {"phrase"}),
        ('"RED RIPE" cream', {"phrase"}),
        ('"ripe apple pie" fruit', {"phrase"}),
        ('"red apple"', set()),
        ('"人工智能发展"', {"zh"}),
        ("\u201c北京\u201d", {"zh"}),
        ('"京北"', {"zh2"}),
        ("\u300c東京タワー\u300d", {"ja"}),
        ('"golden heron"', {"report"}),
        ('"annual report"', {"report"}),
        ('"report of nothing"', set()),  # a name, then the text
        ('"ripe apple" "apple pie"', {"phrase"}),
        ('"ripe apple" "golden heron"', set()),
    ],
)
def test_phrase_is_found_whole(reader: Collection, query: str, expected: set[str]) -> None:
    assert set(found(reader, query)) == expected


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("written -C++", {"c", "csharp"}),
        ("written -C", {"cpp", "csharp"}),
        ("written -C# -C++", {"c"}),
        ("model -gpt-4", {"gpt3"}),
        ("call -foo_bar", {"foo"}),
        ("running -run", {"running"}),
        ("running -running", {"run"}),
        ('red -"apple pie"', {"scattered"}),
        ("京 -北京", {"zh2", "ja", "ja2"}),
        ("heron -annual", set()),
        ("written -written", set()),
        ("-golden", {"report"}),  # exclusions alone are words
        ('"ripe apple" -cream', set()),
    ],
)
def test_excluded_word_or_phrase_is_not_there(
    reader: Collection, query: str, expected: set[str]
) -> None:
    assert set(found(reader, query)) == expected


@pytest.mark.parametrize("query", ["Datenbank", "Datenbanken", "datenbank"])
def test_german_word_is_found_in_a_compound_that_begins_with_it(
    reader: Collection, query: str
) -> None:
    assert found(reader, query) == ["word", "compound"]
    hits = reader.lexical(query, 5)
    assert hits[1].score < hits[0].score / 2


def test_german_word_is_found_in_a_compound_that_ends_with_it(reader: Collection) -> None:
    assert found(reader, "Verbindung") == ["compound"]
    assert found(reader, "Bank") == ["word"]  # compounds of compounds are made of two parts here
    assert found(reader, "ung") == []


@pytest.mark.parametrize("query", ["database", "driver", "world"])
def test_other_languages_are_not_searched_for_compounds(reader: Collection, query: str) -> None:
    assert found(reader, query) == []


def test_scores_and_search_agree_under_constraints(reader: Collection) -> None:
    with reader.snapshot() as now:
        for query in ('"ripe apple" pie', "written -C++", "Datenbank", '"人工智能" 北京'):
            best = {hit.chunk_id: hit.score for hit in now.lexical(query, 50)}
            assert best
            assert now.lexical_scores(query, range(1, 99)) == pytest.approx(best)
