"""Cross-encoders beside sentence_transformers.CrossEncoder."""

import json
import shutil
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import sentence_transformers
import torch

import make_tiny_rerankers as make
from indexer.embedding.wishes import Wishes
from indexer.errors import ModelError, PlacementError, UsageError
from indexer.modes import Placement
from indexer.reranking.base import Scores
from indexer.reranking.cross_encoder import CrossEncoder
from indexer.reranking.opening import open_reranker
from indexer.reranking.spec import load_reranker_spec

QUERY = "how is the clock wound"
TEXTS = ["by hand", "", "tea \U0001f600 hot water", "by hand " * 90, "a b c", "the clock is wound"]
ON_CPU = Wishes(Placement.CPU)


def theirs(folder: Path, query: str, texts: Sequence[str]) -> Scores:
    model = sentence_transformers.CrossEncoder(str(folder), device="cpu")
    scores: Scores = model.predict([(query, text) for text in texts], show_progress_bar=False)
    return scores


def ours(folder: Path) -> CrossEncoder:
    found = open_reranker(load_reranker_spec(folder), ON_CPU)
    assert isinstance(found, CrossEncoder)
    return found


@pytest.fixture(scope="module")
def bert(bert_folder: Path) -> CrossEncoder:
    return ours(bert_folder)


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


def test_lack_of_memory_is_said(bert: CrossEncoder, monkeypatch: pytest.MonkeyPatch) -> None:
    class Scarce:
        config = bert._model.config

        def __call__(self, **_: object) -> None:
            raise RuntimeError("DefaultCPUAllocator: can't allocate memory")

    monkeypatch.setattr(bert, "_model", Scarce())
    with pytest.raises(PlacementError, match="Out of memory reranking 2 texts of up to 10 tokens"):
        bert.scores(QUERY, TEXTS[:2])


def test_weights_that_give_nan_are_an_error(
    bert: CrossEncoder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bert, "_forward", lambda pairs: np.full(len(pairs), np.nan))
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
