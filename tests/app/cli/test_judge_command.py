"""`semsearch judge`, driven by keys on standard input: what is stored, shown and kept."""

import io
import json
import re
import shutil
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from app.evaluation.judged.known_items import known_item_set
from app.evaluation.judged.own import own_set
from app.judging.read import read_documents, read_qrels, read_queries
from app.judging.store import QRELS, QUERIES, query_id
from indexer.errors import UsageError
from indexer.storage.collection import Collection
from indexer.storage.commit import Writer
from tests_support import Indexed, Ran, clean_environment, run_cli

QUERY = "why does dough get bigger?"
ID = query_id(QUERY)
Judge = Callable[..., Ran]


@pytest.fixture
def root(indexed: Indexed, tmp_path: Path) -> Iterator[Path]:
    """A copy of the indexed collection that a test may judge, as the home of the settings."""
    shutil.copytree(indexed.home, tmp_path / "home")
    with clean_environment(tmp_path / "home"):
        yield tmp_path / "home" / "collections" / "default"


@pytest.fixture
def judge(root: Path, monkeypatch: pytest.MonkeyPatch) -> Judge:
    """Run `semsearch judge` and press these keys, one a line."""

    def run(*arguments: str, keys: str = "") -> Ran:
        monkeypatch.setattr("sys.stdin", io.StringIO("".join(f"{key}\n" for key in keys.split())))
        return run_cli("judge", *arguments)

    return run


def stored(root: Path) -> list[str]:
    return (root / "judgements" / QRELS).read_text().splitlines()


def asked(ran: Ran) -> list[str]:
    """File names with members, in the order they were shown."""
    return re.findall(r"^Query: .*\n(?:.*/)?([^/\n]+):\d+$", ran.err, re.MULTILINE)


def test_judge_stores_exactly_the_keys_that_were_pressed(judge: Judge, root: Path) -> None:
    ran = judge(QUERY, "-k", "3", keys="0 1 2 q")
    assert (ran.code, ran.out) == (0, "")
    names = asked(ran)
    assert len(names) >= 3
    assert stored(root) == [
        f"{ID} 0 {'docs/sub/' if name.startswith(('clock', 'zh')) else 'docs/'}{name} {grade}"
        for grade, name in enumerate(names[:3])
    ]
    assert read_queries(root / "judgements" / QUERIES) == {ID: QUERY}


def test_judge_pools_what_every_mode_finds_each_document_once(judge: Judge) -> None:
    """Dense search finds bread.md; the word `noon` alone finds clock.txt; k is of each mode."""
    ran = judge("noon dough rising", "-k", "1", keys="0 " * 9)
    assert sorted(asked(ran)) == ["bread.md", "clock.txt"]


def test_judge_shows_no_rank_score_or_mode(judge: Judge) -> None:
    ran = judge(QUERY, keys="o 0 " * 9)
    assert ran.code == 0
    assert not re.search(r"score|rank|hybrid|dense|lexical|\d\.\d\d\d", ran.err.split("1 query")[0])
    assert "*yeast*" not in ran.err


def test_judge_order_is_that_of_names_and_not_of_ranks(judge: Judge) -> None:
    """The best hit of twelve queries stands anywhere, and where, is the same every time."""
    places = []
    for number in range(12):
        query = f"why does bread dough rise with yeast {number}?"
        names = asked(judge(query, keys="s " * 9))
        assert asked(judge(query, keys="s " * 9)) == names
        places.append(names.index("bread.md"))
    assert len(set(places)) >= 4


def test_judge_back_changes_the_judgement_before(judge: Judge, root: Path) -> None:
    ran = judge(QUERY, keys="1 b 2 s q")
    assert asked(ran)[0] == asked(ran)[2]
    assert "judged 1 before" in ran.err
    assert [line.split()[-1] for line in stored(root)] == ["2"]


def test_judge_back_crosses_to_the_query_before(judge: Judge, root: Path) -> None:
    judge(QUERY, "when does the bell ring?", "-k", "1", keys="s " * 9)
    first = len(asked(judge(QUERY, "-k", "1", keys="s " * 9)))
    judge(QUERY, "when does the bell ring?", "-k", "1", keys="1 " * first + "b 0 q")
    assert [line.split()[-1] for line in stored(root)] == ["1"] * (first - 1) + ["0"]


def test_judge_asks_again_only_when_told(judge: Judge, root: Path) -> None:
    first = asked(judge(QUERY, keys="0 0 q"))
    rest = asked(judge(QUERY, keys="0 " * 9))
    assert rest == first[2:] + rest[1:]
    assert not set(rest) & set(first[:2])
    ran = judge(QUERY, keys="")
    assert (ran.code, asked(ran)) == (0, [])
    assert "are judged; --again" in ran.err
    ran = judge(QUERY, "--again", keys="2 q")
    assert asked(ran)[0] == first[0]
    assert [line.split()[-1] for line in stored(root)][:2] == ["2", "0"]


