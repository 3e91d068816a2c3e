"""A pass is remembered, damage is not trusted, and a failure is a refusal with its cause."""

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from indexer.embedding.embedder import Embedder
from indexer.embedding.local import LocalEmbedder
from indexer.embedding.proof import circumstances as surroundings
from indexer.embedding.proof import golden, prove, reference
from indexer.embedding.runtimes.base import Runtime, TokenBatch
from indexer.embedding.runtimes.whole import WholeModel
from indexer.errors import PlacementError
from indexer.modes import Placement, Precision
from indexer.types import Vectors

WITHOUT_TORCH = """
import sys
from pathlib import Path
from indexer.embedding.proof import golden, reference
from indexer.embedding.spec import load_spec
from indexer.embedding.tokenizer import load_tokenizer
spec = load_spec(Path(sys.argv[1]))
made = reference._compute(spec, "golden")["golden"]
golden.save_vectors(Path(sys.argv[2]), made)
print("torch" in sys.modules)
"""


class Counting(Runtime):
    """The tiny model's runtime; counts the texts and may answer wrongly."""

    placement, precision = Placement.CPU, Precision.FP32

    def __init__(self, inner: Runtime) -> None:
        self.inner = inner
        self.hidden_size, self.max_batch_tokens = inner.hidden_size, inner.max_batch_tokens
        self.texts = 0
        self.drop = 0  # tokens cut from the end of each text

    def forward(self, batch: TokenBatch) -> Vectors:
        self.texts += len(batch)
        return self.inner.forward([ids[: len(ids) - self.drop] or ids for ids in batch])


@pytest.fixture
def counted(tiny: LocalEmbedder) -> tuple[LocalEmbedder, Counting]:
    runtime = Counting(tiny.runtime)
    return LocalEmbedder(tiny.spec, tiny.tokenizer, runtime), runtime


@pytest.fixture(scope="module")
def made_folder(tiny: LocalEmbedder, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("made")
    golden.expected_vectors(tiny, folder)
    return folder


@pytest.fixture
def folder(made_folder: Path, tmp_path: Path) -> Path:
    """Expected vectors and nothing else."""
    target = tmp_path / "proofs"
    target.mkdir()
    for file in made_folder.glob("golden-*.bin"):
        shutil.copy(file, target)
    return target


@pytest.fixture
def said() -> list[str]:
    return []


def test_prove_tests_once_and_says_so_once(
    counted: tuple[LocalEmbedder, Counting], folder: Path, said: list[str]
) -> None:
    embedder, runtime = counted
    prove.prove(embedder, folder, said.append)
    model = embedder.spec.model
    assert said == [f"First use of {model} in mode cpu:fp32 on this machine: testing it ..."]
    seen = runtime.texts
    assert seen == 17  # nine texts among others, the eight shorter ones alone too
    prove.prove(embedder, folder, said.append)
    assert (runtime.texts, len(said)) == (seen, 1)


def test_prove_names_the_fault_and_keeps_no_pass(
    counted: tuple[LocalEmbedder, Counting], folder: Path, said: list[str]
) -> None:
    embedder, runtime = counted
    runtime.drop = 1
    with pytest.raises(PlacementError) as refused:
        prove.prove(embedder, folder, said.append)
    text = str(refused.value)
    assert f"Mode cpu:fp32 of {embedder.spec.model} (Counting) failed its self-test: " in text
    assert "the token that ends every text is missing (cosine to the fp32 reference 0." in text
    runtime.drop = 0
    prove.prove(embedder, folder, said.append)
    assert len(said) == 2


CHANGES: dict[str, Callable[[LocalEmbedder, pytest.MonkeyPatch], Embedder]] = {
    "dimension": lambda e, _: LocalEmbedder(e.spec, e.tokenizer, e.runtime, dimension=48),
    "weights": lambda e, _: LocalEmbedder(
        replace(e.spec, weights_sha256="0" * 64), e.tokenizer, e.runtime
    ),
    "library": lambda e, patch: (patch.setattr(surroundings, "_version", lambda _: "99"), e)[1],
    "processor": lambda e, patch: (patch.setattr(surroundings, "processor", lambda: "z80"), e)[1],
    "semsearch": lambda e, patch: (patch.setattr(surroundings, "__version__", "99"), e)[1],
}


@pytest.mark.parametrize("what", CHANGES)
def test_prove_tests_again_when_something_changed(
    counted: tuple[LocalEmbedder, Counting],
    folder: Path,
    said: list[str],
    monkeypatch: pytest.MonkeyPatch,
    what: str,
) -> None:
    embedder, runtime = counted
    prove.prove(embedder, folder, said.append)
    seen = runtime.texts
    prove.prove(CHANGES[what](embedder, monkeypatch), folder, said.append)
    assert runtime.texts == 2 * seen


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"key": 1}', b"\xff\xfe", b"null"])
def test_damaged_pass_is_tested_again(
    counted: tuple[LocalEmbedder, Counting], folder: Path, said: list[str], content: bytes
) -> None:
    embedder, runtime = counted
    prove.prove(embedder, folder, said.append)
    seen = runtime.texts
    (record,) = folder.glob("pass-*.json")
    record.write_bytes(content)
    prove.prove(embedder, folder, said.append)
    assert runtime.texts == 2 * seen
    assert json.loads(record.read_bytes())["values"]["least"] > 0.99999


