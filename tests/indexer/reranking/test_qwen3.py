"""A Qwen3 reranker beside transformers with the recipe that its authors publish."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from indexer.embedding.runtimes.onnx_cpu import OnnxModel
from indexer.embedding.runtimes.packed.opening import open_resident
from indexer.embedding.wishes import Engine, Wishes
from indexer.errors import ModelError, UsageError
from indexer.modes import Placement, Precision
from indexer.reranking.base import Scores
from indexer.reranking.qwen3 import Qwen3Reranker, open_qwen3
from indexer.reranking.spec import load_reranker_spec
from indexer.types import Pooling

QUERY = "which layer holds the index of the model"
TEXTS = [
    "the index of the model lies in the data layer",
    "",
    "a clock strikes twelve",
    "文档 with é and \U0001f600",
    "the model of the data " * 90,  # beyond what plain attention takes at once
    "yes",
]
TASK = "Find the layer"


def published(folder: Path, query: str, texts: Sequence[str], instruction: str | None) -> Scores:
    """The recipe of the model's page for transformers, in fp32 and without padding."""
    task = (
        "Given a web search query, retrieve relevant passages that answer the query"
        if instruction is None
        else instruction
    )
    tokenizer: Any = AutoTokenizer.from_pretrained(folder, padding_side="left")
    model: Any = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()
    token_false_id = tokenizer.convert_tokens_to_ids("no")
    token_true_id = tokenizer.convert_tokens_to_ids("yes")
    max_length = 8192
    prefix = (
        "<|im_start|>system\nJudge whether the Document meets the requirements based on the Query "
        'and the Instruct provided. Note that the answer can only be "yes" or "no".<|im_end|>\n'
        "<|im_start|>user\n"
    )
    suffix = "<|im_end|>\n<|im_start|>assistant\n<think>\n\n</think>\n\n"
    prefix_tokens = tokenizer.encode(prefix, add_special_tokens=False)
    suffix_tokens = tokenizer.encode(suffix, add_special_tokens=False)
    scores = []
    for text in texts:
        pair = f"<Instruct>: {task}\n<Query>: {query}\n<Document>: {text}"
        room = max_length - len(prefix_tokens) - len(suffix_tokens)
        inputs = tokenizer([pair], padding=False, truncation="longest_first", max_length=room)
        ids = [*prefix_tokens, *inputs["input_ids"][0], *suffix_tokens]
        with torch.inference_mode():
            logits = model(torch.tensor([ids])).logits[0, -1, :]
        both = torch.stack([logits[token_false_id], logits[token_true_id]])
        scores.append(torch.log_softmax(both, dim=0)[1].exp().item())
    return np.array(scores, dtype=np.float32)


@pytest.mark.parametrize(("name", "instruction"), [("reranker", None), ("untied", TASK)])
def test_scores_are_those_of_the_published_recipe(
    name: str, instruction: str | None, request: pytest.FixtureRequest
) -> None:
    reranker: Qwen3Reranker = request.getfixturevalue(name)
    expected = published(reranker.spec.folder, QUERY, TEXTS, instruction)
    assert np.ptp(expected) > 0.05  # else any answer would do
    np.testing.assert_allclose(reranker.scores(QUERY, TEXTS, instruction), expected, atol=1e-4)


def test_text_over_the_limit_is_cut_and_the_template_kept(reranker: Qwen3Reranker) -> None:
    # The tiny model at a limit of 200 tokens: what the recipe does at 8192 takes minutes.
    spec = replace(reranker.spec, max_tokens=200)
    short = open_qwen3(spec, Wishes(Placement.CPU, Precision.FP32, Engine.TORCH))
    prompts = short._template.encode(QUERY, ["the data " * 500])
    template = short._template
    assert len(prompts[0]) == 200
    assert prompts[0][: len(template.prefix)] == template.prefix
    assert prompts[0][-len(template.suffix) :] == template.suffix
    assert template.count(QUERY, ["the data " * 500])[0] > 200
    assert short.costs(QUERY, ["the data " * 500]) == [200]
    assert 0 < short.scores(QUERY, ["the data " * 500])[0] < 1


def test_text_alone_and_among_others_has_one_score(reranker: Qwen3Reranker) -> None:
    together = reranker.scores(QUERY, TEXTS)
    alone = [reranker.scores(QUERY, [text])[0] for text in TEXTS]
    np.testing.assert_allclose(together, alone, atol=1e-5)
    assert reranker.scores(QUERY, []).shape == (0,)


