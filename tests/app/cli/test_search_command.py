"""`semsearch search`, `status`, `config`, `model`: answers, shapes, exit codes."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from app.cli.output import printable
from tests_support import Cli, Indexed


def test_search_json_has_the_documented_shape(searching: Cli, indexed: Indexed) -> None:
    ran = searching("search", "why does dough get bigger?", "--json")
    assert ran.code == 0
    answer = json.loads(ran.out)
    keys = ("degraded", "degraded_reason", "hits", "mode", "next", "query", "rerank", "timing")
    assert sorted(answer) == [*keys, "took_ms"]
    assert (answer["mode"], answer["degraded"]) == ("hybrid", False)
    first = answer["hits"][0]
    assert first["document"]["path"] == str(indexed.docs / "bread.md")
    assert first["document"]["title"] == "Bread"
    assert sorted(first) == [
        *("after", "before", "chunk", "collection", "document", "duplicates", "more"),
        *("parts", "rank", "score", "snippet"),
    ]
    assert sorted(first["document"]) == [*("file", "format", "id", "member", "path", "title")]
    assert sorted(first["parts"]) == ["dense", "lexical", "rerank"]
    chunk = first["chunk"]
    assert sorted(chunk) == [
        *("end", "end_line", "heading", "id", "ordinal", "place", "start", "start_line", "text")
    ]
    text = (indexed.docs / "bread.md").read_text()
    assert text[chunk["start"] : chunk["end"]] == chunk["text"]


@pytest.mark.parametrize(
    ("query", "name"),
    [
        ("when is fruit harvested?", "apple.md"),
        ("what time does the bell ring?", "clock.txt"),
        ("how hot should the water for tea be?", "rows.jsonl"),
    ],
)
def test_search_by_meaning_finds_the_planted_document_first(
    searching: Cli, query: str, name: str
) -> None:
    hits = json.loads(searching("search", query, "--json").out)["hits"]
    assert Path(hits[0]["document"]["path"]).name == name


def test_search_names_the_line_of_a_jsonl_file_by_its_id(searching: Cli) -> None:
    hits = json.loads(searching("search", "espresso pressure", "--json").out)["hits"]
    assert (hits[0]["document"]["member"], hits[0]["document"]["title"]) == ("r2", "Coffee")


def test_search_lexical_works_without_any_model(
    searching: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("indexer.embedding.opening.open_embedder", None)
    monkeypatch.setattr("app.search.models.open_embedder", None)
    hits = json.loads(searching("search", "酵母", "--mode", "lexical", "--json").out)["hits"]
    assert [Path(h["document"]["path"]).name for h in hits] == ["zh.md"]


def test_search_text_shows_rank_score_path_line_and_marked_words(
    searching: Cli, indexed: Indexed, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(indexed.docs)
    ran = searching("search", "yeast and sugar", "-k", "1")
    head, snippet = ran.out.splitlines()[:2]
    assert head.startswith(" 1. 0.")
    assert " bread.md:" in head
    assert "*yeast*" in snippet
    assert "*sugar*" in snippet


def test_search_without_its_model_answers_by_words_and_says_why(
    searching: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    from indexer.errors import ModelError

    def refuse(*_arguments: object) -> None:
        raise ModelError("the hub is out of reach")

    monkeypatch.setattr("app.search.models.open_embedder", refuse)
    ran = searching("search", "yeast", "--json")
    answer = json.loads(ran.out)
    assert (ran.code, answer["mode"], answer["degraded"]) == (0, "lexical", True)
    assert answer["degraded_reason"] == "the hub is out of reach"
    assert [Path(hit["document"]["path"]).name for hit in answer["hits"]] == ["bread.md"]
    (line,) = (line for line in ran.err.splitlines() if "words only" in line)
    assert line.endswith("the hub is out of reach")
    ran = searching("search", "yeast", "--mode", "dense")
    assert (ran.code, ran.out) == (69, "")
    assert "the hub is out of reach" in ran.err


def test_search_without_a_hit_exits_1(searching: Cli) -> None:
    ran = searching("search", "xylophone", "--mode", "lexical")
    assert (ran.code, ran.out) == (1, "")
    assert "Nothing found." in ran.err
    ran = searching("search", '"yeast and xylophone"')
    assert (ran.code, "Without the marks" in ran.err) == (1, True)


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["search", "  "], 2, "query is empty"),
        (["search", "x", "--mode", "psychic"], 2, "hybrid, dense, lexical"),
        (["search", "x", "-k", "0"], 2, "k = "),
        (["search", "x", "-c", "nope"], 2, "'nope'"),
        (["search", "x", "-c", "../evil"], 2, "no collection name"),
        (["search", "x", "--instruct", "Find recipes"], 2, "takes no instruction"),
        (["search", "x", "--mode", "lexical", "--instruct", "Find"], 2, "hybrid or dense"),
    ],
)
def test_search_bad_input_is_explained(
    searching: Cli, arguments: list[str], code: int, words: str
) -> None:
    ran = searching(*arguments)
    assert ran.code == code
    assert words in ran.err
    assert "Traceback" not in ran.err


def test_status_json_has_counts_contract_and_sizes(searching: Cli, indexed: Indexed) -> None:
    status = json.loads(searching("status", "--json").out)
    assert (status["files"], status["documents"]) == (5, 6)
    assert status["chunks"] == status["vectors"] == 6
    assert status["contract"]["model"] == "sentence-transformers/all-MiniLM-L6-v2"
    assert status["contract"]["dimension"] == 384
    assert status["roots"] == [str(indexed.docs)]
    assert all(status["sizes"][part] > 0 for part in ("catalog", "vectors", "lexical"))


def test_config_shows_each_value_and_its_origin(
    searching: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SEMSEARCH_THREADS", "3")
    monkeypatch.setenv("HF_TOKEN", "hf_secret_value")
    rows = {row["name"]: row for row in json.loads(searching("config", "--json").out)}
    assert (rows["threads"]["value"], rows["threads"]["origin"]) == (3, "environment")
    assert (rows["model"]["value"], rows["model"]["origin"]) == ("qwen3-0.6b", "default")
    assert "hf_secret" not in json.dumps(rows)


def test_model_list_marks_what_is_here(searching: Cli) -> None:
    rows = {row["name"]: row for row in json.loads(searching("model", "list", "--json").out)}
    assert rows["minilm"]["local"]
    assert rows["qwen3-0.6b"] | {"default": True, "local": False} == rows["qwen3-0.6b"]


def test_model_pull_shows_the_enforced_hash(searching: Cli) -> None:
    values = json.loads(searching("model", "pull", "minilm", "--json").out)
    assert values["files"]["model.safetensors"] == (
        "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
    )


def test_help_imports_neither_torch_nor_a_model_library() -> None:
    """`--help` stays fast because nothing heavy is imported; time itself is no test."""
    code = (
        "import sys; sys.argv = ['semsearch', '--help']\n"
        "from app.cli.main import main\n"
        "try:\n    main()\nexcept SystemExit:\n    pass\n"
        "heavy = {'torch', 'transformers', 'faiss', 'sqlalchemy', 'fastapi', 'numpy', 'pydantic'}\n"
        "print(sorted(heavy & set(sys.modules)))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"


def test_lexical_search_imports_no_torch(indexed: Indexed) -> None:
    code = (
        "import sys; sys.argv = ['semsearch', 'search', 'yeast', '--mode', 'lexical', '--json']\n"
        "from app.cli.main import main\n"
        "try:\n    main()\nexcept SystemExit:\n    pass\n"
        "print(sorted({'torch', 'transformers'} & set(sys.modules)))\n"
    )
    environment = {**os.environ, "SEMSEARCH_HOME": str(indexed.home)}
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, env=environment
    )
    assert done.stdout.splitlines()[-1] == "[]"


def test_interrupt_exits_130_with_one_line(indexed: Indexed, tmp_path: Path) -> None:
    """Ctrl-C during a run: no traceback, the collection opens, the next run finishes."""
    import signal

    docs = tmp_path / "docs"
    docs.mkdir()
    for i in range(300):
        words = " ".join(f"word{i * j % 977}" for j in range(200))
        (docs / f"{i}.md").write_text(f"# {i}\n\n{words}\n")
    environment = {**os.environ, "SEMSEARCH_HOME": str(tmp_path / "home")}
    command = [sys.executable, "-c", "from app.cli.main import main; main()"]
    process = subprocess.Popen(
        [*command, "index", str(docs), "--model", "minilm"],
        stderr=subprocess.PIPE,
        text=True,
        env=environment,
    )
    assert process.stderr is not None
    assert process.stderr.readline().startswith("Loading")
    time.sleep(3)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "Traceback" not in err
    assert "interrupted" in err


def test_printable_escapes_what_could_abuse_a_terminal() -> None:
    assert printable("a\x1b[2Jb\u202egnp.exe\nc") == "a\\x1b[2Jb\\u202egnp.exe\\nc"
    assert printable("naïve 文档 👩‍🔬") == "naïve 文档 👩‍🔬"