def test_judge_more_text_shows_the_whole_document_and_then_says_so(judge: Judge) -> None:
    ran = judge(QUERY, keys="o o q")
    assert "That is all there is." in ran.err


def test_judge_without_enough_keys_keeps_what_was_judged(judge: Judge, root: Path) -> None:
    ran = judge(QUERY, keys="1")
    assert ran.code == 2
    assert "Standard input ended" in ran.err
    assert "is saved" in ran.err
    assert len(stored(root)) == 1


def test_judge_interrupted_keeps_what_was_judged(
    judge: Judge, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Keys(io.StringIO):
        def readline(self, *_: object) -> str:  # type: ignore[override]
            if line := super().readline():
                return line
            raise KeyboardInterrupt

    monkeypatch.setattr("sys.stdin", Keys("1\n2\n"))
    ran = run_cli("judge", QUERY)
    assert ran.code == 130
    assert "saved" in ran.err
    assert [line.split()[-1] for line in stored(root)] == ["1", "2"]
    monkeypatch.setattr("sys.stdin", io.StringIO("0\nq\n"))
    assert run_cli("judge", QUERY).code == 0  # the lock is free
    assert len(stored(root)) == 3


def test_judge_on_a_terminal_takes_single_keys(
    judge: Judge, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    def press(echo: bool = False) -> str:
        if not keys:
            raise EOFError  # Ctrl-D
        return keys.pop(0)

    keys = ["1", "\x1b[A", "2"]
    monkeypatch.setattr("sys.stdin", Terminal())
    monkeypatch.setattr("typer.getchar", press)
    ran = run_cli("judge", QUERY)
    assert ran.code == 0
    assert "\x1b" not in ran.err
    assert "none of the keys" in ran.err
    assert [line.split()[-1] for line in stored(root)] == ["1", "2"]


def test_judge_asks_for_queries_when_none_is_given(judge: Judge, root: Path) -> None:
    ran = judge(keys="bread 1 q")
    assert ran.code == 0
    assert "Query (an empty line ends):" in ran.err
    assert stored(root)[0].startswith(query_id("bread"))
    ran = judge(keys="")
    assert ran.code == 2
    assert "--queries FILE" in ran.err


def test_judge_takes_queries_of_a_file(judge: Judge, root: Path, tmp_path: Path) -> None:
    file = tmp_path / "queries.jsonl"
    file.write_text('{"_id": "one", "text": "yeast"}\n{"_id": "two", "text": "noon"}\n')
    judge("--queries", str(file), "-k", "1", keys="1 " * 9)
    assert set(read_qrels(root / "judgements" / QRELS)) == {"one", "two"}


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--list", "bread"], "judge nothing"),
        (["--list", "--export", "x"], "judge nothing"),
        (["-c", "nope", "bread"], "'nope'"),
        (["-c", "nope", "--list"], "'nope'"),
        (["--export", "x"], "semsearch judge"),
        (["  "], "query is empty"),
        (["bread", "-k", "0"], "k = "),
        (["--queries", "missing.txt"], "missing.txt"),
    ],
)
def test_judge_bad_input_is_explained(judge: Judge, arguments: list[str], words: str) -> None:
    ran = judge(*arguments)
    assert ran.code == 2
    assert words in ran.err
    assert "Traceback" not in ran.err


def test_judge_list_counts_and_warns(judge: Judge, root: Path) -> None:
    assert judge("--list").code == 1
    judge(QUERY, keys="0 1 2 q")
    ran = judge("--list")
    assert (ran.code, ran.out.splitlines()[1]) == (0, f"2 of 3    {QUERY}")
    assert "Only 1 query with a relevant document" in ran.err
    assert json.loads(judge("--list", "--json").out) == {
        "collection": "default",
        "queries": [{"id": ID, "text": QUERY, "judged": 3, "relevant": 2}],
        "judgements": 3,
        "queries_with_relevant": 1,
    }


def test_judge_export_read_back_is_the_same_set(
    judge: Judge, root: Path, indexed: Indexed, tmp_path: Path
) -> None:
    judge(QUERY, keys="0 1 2 " + "0 " * 9)
    ran = judge("--export", str(tmp_path / "set"))
    assert (ran.code, ran.out) == (0, "")
    with Collection.open(root) as collection:
        own = own_set(collection, root)
    assert read_queries(tmp_path / "set" / "queries.jsonl") == own.queries == {ID: QUERY}
    assert read_qrels(tmp_path / "set" / "qrels" / "test.tsv") == own.qrels
    corpus = {
        name: (title, text)
        for name, title, text in read_documents(tmp_path / "set" / "corpus.jsonl")
    }
    assert set(own.qrels[ID]) <= set(corpus)
    assert len(corpus) == 6
    assert corpus["docs/apple.md"] == ("Apples", (indexed.docs / "apple.md").read_text())
    assert corpus["docs/rows.jsonl#r1"][0] == "Tea"
    ran = judge("--export", str(tmp_path / "set"))
    assert ran.code == 2
    assert "is there already" in ran.err
    assert sorted(path.name for path in tmp_path.iterdir()) == ["home", "set"]


