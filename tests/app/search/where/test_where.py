"""The filter grammar: what is written means what it says, and nonsense is told where it is."""

import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.search.where import MAX_CHARS, MAX_DEPTH, parse_where
from app.search.where.names import language_of, type_of
from indexer.documents import formats
from indexer.errors import QueryError
from indexer.storage.filters.dates import unix_ns
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
from indexer.storage.languages import STEMMERS
from written_filter import where_to_text

NOW = datetime(2025, 3, 31, 12, 30, 15, 987_654, tzinfo=UTC)
A, B, C = Tag("a"), Tag("b"), Tag("c")


def ns(year: int, month: int, day: int, *clock: int) -> int:
    return unix_ns(datetime(year, month, day, *clock, tzinfo=UTC))  # type: ignore[misc, arg-type]


@pytest.fixture(autouse=True)
def _utc(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("tag:a", A),
        ("tag:a and tag:b", AllOf((A, B))),
        ("tag:a tag:b", AllOf((A, B))),
        ("tag:a && tag:b || tag:c", AnyOf((AllOf((A, B)), C))),
        ("tag:a&&tag:b", AllOf((A, B))),
        ("tag:a OR tag:b And tag:c", AnyOf((A, AllOf((B, C))))),
        ("(tag:a or tag:b) tag:c", AllOf((AnyOf((A, B)), C))),
        ("not tag:a and tag:b", AllOf((Not(A), B))),
        ("not (tag:a or tag:b)", Not(AnyOf((A, B)))),
        ("-tag:a !tag:b not tag:c", AllOf((Not(A), Not(B), Not(C)))),
        ("not not tag:a", Not(Not(A))),
        ("((tag:a))", A),
        ("(tag:a and tag:b) and tag:c", AllOf((AllOf((A, B)), C))),
        ("tag:(a, b)", AnyOf((A, B))),
        ("tag!=a", Not(A)),
        ("tag != (a,b)", Not(AnyOf((A, B)))),
        ("TAG : a", A),
        ("tags=a", A),
        ("tag:#a", Tag("#a")),
        ("tag:'it\\'s \\\\ \\n'", Tag("it's \\ \\n")),
        ('tag:"say \\"hi\\""', Tag('say "hi"')),
        ("tag:O'Brien", Tag("O'Brien")),
        ("tag:*", AnyOf((HasMetadata("tags"), HasMetadata("tag")))),
        ('tag:"*"', Tag("*")),
        ('tag:"and"', Tag("and")),
        ("path:docs/**/*.md", Path("docs/**/*.md")),
        ("path:(*.md, *.txt)", AnyOf((Path("*.md"), Path("*.txt")))),
        ("path:*", Path("*")),
        ("path:caf\\xe9.md", Path("caf\\xe9.md")),
        ("type:md", Format(frozenset({"markdown"}))),
        ("type:(.PY, golang, pdf)", Format(frozenset({"python", "go", "pdf"}))),
        ("lang:de", Language(frozenset({"german"}))),
        (
            "language:(pt-BR, English, unknown)",
            Language(frozenset({"portuguese", "english", ""})),
        ),
        ("id:12", Documents(frozenset({12}))),
        ("id:(12,13, 12)", Documents(frozenset({12, 13}))),
        ("author:Alice", Metadata("author", "Alice")),
        ("meta.path:x", Metadata("path", "x")),
        ('meta."Reading Time":5', Metadata("Reading Time", "5")),
        ("author.name:(x, y)", AnyOf((Metadata("author.name", "x"), Metadata("author.name", "y")))),
        ("author:*", HasMetadata("author")),
        ('author:"*"', Metadata("author", "*")),
        ('author:""', Metadata("author", "")),
        ("and-more:x", Metadata("and-more", "x")),
        ("url:https://x.org/?a=b&c", Metadata("url", "https://x.org/?a=b&c")),
        ("priority>=3", Compared("priority", Order.FROM, "3")),
        ("priority < -1.5e3", Compared("priority", Order.BELOW, "-1.5e3")),
        ("date:>2024-05", Compared("date", Order.ABOVE, "2024-05")),
        ("date<=7d", Compared("date", Order.UP_TO, "2025-03-24T12:30:15Z")),
        ("date>yesterday", Compared("date", Order.ABOVE, "2025-03-30")),
        (
            "year:2020..2023",
            AllOf((Compared("year", Order.FROM, "2020"), Compared("year", Order.UP_TO, "2023"))),
        ),
        ('year:"2020..2023"', Metadata("year", "2020..2023")),
        ("modified>=2025-01-31", Modified(ns(2025, 1, 31), None)),
        ("modified>2025-01-31", Modified(ns(2025, 2, 1), None)),
        ("modified<2025-01", Modified(None, ns(2025, 1, 1))),
        ("modified<=2025-01", Modified(None, ns(2025, 2, 1))),
        ("modified:2024", Modified(ns(2024, 1, 1), ns(2025, 1, 1))),
        ("modified=2024-12", Modified(ns(2024, 12, 1), ns(2025, 1, 1))),
        ("modified>=2025-01-01T10:00+02:00", Modified(ns(2025, 1, 1, 8), None)),
        ('modified<"2025-01-01 10:00:30"', Modified(None, ns(2025, 1, 1, 10, 0, 30))),
        ("modified:2025-01..2025-02", Modified(ns(2025, 1, 1), ns(2025, 3, 1))),
        ("modified:2025..", Modified(ns(2025, 1, 1), None)),
        ("modified:..2024", Modified(None, ns(2025, 1, 1))),
        ("modified:7d", Modified(ns(2025, 3, 24, 12, 30, 15), None)),
        ("modified>=12h", Modified(ns(2025, 3, 31, 0, 30, 15), None)),
        ("modified<2w", Modified(None, ns(2025, 3, 17, 12, 30, 15))),
        ("modified>90min", Modified(ns(2025, 3, 31, 11, 0, 15), None)),
        ("modified>1mo", Modified(ns(2025, 2, 28, 12, 30, 15), None)),
        ("modified>1y", Modified(ns(2024, 3, 31, 12, 30, 15), None)),
        ("modified:today", Modified(ns(2025, 3, 31), ns(2025, 4, 1))),
        ("modified:yesterday..today", Modified(ns(2025, 3, 30), ns(2025, 4, 1))),
        (
            'path:"docs/**/*.md" and not tag:a and (lang:de or modified>=2025-01-01)',
            AllOf(
                (
                    Path("docs/**/*.md"),
                    Not(A),
                    AnyOf((Language(frozenset({"german"})), Modified(ns(2025, 1, 1), None))),
                )
            ),
        ),
    ],
)
def test_text_means(text: str, expected: Where) -> None:
    where = parse_where(text, NOW)
    assert where == expected
    assert parse_where(where_to_text(where)) == where


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "The filter is empty"),
        (" \n", "The filter is empty"),
        ("draft", r"character 1, 'draft': this is no condition\. .*tag:draft"),
        ("tag:a draft", r"character 7, 'draft'"),
        ('tag:a "b"', r"character 7, '\"b\"': this is no condition"),
        ("tag:", "ends too early: a value is missing"),
        ("tag:a and", "ends too early: a condition is missing"),
        ("tag:a or or tag:b", "character 10, 'or'"),
        ("and tag:a", "character 1, 'and': a condition is missing before"),
        ("tag:and", "character 5, 'and': a value is missing.*quote it"),
        ("tag:a)", r"character 6, '\)': nothing is open"),
        ("(tag:a", r"character 1, '\(': this \( is never closed"),
        ("tag:(a, b", r"character 5, '\(': this list is never closed"),
        ("tag:(a b)", "character 8, 'b': a list goes on with a comma"),
        ("tag:()", r"character 6, '\)': a value is missing"),
        ("tag:a, b", "character 6, ',': a comma stands only in a list"),
        ("(tag:a, tag:b)", "character 7, ',': a comma stands only in a list"),
        ('tag:"a', "character 5, '\"a': this quote is never closed"),
        ("langauge:de", r"character 1, 'langauge': .*Did you mean language\?.*meta\.langauge"),
        ("format:md", r"Did you mean type\?.*meta\.format"),
        ("lang:zh", "character 6, 'zh': no language.*german.*or unknown, as Chinese is"),
        ("type:(md, markdwon)", "character 11, 'markdwon': .*Did you mean markdown"),
        ("type>md", "character 1, 'type': this field has no order. Write type: instead of >"),
        ("id:x", "character 4, 'x': ids are whole numbers"),
        ("id:-1", "character 4, '-1': ids are whole numbers"),
        ("path:[a", r"character 6, '\[a': \[ is not closed"),
        ("path:a**/b", r"character 6, 'a\*\*/b': \*\* stands alone"),
        ("modified:5m", "character 10, '5m': this is no date.*3mo"),
        ("modified:2025-02-30", "this is no date"),
        ("modified>99999y", "this is no date"),
        ("modified:2025..2024", "this range ends before"),
        ("modified:..", "this is no range"),
        ("modified>(1h, 2h)", "compares with one value"),
        ("priority>high", "character 10, 'high': only numbers and dates are compared"),
        ("author:al*", r"character 8, 'al\*': \* stands for any value"),
        ("tag:al*", r"character 5, 'al\*': \* stands for any value"),
        ('meta."":x', "name of the field is empty"),
        ("x:\x1b[31mred foo", "character 12, 'foo'"),
    ],
)
def test_text_without_meaning_is_refused_with_its_place(text: str, message: str) -> None:
    with pytest.raises(QueryError, match=message):
        parse_where(text, NOW)


