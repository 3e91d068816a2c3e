"""Same folder, same texts: our vectors are those of sentence-transformers within 1e-5."""

import random
from typing import Any

import numpy as np
import pytest

from indexer.embedding.local import LocalEmbedder
from indexer.types import Kind

MAX_DIFFERENCE = 1e-5
TASK = "Given a question, find the clause of the contract that answers it"


def mixed_texts(long_words: int = 10_000) -> list[str]:
    """200 texts: empty, one character, emoji, CJK, RTL, code, special tokens, 10,000 words."""
    draw = random.Random(0)
    words = (
        "the",
        "of",
        "model",
        "query",
        "document",
        "vector",
        "search",
        "index",
        "tokens",
        "layer",
    )
    scripts = [
        "",
        " ",
        "a",
        "\n",
        "\t  \n\n ",
        "é",
        "e\u0301 cafe\u0301 \u212b ﬁ ½",
        "😀",
        "👩‍👩‍👧‍👦 family, 🇫🇷 flag, 👍🏽 thumb",
        "向量检索把文本变成向量。",
        "日本語のテキストを検索する。",
        "검색 엔진은 문서를 찾는다.",
        "שלום עולם, חיפוש סמנטי",
        "البحث الدلالي في النصوص",
        "हिन्दी में खोज",
        "ไม่มีช่องว่างระหว่างคำ",
        "\u202eright to left override\u202c",
        "zero\u200bwidth\u00a0space\ufeff",
        "<|endoftext|>",
        "before <|im_start|>user<|im_end|> after [CLS] [SEP] [MASK] [PAD]",
        "def f(x):\n\treturn x ** 2  # square\r\n",
        "C:\\path\\file.txt https://example.org/?q=1&r=%20",
        "\x01\x02 control \x7f",
        "supercalifragilistic" * 40,
        "1234567890 3.14159 1e-5",
        "it's the user's, they'll've",
        "Instruct: x\nQuery: y",
    ]
    short = [" ".join(draw.choices(words, k=draw.randint(1, 60))) for _ in range(170)]
    random_unicode = ["".join(chr(draw.randrange(32, 0xD7FF)) for _ in range(40)) for _ in range(2)]
    texts = [*scripts, *short, *random_unicode, " ".join(draw.choices(words, k=long_words))]
    assert len(texts) == 200
    return texts


@pytest.fixture(scope="module")
def references(tiny: LocalEmbedder, minilm: LocalEmbedder) -> dict[str, Any]:
    import torch
    from sentence_transformers import SentenceTransformer

    found: dict[str, Any] = {
        name: SentenceTransformer(
            str(embedder.spec.folder),
            device="cpu",
            local_files_only=True,
            model_kwargs={"dtype": torch.float32},
        )
        for name, embedder in (("tiny", tiny), ("minilm", minilm))
    }
    found |= dict.fromkeys(("tiny_onnx", "packed", "streamed"), found["tiny"])
    return found | {"minilm_onnx": found["minilm"]}


@pytest.fixture(params=["tiny", "tiny_onnx", "packed", "streamed", "minilm", "minilm_onnx"])
def model_name(request: pytest.FixtureRequest) -> str:
    """Each model and each way to run it in turn."""
    return str(request.param)


@pytest.fixture(scope="module")
def documents(references: dict[str, Any]) -> dict[str, Any]:
    """Vectors of the mixed texts by the reference, each computed once."""
    # One at a time: padded to 10,000 words, a batch of the reference would need tens of GB.
    made = {
        name: references[name].encode_document(mixed_texts(), batch_size=1)
        for name in ("tiny", "minilm")
    }
    made |= dict.fromkeys(("tiny_onnx", "packed", "streamed"), made["tiny"])
    return made | {"minilm_onnx": made["minilm"]}


def test_token_ids_of_mixed_texts_equal_the_reference(
    embedder: LocalEmbedder, model_name: str, references: dict[str, Any]
) -> None:
    reference = references[model_name]
    for kind in Kind:
        prompt = reference.prompts[kind.value]
        ours = embedder.tokenizer.encode(mixed_texts(), kind)
        for text, ids in zip(mixed_texts(), ours, strict=True):
            assert ids == reference.preprocess([text], prompt=prompt)["input_ids"][0].tolist()


def test_document_vectors_of_200_texts_equal_the_reference_in_any_order(
    embedder: LocalEmbedder, model_name: str, documents: dict[str, Any]
) -> None:
    texts = mixed_texts()
    expected = documents[model_name]
    order = list(range(len(texts)))
    random.Random(1).shuffle(order)
    shuffled = embedder.embed([texts[i] for i in order], Kind.DOCUMENT)
    assert np.abs(shuffled - expected[order]).max() <= MAX_DIFFERENCE


def test_query_vectors_equal_the_reference(
    embedder: LocalEmbedder, model_name: str, references: dict[str, Any]
) -> None:
    texts = mixed_texts(long_words=300)
    expected = references[model_name].encode_query(texts, batch_size=32)
    assert np.abs(embedder.embed(texts, Kind.QUERY) - expected).max() <= MAX_DIFFERENCE


def test_query_vectors_with_instruction_equal_the_reference(
    tiny: LocalEmbedder, references: dict[str, Any]
) -> None:
    texts = mixed_texts(long_words=300)
    prompt = f"Instruct: {TASK}\nQuery:"
    expected = references["tiny"].encode_query(texts, prompt=prompt, batch_size=32)
    ours = tiny.embed(texts, Kind.QUERY, instruction=TASK)
    assert np.abs(ours - expected).max() <= MAX_DIFFERENCE


def test_truncated_dimension_equals_the_reference(
    tiny: LocalEmbedder, references: dict[str, Any]
) -> None:
    texts = mixed_texts(long_words=300)
    expected = references["tiny"].encode_document(
        texts, truncate_dim=32, normalize_embeddings=True, batch_size=32
    )
    narrow = LocalEmbedder(tiny.spec, tiny.tokenizer, tiny.runtime, dimension=32)
    assert np.abs(narrow.embed(texts, Kind.DOCUMENT) - expected).max() <= MAX_DIFFERENCE