def test_logits_are_what_the_scores_are_made_of(reranker: Qwen3Reranker) -> None:
    logits, scores = reranker.logits(QUERY, TEXTS), reranker.scores(QUERY, TEXTS)
    np.testing.assert_allclose(1 / (1 + np.exp(-logits)), scores, atol=1e-6)
    np.testing.assert_array_equal(reranker.probabilities(QUERY, TEXTS), scores)


def test_what_prompts_begin_with_is_computed_once_and_then_forgotten(
    reranker: Qwen3Reranker, monkeypatch: pytest.MonkeyPatch
) -> None:
    runtime = reranker.runtime
    assert isinstance(runtime, OnnxModel)
    computed: list[int] = []
    feeds = runtime._encoder.feeds

    def counting(batch: Any, *rest: Any, **named: Any) -> Any:
        computed.append(sum(len(ids) for ids in batch))
        return feeds(batch, *rest, **named)

    monkeypatch.setattr(runtime._encoder, "feeds", counting)
    reranker.scores(QUERY, TEXTS)
    # One token of the beginning may be computed again: the tokenizer can join it with a text.
    assert sum(computed) <= sum(reranker.costs(QUERY, TEXTS)) + len(TEXTS)
    assert sum(computed) < sum(reranker.token_counts(QUERY, TEXTS)) * 0.8
    assert not runtime._beginnings


def test_int8_is_close_to_fp32(reranker: Qwen3Reranker, cache_home: Path) -> None:
    wishes = Wishes(Placement.CPU, Precision.INT8, Engine.ONNX, threads=1)
    rounded = open_qwen3(reranker.spec, wishes, cache_home).scores(QUERY, TEXTS)
    exact = reranker.scores(QUERY, TEXTS)
    assert np.abs(rounded - exact).max() < 0.1
    assert (rounded != exact).any()


def test_packed_forward_of_gpus_gives_the_same_scores(reranker: Qwen3Reranker) -> None:
    packed = Qwen3Reranker(
        reranker.spec,
        reranker._template,
        open_resident(reranker.spec.encoder(Pooling.LAST_TOKEN, 64)),
        reranker._direction,
    )
    expected = reranker.scores(QUERY, TEXTS)
    np.testing.assert_allclose(packed.scores(QUERY, TEXTS), expected, atol=1e-4)
    assert packed.costs(QUERY, TEXTS) == packed.token_counts(QUERY, TEXTS)


@pytest.mark.gpu
@pytest.mark.parametrize("placement", [Placement.GPU, Placement.OFFLOAD])
def test_scores_on_a_gpu(reranker: Qwen3Reranker, placement: Placement) -> None:
    found = open_qwen3(reranker.spec, Wishes(placement, Precision.FP32))
    np.testing.assert_allclose(found.scores(QUERY, TEXTS), reranker.scores(QUERY, TEXTS), atol=1e-3)


def test_threads_get_their_own_answers(reranker: Qwen3Reranker) -> None:
    queries = [f"{QUERY} {i}" for i in range(6)]
    expected = [reranker.scores(query, TEXTS[:3]) for query in queries]
    with ThreadPoolExecutor(6) as pool:
        found = list(pool.map(lambda query: reranker.scores(query, TEXTS[:3]), queries))
    np.testing.assert_allclose(found, expected, atol=1e-6)


def test_weights_that_give_nan_are_an_error(
    reranker: Qwen3Reranker, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = np.full((1, reranker.runtime.hidden_size), np.nan, dtype=np.float32)
    monkeypatch.setattr(reranker.runtime, "embed_tokens", lambda _: broken)
    with pytest.raises(ModelError, match="gave NaN or infinity in fp32"):
        reranker.scores(QUERY, TEXTS[:1])


def test_instruction_of_two_lines_is_refused(reranker: Qwen3Reranker) -> None:
    with pytest.raises(UsageError, match="must be one line"):
        reranker.scores(QUERY, TEXTS, "one\ntwo")


def test_missing_output_layer_is_said(untied_folder: Path, reranker_folder: Path) -> None:
    # A folder that claims an output layer of its own and has none.
    spec = load_reranker_spec(reranker_folder)
    config = (untied_folder / "config.json").read_text(encoding="utf-8")
    (reranker_folder / "config.json").rename(reranker_folder / "kept.json")
    try:
        (reranker_folder / "config.json").write_text(config, encoding="utf-8")
        with pytest.raises(ModelError, match=r"holds no weights lm_head\.weight"):
            open_qwen3(spec)
    finally:
        (reranker_folder / "kept.json").replace(reranker_folder / "config.json")