@pytest.mark.parametrize(
    "text",
    [
        "type:{}",
        "tag:{}*",
        "path:[\x1c-\x1b]{}",
        "modified:{}..1",
        "{}:x",
        "lang:{}",
        "id:{}",
        "{}",
    ],
)
def test_error_shows_no_control_characters_and_no_long_pieces(text: str) -> None:
    with pytest.raises(QueryError) as refused:
        parse_where(text.format("\x1b[31m\udce9" + "x" * 500))
    assert {"\x1b", "\udce9"}.isdisjoint(str(refused.value))
    assert "x" * 50 not in str(refused.value)


def test_filter_beyond_measure_is_refused_before_work() -> None:
    with pytest.raises(QueryError, match=r"5,000 characters; at most 4,096"):
        parse_where("x" * 5_000)
    with pytest.raises(QueryError, match="more than 200 conditions"):
        parse_where(" ".join(["tag:a"] * 250))
    for deep in ("(" * 2_000, "-" * 4_000, "not (" * 800):
        with pytest.raises(QueryError, match="nested more than 32 deep"):
            parse_where(deep)
    assert MAX_DEPTH == 32
    assert parse_where("(" * 32 + "tag:a" + ")" * 32) == A
    assert parse_where("-(" * 16 + "tag:a" + ")" * 16) == parse_where("-" * 16 + "tag:a")


