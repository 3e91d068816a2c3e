"""Cross-encoders beside sentence_transformers.CrossEncoder."""

import json
import shutil
import subprocess
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import sentence_transformers
import torch

import make_tiny_rerankers as make
from indexer.embedding.wishes import Engine, Wishes
from indexer.errors import ModelError, PlacementError, UsageError
from indexer.modes import Placement, Precision
from indexer.reranking.base import Scores
from indexer.reranking.cross_encoder import CrossEncoder
from indexer.reranking.onnx_pairs import OnnxPairs
from indexer.reranking.opening import open_reranker
from indexer.reranking.spec import load_reranker_spec
from indexer.reranking.torch_pairs import TorchPairs

QUERY = "how is the clock wound"
TEXTS = ["by hand", "", "tea \U0001f600 hot water", "by hand " * 90, "a b c", "the clock is wound"]
ONNX = Wishes(Placement.CPU, Precision.FP32, Engine.ONNX, threads=1)
TORCH = Wishes(Placement.CPU, Precision.FP32, Engine.TORCH)


def theirs(folder: Path, query: str, texts: Sequence[str]) -> Scores:
    model = sentence_transformers.CrossEncoder(str(folder), device="cpu")
    scores: Scores = model.predict([(query, text) for text in texts], show_progress_bar=False)
    return scores


def ours(folder: Path, wishes: Wishes = TORCH, cache: Path | None = None) -> CrossEncoder:
    found = open_reranker(load_reranker_spec(folder), wishes, cache)
    assert isinstance(found, CrossEncoder)
    return found


@pytest.fixture(scope="module", params=["onnx", "torch"])
def bert(request: pytest.FixtureRequest, bert_folder: Path, cache_home: Path) -> CrossEncoder:
    """The same model by each engine."""
    is_onnx = request.param == "onnx"
    found = ours(bert_folder, ONNX if is_onnx else TORCH, cache_home)
    assert isinstance(found.model, OnnxPairs if is_onnx else TorchPairs)
    return found


def test_scores_are_those_of_sentence_transformers(bert: CrossEncoder, bert_folder: Path) -> None:
    expected = theirs(bert_folder, QUERY, TEXTS)
    assert np.ptp(expected) > 0.05
    np.testing.assert_allclose(bert.scores(QUERY, TEXTS), expected, atol=1e-5)
    # Queries that are longer than the limit alone: both sides are cut.
    long = "how is the clock wound " * 60
    expected = theirs(bert_folder, long, TEXTS)
    np.testing.assert_allclose(bert.scores(long, TEXTS), expected, atol=1e-5)


def test_model_that_asks_for_plain_logits_gives_them(tmp_path: Path) -> None:
    folder = make.make_tiny_cross_encoder(
        tmp_path / "identity", "torch.nn.modules.linear.Identity", seed=3
    )
    model = ours(folder)
    expected = theirs(folder, QUERY, TEXTS)
    np.testing.assert_allclose(model.scores(QUERY, TEXTS), expected, atol=1e-5)
    assert np.abs(expected).max() > 1
    np.testing.assert_array_equal(model.logits(QUERY, TEXTS), model.scores(QUERY, TEXTS))
    assert ((model.probabilities(QUERY, TEXTS) > 0) & (model.probabilities(QUERY, TEXTS) < 1)).all()


def test_roberta_counts_positions_behind_its_padding(tmp_path: Path) -> None:
    folder = make.make_tiny_roberta_cross_encoder(tmp_path / "roberta")
    model = ours(folder)
    assert model.max_tokens == 64
    np.testing.assert_allclose(model.scores(QUERY, TEXTS), theirs(folder, QUERY, TEXTS), atol=1e-5)


def test_text_alone_and_among_others_has_one_score(bert: CrossEncoder) -> None:
    alone = [bert.scores(QUERY, [text])[0] for text in TEXTS]
    np.testing.assert_allclose(bert.scores(QUERY, TEXTS), alone, atol=1e-5)
    assert bert.scores(QUERY, []).shape == (0,)
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda text: bert.scores(QUERY, [text])[0], TEXTS))
    np.testing.assert_allclose(found, alone, atol=1e-5)


