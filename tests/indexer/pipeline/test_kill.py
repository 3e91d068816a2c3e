"""kill -9 while indexing: whatever the moment, finishing gives the undisturbed collection."""

import os
import random
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

import pytest

FILES = 60
# The real pipeline and store in a process of its own; hash-made vectors, so that the moments fall
# on reading, committing and the copies rather than all into one model.
SCRIPT = """
import sys
from pathlib import Path
sys.path.insert(0, sys.argv[3])
from conftest import HashRuntime, MINILM_CHUNKER
import indexer.pipeline.group as group
from indexer.embedding.embedder import Embedder
from indexer.embedding.local import LocalEmbedder
from indexer.embedding.models import resolve
from indexer.embedding.spec import load_spec
from indexer.embedding.tokenizer import load_tokenizer
from indexer.pipeline.run import index
from indexer.storage.commit import Writer

group.MAX_FILES = 5
ref = resolve("minilm")
spec = load_spec(ref.folder, ref, Path(sys.argv[2]).parent / "hashes")
contract = spec.contract(MINILM_CHUNKER)
embedder = LocalEmbedder(spec, load_tokenizer(spec), HashRuntime(spec.hidden_size))
print("ready", flush=True)
with Writer.open(Path(sys.argv[2]), contract) as writer:
    index([Path(sys.argv[1])], writer, embedder, contract)
print("done", flush=True)
"""

Content = list[tuple[str, str, int, int, str, bytes]]


def start(docs: Path, collection: Path) -> subprocess.Popen[str]:
    tests = Path(__file__).parents[2]
    return subprocess.Popen(
        [sys.executable, "-c", SCRIPT, str(docs), str(collection), str(tests)],
        stdout=subprocess.PIPE,
        text=True,
    )


def finish(docs: Path, collection: Path) -> float:
    """Run to the end; the seconds that the run itself took."""
    process = start(docs, collection)
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    started = time.monotonic()
    out, _ = process.communicate(timeout=120)
    assert (process.returncode, out) == (0, "done\n")
    return time.monotonic() - started


def content(collection: Path) -> Content:
    """Documents, chunks and vectors, without the ids that an interruption may change."""
    with closing(sqlite3.connect(collection / "catalog.sqlite3")) as catalog:
        assert catalog.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        assert catalog.execute("PRAGMA foreign_key_check").fetchall() == []
        (orphans,) = catalog.execute(
            "SELECT count(*) FROM embeddings WHERE id NOT IN (SELECT embedding_id FROM chunks)"
        ).fetchone()
        assert orphans == 0
        return catalog.execute(
            "SELECT f.path, d.member, c.start, c.end, c.text, e.vector FROM chunks c "
            "JOIN documents d ON d.id = c.document_id JOIN files f ON f.id = d.file_id "
            "JOIN embeddings e ON e.id = c.embedding_id ORDER BY 1, 2, 3, 4"
        ).fetchall()


def check_search(collection: Path, docs: Path) -> None:
    """Both copies answer for the newest state: a planted word finds its file, and only that."""
    from indexer.storage.collection import Collection

    with Collection.open(collection) as opened:
        for number in (0, FILES // 2, FILES - 1):
            hits = opened.lexical(planted(number), 5)
            paths = {opened.chunks([h.chunk_id])[h.chunk_id].path for h in hits}
            assert paths == {os.fsencode(docs / f"f{number}.md")}
        status = opened.status()
        import numpy as np

        some = np.zeros(384, dtype=np.float32)
        some[0] = 1.0
        assert len(opened.dense(some, 10_000)) == status.chunks


def planted(number: int) -> str:
    """A word of letters only, that no other file has."""
    return "zq" + "".join(chr(ord("a") + int(digit)) for digit in f"{number:02}")


def write(docs: Path, round_number: int) -> None:
    """First round: all files; later rounds change, delete and rename some."""
    docs.mkdir(exist_ok=True)
    for number in range(FILES):
        if round_number == 0 or number % 5 == 1:
            body = f"{planted(number)} in round {round_number}. " + "Filler words follow. " * 40
            (docs / f"f{number}.md").write_text(f"# File {number}\n\n{body}\n")
    if round_number:
        (docs / "gone.md").unlink(missing_ok=True)
        if (docs / "name0.md").exists():
            (docs / "name0.md").rename(docs / "name1.md")
    else:
        (docs / "gone.md").write_text("# Gone\n\nThis file goes away.\n")
        (docs / "name0.md").write_text("# Name\n\nThis file changes its name.\n")


def kill_and_finish(tmp_path: Path, kills: int, seed: int) -> None:
    draw = random.Random(seed)
    docs, killed, calm = tmp_path / "docs", tmp_path / "killed", tmp_path / "calm"
    for round_number in range(2):
        write(docs, round_number)
        before = tmp_path / f"before-{round_number}"
        if killed.exists():
            shutil.copytree(killed, before)
        length_s = finish(docs, calm)
        landed = 0
        for _ in range(kills // 2):
            process = start(docs, killed)
            assert process.stdout is not None
            assert process.stdout.readline() == "ready\n"
            time.sleep(draw.uniform(0, length_s))
            process.send_signal(signal.SIGKILL)
            out, _ = process.communicate(timeout=60)
            landed += "done" not in out
            if "done" in out:
                # It finished before the blow: start over, so that the next blow lands in work.
                shutil.rmtree(killed)
                if before.exists():
                    shutil.copytree(before, killed)
        assert landed, "no kill landed inside a run: the moments are drawn too late"
        finish(docs, killed)
        assert content(killed) == content(calm)
        check_search(killed, docs)
    (quiet,) = {len(content(killed))}
    finish(docs, killed)
    assert len(content(killed)) == quiet


@pytest.mark.skipif(os.name == "nt", reason="SIGKILL; TerminateProcess is not the same")
def test_index_killed_at_20_random_moments_ends_like_an_undisturbed_run(tmp_path: Path) -> None:
    kill_and_finish(tmp_path, kills=20, seed=20)


@pytest.mark.torture
@pytest.mark.skipif(os.name == "nt", reason="SIGKILL; TerminateProcess is not the same")
@pytest.mark.parametrize("seed", range(10))
def test_index_killed_at_200_random_moments(tmp_path: Path, seed: int) -> None:
    kill_and_finish(tmp_path, kills=20, seed=1000 + seed)
