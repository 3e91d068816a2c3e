"""`semsearch embed` with the real small model, as a person and as a script run it."""

import io
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from app.search.models import Models
from app.settings import Settings
from indexer.types import Kind, Vectors
from tests_support import Cli

COMMAND = [sys.executable, "-c", "from app.cli.main import main; main()", "embed"]
TEXTS = ["yeast makes bread rise", "", "the clock strikes twelve", "caf\u00e9 \u9762\u5305"]


def expected(home: Path, texts: list[str], kind: Kind = Kind.DOCUMENT) -> Vectors:
    models = Models(Settings.load(flags={"home": home}))
    with models.embedder(models.named("minilm")) as embedder:
        return embedder.embed(texts, kind)


def give(monkeypatch: pytest.MonkeyPatch, data: bytes) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(data), encoding="utf-8"))


def test_embed_stdin_gives_json_lines_in_input_order(
    cli: Cli, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    give(monkeypatch, "\n".join(TEXTS).encode())
    ran = cli("embed", "--model", "minilm")
    assert ran.code == 0, ran.err
    answers = [json.loads(line) for line in ran.out.splitlines()]
    assert [answer["index"] for answer in answers] == [0, 1, 2, 3]
    vectors = np.array([answer["embedding"] for answer in answers], dtype=np.float32)
    assert np.abs(vectors - expected(home, TEXTS)).max() < 1e-6


def test_embed_json_lines_to_npy_with_stats(cli: Cli, home: Path, tmp_path: Path) -> None:
    source, target = tmp_path / "in.jsonl", tmp_path / "out.npy"
    source.write_text("".join(json.dumps({"id": 1, "text": text}) + "\n" for text in TEXTS))
    ran = cli("embed", str(source), "--model", "minilm", "-o", str(target), "--stats")
    assert (ran.code, ran.out) == (0, "")
    vectors = np.load(target)
    assert (vectors.dtype, vectors.shape) == (np.float32, (4, 384))
    assert np.abs(vectors - expected(home, TEXTS)).max() < 1e-6
    stats = json.loads(ran.err)
    assert list(stats) == [
        *("mode", "texts", "tokens", "seconds", "tokens_per_s"),
        *("load_s", "peak_rss_mib", "peak_vram_mib"),
    ]
    assert stats["texts"] == 4
    # [CLS] and [SEP] around 4, 0, 4 and 1 + 2 words of the vocabulary
    models = Models(Settings.load(flags={"home": home}))
    with models.embedder(models.named("minilm")) as embedder:
        assert stats["tokens"] == sum(embedder.tokenizer.count(TEXTS))
    assert stats["mode"].startswith("cpu:")
    # The seconds are shown rounded to milliseconds, of which there are few.
    assert stats["tokens_per_s"] * (stats["seconds"] - 0.001) <= stats["tokens"] + 1
    assert stats["tokens_per_s"] * (stats["seconds"] + 0.001) >= stats["tokens"] - 1
    assert stats["peak_rss_mib"] > 100


def test_embed_of_nothing_gives_nothing(
    cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    give(monkeypatch, b"")
    ran = cli("embed", "-", "--model", "minilm", "-o", str(tmp_path / "out.npy"), "--stats")
    assert ran.code == 0
    assert np.load(tmp_path / "out.npy").shape == (0, 384)
    assert json.loads(ran.err)["texts"] == 0


def test_embed_wrong_line_exits_2_after_the_lines_before_it(cli: Cli, tmp_path: Path) -> None:
    source = tmp_path / "in.jsonl"
    source.write_text('{"text": "one"}\n{"text": "two"}\n{"words": "three"}\n{"text": "four"}\n')
    ran = cli("embed", str(source), "--model", "minilm")
    assert ran.code == 2
    assert [json.loads(line)["index"] for line in ran.out.splitlines()] == [0, 1]
    assert f'{source}: line 3 has no string under "text": \'{{"words": "three"}}\'' in ran.err
    target = tmp_path / "out.npy"
    ran = cli("embed", str(source), "--model", "minilm", "-o", str(target))
    assert ran.code == 2
    assert not list(tmp_path.glob("*.npy*"))


def test_embed_query_with_task_and_fewer_dimensions(
    cli: Cli, home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`--instruct` makes queries of the texts: documents take none."""
    from make_tiny_qwen3 import make_tiny_qwen3

    tiny = str(make_tiny_qwen3(tmp_path / "tiny-qwen3"))
    found = {}
    for name, options in {
        "document": [],
        "query": ["--kind", "query"],
        "task": ["--instruct", "Find recipes"],
        "short": ["--kind", "query", "--dim", "32"],
    }.items():
        give(monkeypatch, b"bread")
        ran = cli("embed", "--model", tiny, *options)
        assert ran.code == 0, ran.err
        found[name] = np.array(json.loads(ran.out)["embedding"])
    assert found["short"].shape == (32,)
    cut = found["query"][:32] / np.linalg.norm(found["query"][:32])
    assert np.abs(found["short"] - cut).max() < 1e-6
    for one, other in (("document", "query"), ("query", "task"), ("document", "task")):
        assert np.abs(found[one] - found[other]).max() > 1e-3


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--kind", "passage"], "--kind passage: there are query, document"),
        (["-o", "out.txt"], "ends in .npy"),
        (["--instruct", "Find"], "takes no instruction"),
        (["--kind", "document", "--instruct", "Find"], "queries only"),
        (["--dim", "100"], "Dimension 100"),
        (["--placement", "moon"], "placement"),
        (["--format", "csv"], "--format csv"),
    ],
)
def test_embed_wrong_option_exits_2_and_reads_nothing(
    cli: Cli, monkeypatch: pytest.MonkeyPatch, options: list[str], words: str
) -> None:
    give(monkeypatch, b"one\n")
    ran = cli("embed", "--model", "minilm", *options)
    assert (ran.code, ran.out) == (2, "")
    assert words in ran.err
    assert sys.stdin.buffer.tell() == 0


def test_embed_interrupted_exits_130_and_leaves_no_half_file(tmp_path: Path) -> None:
    """Ctrl-C while a producer is still writing."""
    target = tmp_path / "out.npy"
    environment = {**os.environ, "SEMSEARCH_HOME": str(tmp_path / "home")}
    process = subprocess.Popen(
        [*COMMAND, "--model", "minilm", "-o", str(target)],
        stdin=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=environment,
    )
    assert process.stdin is not None
    assert process.stderr is not None
    # A full window goes through while this blocks on the pipe, so the model is loaded.
    process.stdin.write(b"one text\n" * 20_000)
    process.stdin.flush()
    assert list(tmp_path.glob(".out.npy.*.draft"))
    process.send_signal(signal.SIGINT)
    assert process.wait(timeout=60) == 130
    process.stdin.close()
    assert b"Traceback" not in process.stderr.read()
    process.stderr.close()
    assert not list(tmp_path.glob("*.npy*"))
    assert not list(tmp_path.glob(".*.draft"))


@pytest.mark.skipif(os.name == "nt", reason="no pipes of that kind")
def test_embed_into_a_closed_pipe_is_quiet(tmp_path: Path) -> None:
    (tmp_path / "in.txt").write_text("one text\n" * 3_000)
    environment = {**os.environ, "SEMSEARCH_HOME": str(tmp_path / "home")}
    process = subprocess.Popen(
        [*COMMAND, str(tmp_path / "in.txt"), "--model", "minilm", "--stats"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment,
    )
    assert process.stdout is not None
    assert json.loads(process.stdout.readline())["index"] == 0
    process.stdout.close()
    assert process.stderr is not None
    assert process.stderr.read() == ""
    process.stderr.close()
    assert process.wait(timeout=60) in {1, 141}
