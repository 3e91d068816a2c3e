"""ONNX Runtime on the CPU: batches, kept beginnings, int8, memory, threads, and no torch."""

import subprocess
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given

from indexer.embedding.local import LocalEmbedder
from indexer.embedding.onnx.session import is_out_of_memory
from indexer.embedding.runtimes import onnx_cpu
from indexer.embedding.runtimes.onnx_cpu import OnnxModel
from indexer.errors import PlacementError
from indexer.modes import Precision
from indexer.types import Kind, Vectors

TASK = "Given a question, find the clause of the contract that answers it"
TEXTS = [f"{'the index of layers ' * (i % 9)}text {i} 向量 {'é' * i}" for i in range(63)]
ALONE = "A text's vector must not depend on its neighbours."
RUNTIMES = ["tiny_onnx", "tiny_int8", "minilm_onnx", "minilm_int8"]


@pytest.fixture(params=RUNTIMES)
def running(request: pytest.FixtureRequest) -> LocalEmbedder:
    found = request.getfixturevalue(request.param)
    assert isinstance(found, LocalEmbedder)
    return found


def test_text_alone_and_among_63_others_has_one_vector(running: LocalEmbedder) -> None:
    for place in (0, 31, 63):
        among = running.embed([*TEXTS[:place], ALONE, *TEXTS[place:]], Kind.DOCUMENT)[place]
        alone = running.embed([ALONE], Kind.DOCUMENT)[0]
        assert np.abs(among - alone).max() <= (1e-6 if "fp32" in str(running.mode) else 1e-4)


def test_int8_is_close_to_fp32_on_real_weights(
    minilm_onnx: LocalEmbedder, minilm_int8: LocalEmbedder
) -> None:
    texts = [text for text in TEXTS if len(text) > 40]
    exact, rounded = (e.embed(texts, Kind.DOCUMENT) for e in (minilm_onnx, minilm_int8))
    cosines = np.einsum("ij,ij->i", exact, rounded)
    assert cosines.mean() >= 0.995
    assert cosines.min() >= 0.985
    assert cosines.max() < 1 - 1e-5  # else it was not int8 that ran


def test_texts_of_nearly_32k_tokens(tiny: LocalEmbedder, tiny_onnx: LocalEmbedder) -> None:
    ids = tiny.tokenizer.encode(["vector index " * 20_000, "short"], Kind.DOCUMENT)
    assert len(ids[0]) == tiny.spec.max_tokens
    long = tiny_onnx.runtime.embed_tokens(ids)
    short = tiny_onnx.runtime.embed_tokens(ids[1:])
    assert np.isfinite(long).all()
    np.testing.assert_allclose(long[1], short[0], atol=1e-5)


class Spy(OnnxModel):
    """Counts the tokens that go through the graph."""

    tokens = 0

    def forward(self, batch: Sequence[Sequence[int]]) -> Vectors:
        known = self._known_beginning(batch[0]) if len(batch) == 1 else None
        self.tokens += sum(len(ids) for ids in batch) - (len(known.ids) if known else 0)
        return super().forward(batch)


@pytest.mark.parametrize("precision", [Precision.FP32, Precision.INT8])
def test_prompt_is_computed_once_and_changes_no_vector(
    tiny: LocalEmbedder, graphs: Path, precision: Precision
) -> None:
    # "Query:" is followed by a letter, a space, digits, nothing: the tokenizer joins some of them.
    queries = ["who pays", " leading space", "42", "", "契約", "e", "\n", "who pays"]
    runtime = Spy(tiny.spec, precision, graphs, 1)
    embedder = LocalEmbedder(tiny.spec, tiny.tokenizer, runtime)
    together = embedder.embed(queries, Kind.QUERY, TASK)
    for query in queries[:2]:  # the second time tells the runtime what to expect
        embedder.embed([query], Kind.QUERY, TASK)
    runtime.tokens = 0
    one_by_one = np.concatenate([embedder.embed([q], Kind.QUERY, TASK) for q in queries])
    np.testing.assert_allclose(one_by_one, together, atol=2e-6)
    whole = sum(len(ids) for ids in tiny.tokenizer.encode(queries, Kind.QUERY, TASK))
    prompt = len(tiny.tokenizer.beginning(tiny.tokenizer.prompt(Kind.QUERY, TASK)))
    assert runtime.tokens <= whole - len(queries) * (prompt - 1)
    documents = embedder.embed(["who pays"], Kind.DOCUMENT)
    np.testing.assert_allclose(documents, embedder.embed(["who pays", ""], Kind.DOCUMENT)[:1])


