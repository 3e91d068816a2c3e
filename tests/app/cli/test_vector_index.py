"""`semsearch index` and `status` on a collection that is large enough for a vector index."""

import hashlib
import json
from pathlib import Path

import numpy as np

from app.cli.index_status import certificate_line
from indexer.storage.collection import Collection
from indexer.storage.commit import Writer
from indexer.storage.vectors.certificate import Certificate, Effort, Point
from indexer.types import Changes, Chunk, FileChange, FileStamp, PreparedDocument
from tests_support import Cli, write_docs

ROWS = 79_000  # of 384 dimensions: just more than are searched exactly


def fill(folder: Path) -> None:
    """Vectors around 300 centres, in files that no root holds: a run leaves them alone."""
    rng = np.random.default_rng(0)
    centres = rng.standard_normal((300, 384), dtype=np.float32)
    with Collection.open(folder) as reader:
        contract = reader.contract
    with Writer.open(folder, contract) as writer:
        for part in range(0, ROWS, 7_900):
            vectors = centres[rng.integers(0, 300, 7_900)]
            vectors += 0.8 * rng.standard_normal(vectors.shape, dtype=np.float32)
            vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
            keys = [hashlib.sha256(f"{part + i}".encode()).digest() for i in range(len(vectors))]
            chunks = tuple(
                Chunk(i, f"bulk {part + i}", i, i + 1, 1, 1, (), "", "x", 1) for i in range(7_900)
            )
            document = PreparedDocument("", "bulk", "text", {}, chunks, tuple(keys))
            stamp = FileStamp(f"/bulk/{part}".encode(), 1, 1, keys[0])
            files = (FileChange(stamp, (document,)),)
            writer.commit(Changes(files=files, vectors=dict(zip(keys, vectors, strict=True))))


def test_large_collection_gets_an_index_that_status_vouches_for(
    cli: Cli, tmp_path: Path, home: Path
) -> None:
    docs = write_docs(tmp_path / "docs")
    wishes = ("--target-recall", "0.9", "--prefix-dim", "192")
    first = cli("index", str(docs), "--model", "minilm", *wishes)
    assert first.code == 0
    assert "is not known to be trained for shorter vectors (MRL)" in first.err
    small = cli("status").out
    assert "exact: every vector is compared" in small
    assert "once it is large: recall@10 0.90, codes of the first 192 dimensions" in small
    fill(home / "collections" / "default")
    ran = cli("index")
    assert ran.code == 0
    assert "Building the vector index" in ran.err
    assert "Vector index: recall@10 0.9" in ran.err
    assert "reaches the target of 0.90" in ran.err
    index = json.loads(cli("status", "--json").out)["index"]
    assert index["kind"] == "codes"
    assert index["covered"] == index["rows"] == ROWS + 6
    assert index["certificate"]["target_is_met"]
    assert index["wishes"]["target_recall"] == 0.9
    assert index["prefix_dim"] == 192
    assert "48-byte codes of the first 192 dimensions" in cli("status").out
    assert "recall@10 0.9" in cli("status").out
    again = cli("index", "--json")
    assert json.loads(again.out)["index_built"] is None  # nothing is due
    asked = (docs / "apple.md").read_text("utf-8")  # nearer than any of the bulk by far
    found = json.loads(cli("search", asked, "--mode", "dense", "--json", "-k", "1").out)
    assert found["hits"][0]["document"]["path"].endswith("apple.md")


def test_wrong_wishes_are_refused(cli: Cli, tmp_path: Path) -> None:
    docs = write_docs(tmp_path / "docs")
    for flag, value in (
        ("--target-recall", "1.5"),
        ("--ram-budget", "0"),
        ("--prefix-dim", "384"),
        ("--prefix-dim", "16"),
        ("--prefix-dim", "most"),
    ):
        ran = cli("index", str(docs), "--model", "minilm", flag, value)
        assert ran.code == 2
        assert value in ran.err


def test_missed_target_is_said() -> None:
    points = tuple(Point(k, Effort(9, 9), 0.8, 0.75, 1.25) for k in (10, 100, 1000))
    certificate = Certificate(0.99, 500, 9_000, 9_000, 1e-5, points, points, points[:1])
    line = certificate_line(certificate)
    assert line == (
        "recall@10 0.800 (95 % sure of 0.750) against exact search by 500 queries made of its "
        "passages, 1.2 ms each; MISSES the target of 0.99"
    )


def test_target_that_only_deep_searches_miss_is_said() -> None:
    points = tuple(
        Point(k, Effort(9, 9), recall, recall, 1.25)
        for k, recall in ((10, 0.995), (100, 0.992), (1000, 0.951))
    )
    line = certificate_line(Certificate(0.99, 500, 9_000, 9_000, 1e-5, points, points, points[:1]))
    assert line.endswith("1.2 ms each; MISSES the target of 0.99 for the 1,000 nearest (0.951)")
