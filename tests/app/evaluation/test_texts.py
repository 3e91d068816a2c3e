"""Texts of an exact number of tokens, with real tokenizers."""

from pathlib import Path

import pytest

from app.evaluation.texts import texts_of_tokens
from indexer.embedding.models import resolve
from indexer.embedding.spec import load_spec
from indexer.embedding.tokenizer import Tokenizer, load_tokenizer
from make_tiny_qwen3 import make_tiny_qwen3


@pytest.fixture(scope="module", params=["minilm", "tiny-qwen3"])
def tokenizer(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Tokenizer:
    folder: Path | None = resolve("minilm").folder
    if request.param == "tiny-qwen3":
        folder = make_tiny_qwen3(tmp_path_factory.mktemp("models") / "tiny-qwen3")
    assert folder is not None
    return load_tokenizer(load_spec(folder))


@pytest.mark.parametrize("n_tokens", [8, 24, 128, 200])
def test_texts_have_exactly_the_tokens_asked_for(tokenizer: Tokenizer, n_tokens: int) -> None:
    texts = texts_of_tokens(tokenizer, n_tokens, 8, seed=1)
    assert tokenizer.count(texts) == [n_tokens] * 8
    assert len(set(texts)) == 8


def test_texts_repeat_with_the_seed_only(tokenizer: Tokenizer) -> None:
    assert texts_of_tokens(tokenizer, 24, 3, seed=1) == texts_of_tokens(tokenizer, 24, 3, seed=1)
    assert set(texts_of_tokens(tokenizer, 24, 3, seed=1)).isdisjoint(
        texts_of_tokens(tokenizer, 24, 3, seed=2)
    )