@settings(max_examples=500, deadline=None)
@given(
    st.text(max_size=60)
    | st.lists(
        st.sampled_from(
            [
                "tag",
                "path",
                "modified",
                "id",
                "type",
                "lang",
                "meta.",
                ":",
                ">=",
                "<",
                "!=",
                "(",
                ")",
            ]
            + [",", '"', "'", "\\", "and", "or", "not", "-", "!", "&&", "||", " ", "*", "..", "7d"]
            + ["2025-01", "x", "[", "**", "é", "\udce9", "\0", "9" * 30]
        ),
        max_size=12,
    ).map("".join)
)
def test_any_text_is_a_filter_or_refused(text: str) -> None:
    try:
        where = parse_where(text, NOW)
    except QueryError:
        return
    assert parse_where(where_to_text(where), NOW) == where


texts = st.text(max_size=12) | st.sampled_from(["and", "*", "a..b", 'x"y', "\\", "7d", "\udce9"])
moments = st.integers(ns(2, 1, 1), ns(9_998, 1, 1))
operands = st.one_of(
    st.integers(-(10**20), 10**20).map(str),
    st.floats(allow_nan=False, allow_infinity=False).map(str),
    st.sampled_from(["2024", "2024-05", "2024-05-01T10:00+02:00"]),
)
leaves = st.one_of(
    st.sampled_from(["*", "/a b/**", "caf\udce9", "\\[x", "a,b", '"'] + ["'x"]).map(Path),
    st.frozensets(st.sampled_from(sorted(formats.NAMES)), min_size=1).map(Format),
    st.frozensets(st.sampled_from(["", *STEMMERS]), min_size=1).map(Language),
    st.builds(Modified, moments, st.none()),
    st.builds(Modified, st.none(), moments),
    st.tuples(moments, moments).filter(lambda two: two[0] < two[1]).map(lambda t: Modified(*t)),
    texts.map(Tag),
    st.frozensets(st.integers(0, 10**18 - 1), min_size=1).map(Documents),
    st.builds(Metadata, texts.filter(bool), texts),
    texts.filter(bool).map(HasMetadata),
    st.builds(Compared, texts.filter(bool), st.sampled_from(list(Order)), operands),
)