def test_pass_of_something_else_is_not_taken(
    counted: tuple[LocalEmbedder, Counting], folder: Path, said: list[str]
) -> None:
    """A file under the right name, copied from another machine."""
    embedder, runtime = counted
    prove.prove(embedder, folder, said.append)
    (record,) = folder.glob("pass-*.json")
    content = json.loads(record.read_bytes())
    content["key"]["processor"] = "another"
    record.write_text(json.dumps(content))
    prove.prove(embedder, folder, said.append)
    assert len(said) == 2


def test_prove_works_where_nothing_can_be_kept(
    counted: tuple[LocalEmbedder, Counting], tmp_path: Path, said: list[str]
) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("no folder")
    for _ in range(2):
        prove.prove(counted[0], blocked, said.append)
    assert len(said) == 2


def test_expected_vectors_are_made_once_and_damage_is_noticed(
    tiny: LocalEmbedder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = golden.expected_vectors(tiny, tmp_path)
    assert first.shape == (9, 64)
    np.testing.assert_allclose(np.linalg.norm(first, axis=1), 1, atol=1e-6)
    (file,) = tmp_path.glob("golden-*.bin")
    made = []
    monkeypatch.setattr(golden, "golden_vectors", lambda _: made.append(1) or first)
    np.testing.assert_array_equal(golden.expected_vectors(tiny, tmp_path), first)
    assert made == []
    damaged = bytearray(file.read_bytes())
    damaged[-5] ^= 1
    file.write_bytes(damaged)
    np.testing.assert_array_equal(golden.expected_vectors(tiny, tmp_path), first)
    assert made == [1]


def test_bundled_model_ships_the_vectors_that_its_reference_gives(
    minilm: LocalEmbedder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Stale after a change of texts or rules: run scripts/make_golden.py."""
    reference_model = LocalEmbedder(minilm.spec, minilm.tokenizer, WholeModel(minilm.spec))
    made = reference.golden_vectors(reference_model)
    monkeypatch.setattr(golden, "golden_vectors", lambda _: pytest.fail("not shipped"))
    np.testing.assert_allclose(golden.expected_vectors(minilm, tmp_path), made, atol=1e-6)
    assert len(list(golden.SHIPPED.iterdir())) == 1


def test_reference_runs_in_a_child_where_torch_is_not_loaded(
    tiny: LocalEmbedder, tiny_folder: Path, tmp_path: Path
) -> None:
    file = tmp_path / "golden.bin"
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT_TORCH, str(tiny_folder), str(file)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout.strip()) == (0, "False"), done.stderr
    here = golden.expected_vectors(tiny, tmp_path)
    there = golden.load_vectors(file, here.shape)
    assert there is not None
    np.testing.assert_allclose(there, here, atol=1e-6)


def test_prove_without_a_reference_tests_what_holds_for_any_model(
    counted: tuple[LocalEmbedder, Counting],
    tmp_path: Path,
    said: list[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def fail(*_: object) -> None:
        raise ImportError("No module named 'torch'")

    embedder, _ = counted
    monkeypatch.setattr(WholeModel, "__init__", fail)
    prove.prove(embedder, tmp_path, said.append)
    assert said[1] == (
        "the fp32 reference cannot run here (No module named 'torch'). Only what must hold for any "
        "model is tested."
    )


def test_reference_child_that_dies_is_reported_with_its_last_words(
    tiny: LocalEmbedder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reference, "_BOOT", "import sys; sys.exit('out of luck')")
    with pytest.raises(RuntimeError, match="its process ended with 1 out of luck"):
        reference._in_child(tiny.spec, "golden")


def test_endpoint_is_tested_again_after_a_day(
    counted: tuple[LocalEmbedder, Counting],
    folder: Path,
    said: list[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    embedder, runtime = counted
    runtime.placement = Placement.REMOTE
    now = [1e9]
    monkeypatch.setattr("time.time", lambda: now[0])
    for waited, tests in ((0, 1), (23 * 3600, 1), (2 * 3600, 2)):
        now[0] += waited
        prove.prove(embedder, folder, said.append)
        assert len(said) == tests