def test_tokens_are_counted_uncut_and_cost_no_more_than_the_limit(bert: CrossEncoder) -> None:
    counts = bert.token_counts(QUERY, TEXTS)
    assert counts[:2] == [5 + 2 + 3, 5 + 3]
    assert counts[3] == 5 + 180 + 3
    assert bert.costs(QUERY, TEXTS)[3] == bert.max_tokens == 128


def test_instruction_is_refused(bert: CrossEncoder) -> None:
    with pytest.raises(UsageError, match="tiny-bert takes no instruction"):
        bert.scores(QUERY, TEXTS, "Find it")


def test_bert_on_a_cpu_runs_in_onnx_unasked_and_in_int8_when_asked(
    bert_folder: Path, cache_home: Path
) -> None:
    plain = open_reranker(load_reranker_spec(bert_folder), None, cache_home)
    assert isinstance(plain, CrossEncoder)
    assert str(plain.mode) == "cpu:fp32"
    rounded = ours(bert_folder, Wishes(precision=Precision.INT8), cache_home)
    assert str(rounded.mode) == "cpu:int8"
    assert isinstance(rounded.model, OnnxPairs)
    exact, near = plain.scores(QUERY, TEXTS), rounded.scores(QUERY, TEXTS)
    assert np.abs(exact - near).max() < 0.1
    assert (exact != near).any()


def test_tokenizer_of_another_model_is_refused(bert_folder: Path, cache_home: Path) -> None:
    model = ours(bert_folder, ONNX, cache_home)
    assert isinstance(model.model, OnnxPairs)
    model.model._words = 1000
    with pytest.raises(ModelError, match="is beyond the 1000 words of the model"):
        model.scores(QUERY, TEXTS)


def test_lack_of_memory_is_said(bert_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bert = ours(bert_folder)
    assert isinstance(bert.model, TorchPairs)

    class Scarce:
        config = bert.model._model.config

        def __call__(self, **_: object) -> None:
            raise RuntimeError("DefaultCPUAllocator: can't allocate memory")

    monkeypatch.setattr(bert.model, "_model", Scarce())
    with pytest.raises(PlacementError, match="Out of memory reranking 2 texts of up to 10 tokens"):
        bert.scores(QUERY, TEXTS[:2])


def test_weights_that_give_nan_are_an_error(
    bert: CrossEncoder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bert.model, "logits", lambda pairs: np.full(len(pairs), np.nan))
    with pytest.raises(ModelError, match="gave NaN or infinity"):
        bert.scores(QUERY, TEXTS[:2])


def test_missing_classifier_is_refused(bert_folder: Path, tmp_path: Path) -> None:
    """transformers would fill it with random numbers and only warn."""
    from safetensors.torch import load_file, save_file

    folder = tmp_path / "headless"
    shutil.copytree(bert_folder, folder)
    weights = load_file(folder / "model.safetensors")
    del weights["classifier.weight"]
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(ModelError, match=r"1 tensors are missing .*\(classifier\.weight"):
        ours(folder)
    with pytest.raises(ModelError, match=r"holds no weights classifier\.weight"):
        ours(folder, ONNX)


def test_unknown_scaling_is_refused(bert_folder: Path, tmp_path: Path) -> None:
    folder = tmp_path / "odd"
    shutil.copytree(bert_folder, folder)
    settings = {"activation_fn": "somebody.else.Softplus"}
    (folder / "config_sentence_transformers.json").write_text(json.dumps(settings))
    with pytest.raises(ModelError, match="scales its scores with 'somebody.else.Softplus'"):
        ours(folder)


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_gpu_that_is_not_there_is_said(bert_folder: Path) -> None:
    with pytest.raises(PlacementError, match="sees no CUDA device"):
        open_reranker(load_reranker_spec(bert_folder), Wishes(Placement.GPU))


def test_bert_on_a_cpu_needs_neither_torch_nor_transformers(
    bert_folder: Path, cache_home: Path
) -> None:
    code = """
import sys
from pathlib import Path
from indexer.embedding.wishes import Wishes
from indexer.reranking.opening import open_reranker
from indexer.reranking.spec import load_reranker_spec
with open_reranker(load_reranker_spec(Path(sys.argv[1])), Wishes(), Path(sys.argv[2])) as model:
    assert model.scores("q", ["a", "b"]).shape == (2,)
print(sorted({"torch", "transformers"} & set(sys.modules)))
"""
    command = [sys.executable, "-c", code, str(bert_folder), str(cache_home)]
    ran = subprocess.run(command, capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == "[]"