def several(inner: st.SearchStrategy[Where], least: int) -> st.SearchStrategy[tuple[Where, ...]]:
    return st.lists(inner, min_size=least, max_size=3).map(tuple)


wheres: st.SearchStrategy[Where] = st.recursive(
    leaves,
    lambda inner: st.one_of(
        inner.map(Not), several(inner, 2).map(AllOf), several(inner, 2).map(AnyOf)
    ),
    max_leaves=6,
)


@settings(deadline=None)
@given(wheres)
def test_every_filter_can_be_written_and_read_back(where: Where) -> None:
    text = where_to_text(where)
    if len(text) <= MAX_CHARS:
        assert parse_where(text) == where


@pytest.mark.parametrize(
    ("where", "text"),
    [
        (AllOf(()), "path:**"),
        (AnyOf(()), "not path:**"),
        (Not(AnyOf(())), "not not path:**"),
        (AllOf((A,)), "tag:a"),
        (Not(AllOf((AnyOf((A, B)),))), "not (tag:a or tag:b)"),
        (Format(frozenset()), "not path:**"),
        (Documents(frozenset({-3})), "not path:**"),
        (Modified(), "path:**"),
        (Modified(5, 5), "not path:**"),
        (Modified(0), "modified>=1970-01-01T00:00:00Z"),
    ],
)
def test_what_the_grammar_cannot_say_is_written_in_other_words(where: Where, text: str) -> None:
    assert where_to_text(where) == text
    assert where_to_text(parse_where(text)) == text


def test_every_language_and_format_has_its_names() -> None:
    assert {language_of(name.upper()) for name in STEMMERS} == STEMMERS
    codes = ("de", "DEU", "ger", "de_AT", "nb", "zh", "unknown")
    german = ["german"] * 4
    assert [language_of(code) for code in codes] == [*german, "norwegian", None, ""]
    assert {type_of(name) for name in formats.NAMES} == formats.NAMES
    spoken = ("md", ".md", "MD", "c#", "C++", "word", "ipynb", "dockerfile", "yml", "bash")
    expected = [*["markdown"] * 3, "csharp", "cpp", "docx", "notebook", "docker", "yaml", "shell"]
    assert [type_of(word) for word in spoken] == expected
    assert type_of("") is None


def test_relative_dates_are_reckoned_from_now() -> None:
    before = datetime.now(UTC)
    where = parse_where("modified>=1h")
    assert isinstance(where, Modified)
    assert where.since_ns is not None
    passed = where.since_ns - unix_ns((before - timedelta(hours=1)).replace(microsecond=0))
    assert 0 <= passed < 60 * 10**9