def test_reembedding_keeps_judgements_and_deleting_takes_them(judge: Judge, root: Path) -> None:
    judge(QUERY, keys="2 1 q")
    before = stored(root)
    with Collection.open(root) as collection:
        contract = collection.contract
        ids = {document.id for document in collection.documents()}
    with Writer.open(root, replace(contract, chunker="0/1"), reembed=True):
        pass  # emptied, and bound to another contract
    ran = run_cli("index", "--model", "minilm", "--reembed")
    assert ran.code == 0, ran.err
    assert stored(root) == before
    with Collection.open(root) as collection:
        assert own_set(collection, root).missing == 0
        assert not ids & {document.id for document in collection.documents()}
    ran = run_cli("rm", "--all", "--yes")
    assert ran.code == 0
    assert not root.exists()


def test_own_set_counts_judgements_of_documents_that_are_gone(
    judge: Judge, root: Path, indexed: Indexed
) -> None:
    ran = judge(QUERY, "noon", "-k", "1", keys="1 " * 9)
    gone = indexed.docs / "bread.md"
    assert run_cli("rm", str(gone)).code == 0
    lost = sum(line.endswith("docs/bread.md 1") for line in stored(root))
    assert lost >= 1
    with Collection.open(root) as collection:
        own = own_set(collection, root)
    assert own.missing == lost, ran.err
    assert any("no longer there" in problem for problem in own.problems)
    assert all("docs/bread.md" not in grades for grades in own.qrels.values())
    assert own.label == f"{len(own.queries)} queries judged by hand"


def test_own_set_of_nothing_judged_names_the_command(root: Path, judge: Judge) -> None:
    with Collection.open(root) as collection:
        with pytest.raises(UsageError, match="semsearch judge"):
            own_set(collection, root)
        judge(QUERY, keys="0 q")
        with pytest.raises(UsageError, match="None of the 1 judged queries"):
            own_set(collection, root)


@pytest.fixture
def hostile(home: Path, tmp_path: Path) -> Path:
    """A collection of documents that attack the terminal, and repeat their headings."""
    docs = tmp_path / "docs"
    docs.mkdir()
    (docs / "a\x1b[2J b.md").write_text("# The evil heading \u202ehere\n\nBread \x1b[31mred\n")
    for name in ("one.md", "two.md"):
        (docs / name).write_text(
            f"# What {name[:3]} has to say\n\nBread.\n\n## Table of all contents\n\nMore {name}.\n"
        )
    ran = run_cli("index", str(docs), "--model", "minilm")
    assert ran.code == 0, ran.err
    return home / "collections" / "default"


def test_hostile_paths_and_texts_are_shown_escaped(
    hostile: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO("o\no\n1\n" * 5))
    ran = run_cli("judge", "bread \x1b]0;title\x07")
    assert ran.code == 0
    assert "a\\x1b[2J b.md:1" in ran.err
    assert "\\x1b]0;title\\x07" in ran.err
    assert not set("\x1b\x07\u202e") & set(ran.err)
    assert any("docs/a%1B%5B2J%20b.md 1" in line for line in stored(hostile))
    monkeypatch.setattr("sys.stdin", io.StringIO(""))
    assert "\x1b" not in run_cli("judge", "--list").out


def test_known_items_are_headings_that_name_one_document(hostile: Path) -> None:
    with Collection.open(hostile) as collection:
        made = known_item_set(collection, 10, seed=3)
        assert known_item_set(collection, 10, seed=3) == made
        assert len(known_item_set(collection, 1, seed=3).queries) == 1
    texts = {text: made.qrels[query] for query, text in made.queries.items()}
    assert texts["What one has to say"] == {"docs/one.md": 1}
    assert texts["What two has to say"] == {"docs/two.md": 1}
    assert "Table of all contents" not in texts
    assert made.known_items
    assert "not real questions" in made.label
    assert any("easier than real questions" in problem for problem in made.problems)


def test_known_items_of_a_collection_without_headings_are_refused(root: Path) -> None:
    with Collection.open(root) as collection, pytest.raises(UsageError, match="semsearch judge"):
        known_item_set(collection, 10, seed=0)