def test_only_the_latest_prompts_are_kept(
    tiny: LocalEmbedder, graphs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(onnx_cpu, "_BEGINNINGS", 2)
    runtime = OnnxModel(tiny.spec, Precision.FP32, graphs, 1)
    prompts = [tiny.tokenizer.beginning(f"Instruct: task {i}\nQuery:") for i in range(3)]
    for prompt in (prompts[0], prompts[1], prompts[0], prompts[2]):
        runtime.expect(prompt)
    assert list(runtime._beginnings) == [tuple(prompts[0]), tuple(prompts[2])]
    runtime.expect([1, 2])
    assert len(runtime._beginnings) == 2  # too short to be worth it


@given(lengths=st.lists(st.integers(0, 700), min_size=1, max_size=60), budget=st.integers(1, 2000))
def test_batch_keeps_the_budget_and_pads_little(lengths: list[int], budget: int) -> None:
    runtime = OnnxModel.__new__(OnnxModel)
    runtime.max_batch_tokens = budget
    ahead = sorted(lengths, reverse=True)
    size = runtime.batch_size(ahead)
    longest = max(1, ahead[0])
    assert 1 <= size <= len(ahead)
    assert size == 1 or size * longest <= budget
    assert all(longest - length <= onnx_cpu._PASS_TOKENS for length in ahead[1:size])


def test_out_of_memory_in_the_middle_halves_the_batch_and_goes_on(
    tiny: LocalEmbedder, graphs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    runtime = OnnxModel(tiny.spec, Precision.FP32, graphs, 1, max_batch_tokens=200)
    embedder = LocalEmbedder(tiny.spec, tiny.tokenizer, runtime)
    expected = embedder.embed(TEXTS, Kind.DOCUMENT)
    session, counts, failed = runtime._loaded, [], []

    def run(outputs: list[str], feeds: dict[str, Any], *, shrink: bool = False) -> list[Vectors]:
        counts.append(int(feeds["shape"][0]))
        if len(counts) >= 3 and counts[-1] > 1 and not failed:
            failed.append(len(counts))
            raise RuntimeError("[ONNXRuntimeError] : 6 : Failed to allocate memory for 4096 bytes")
        return session.run(outputs, feeds, shrink=shrink)

    class Scarce:
        pass

    scarce = Scarce()
    scarce.run = run  # type: ignore[attr-defined]
    monkeypatch.setattr(runtime, "_session", scarce)
    np.testing.assert_allclose(embedder.embed(TEXTS, Kind.DOCUMENT), expected, atol=1e-6)
    assert runtime.max_batch_tokens < 200
    (place,) = failed
    assert sum(counts[place : place + 2]) == counts[place - 1]  # the two halves


def test_lack_of_memory_for_one_text_is_said(
    tiny: LocalEmbedder, graphs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    runtime = OnnxModel(tiny.spec, Precision.FP32, graphs, 1)

    def forward(_: object) -> Vectors:
        raise RuntimeError("std::bad_alloc")

    monkeypatch.setattr(runtime, "forward", forward)
    with pytest.raises(PlacementError, match="Out of memory embedding one text of 3 tokens"):
        runtime.embed_tokens([[1, 2, 3]])
    assert not is_out_of_memory(RuntimeError("Invalid rank for input: states"))


def test_eight_threads_get_their_own_answers(running: LocalEmbedder) -> None:
    expected = running.embed(TEXTS, Kind.DOCUMENT)
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda text: running.embed([text], Kind.DOCUMENT)[0], TEXTS))
    np.testing.assert_allclose(np.stack(found), expected, atol=1e-4)


def test_neither_torch_nor_transformers_is_imported(minilm_folder: Path, tmp_path: Path) -> None:
    code = """
import sys
from pathlib import Path
from indexer.embedding.models import resolve
from indexer.embedding.opening import open_embedder
from indexer.embedding.spec import load_spec
from indexer.embedding.wishes import Wishes
from indexer.modes import Placement, Precision
from indexer.types import Kind
spec = load_spec(Path(sys.argv[1]), resolve("minilm"))
for precision in (Precision.FP32, Precision.INT8):
    wishes = Wishes(Placement.CPU, precision)
    with open_embedder(spec, wishes, cache_folder=Path(sys.argv[2])) as embedder:
        assert embedder.embed(["x"], Kind.QUERY).shape == (1, 384)
print(sorted({"onnx", "torch", "transformers", "sentence_transformers"} & set(sys.modules)))
"""
    command = [sys.executable, "-c", code, str(minilm_folder), str(tmp_path)]
    # Only building the graph needs the package onnx: the second start does not import it.
    for imported in ("['onnx']", "[]"):
        ran = subprocess.run(command, capture_output=True, text=True, check=True)
        assert ran.stdout.strip() == imported
