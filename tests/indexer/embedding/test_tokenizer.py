"""Special tokens, prompts, truncation, offsets. Equality with the reference: test_parity."""

import os
import subprocess
import sys
from collections.abc import Callable
from copy import deepcopy
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from indexer.embedding.embedder import Embedder
from indexer.embedding.spec import ModelSpec, load_spec
from indexer.embedding.tokenizer import load_tokenizer
from indexer.errors import ModelError, UsageError
from indexer.types import Kind

EOS = 151643
CLS, SEP = 101, 102
ANY_TEXT = st.text(st.characters(), max_size=80)  # surrogates too


def test_qwen3_text_ends_with_eos(tiny: Embedder) -> None:
    assert tiny.tokenizer.encode(["", "a"], Kind.DOCUMENT) == [[EOS], [ord("a"), EOS]]


def test_qwen3_eos_is_kept_after_truncation(tiny: Embedder) -> None:
    tokenizer = load_tokenizer(replace(tiny.spec, max_tokens=5))
    for kind in Kind:
        (ids,) = tokenizer.encode(["the of and to in is that"], kind)
        assert len(ids) == 5
        assert ids[-1] == EOS


def test_truncation_leaves_the_first_tokens(tiny: Embedder) -> None:
    (whole,) = tiny.tokenizer.encode(["abcdefgh"], Kind.DOCUMENT)
    (cut,) = load_tokenizer(replace(tiny.spec, max_tokens=5)).encode(["abcdefgh"], Kind.DOCUMENT)
    assert cut == [*whole[:4], EOS]


def test_minilm_is_cut_at_256_although_its_tokenizer_file_says_128(minilm: Embedder) -> None:
    short, long = minilm.tokenizer.encode(["word " * 200, "word " * 400], Kind.DOCUMENT)
    assert (len(short), len(long)) == (202, 256)
    assert (long[0], long[-1]) == (CLS, SEP)


def test_count_is_untruncated_and_includes_special_tokens(minilm: Embedder) -> None:
    assert minilm.tokenizer.count(["", "word", "word " * 400]) == [2, 3, 402]


def test_count_includes_the_document_prompt(minilm: Embedder) -> None:
    tokenizer = load_tokenizer(replace(minilm.spec, document_prompt="one two "))
    assert tokenizer.count(["word"]) == [5]


@given(texts=st.lists(ANY_TEXT, max_size=5))
def test_count_equals_what_is_encoded(tiny: Embedder, minilm: Embedder, texts: list[str]) -> None:
    for tokenizer in (tiny.tokenizer, minilm.tokenizer):
        encoded = tokenizer.encode(texts, Kind.DOCUMENT)
        assert tokenizer.count(texts) == [len(ids) for ids in encoded]


@given(text=ANY_TEXT)
def test_offsets_lie_in_the_text_and_in_order(tiny: Embedder, minilm: Embedder, text: str) -> None:
    for tokenizer in (tiny.tokenizer, minilm.tokenizer):
        starts = [start for start, _ in tokenizer.offsets(text)]
        assert starts == sorted(starts)
        assert all(0 <= start <= end <= len(text) for start, end in tokenizer.offsets(text))


def test_offsets_are_code_points_of_the_bare_text(tiny: Embedder, minilm: Embedder) -> None:
    assert minilm.tokenizer.offsets("é 向x") == [(0, 1), (2, 3), (3, 4)]
    assert tiny.tokenizer.offsets("a😀 the") == [(0, 1), *[(1, 2)] * 4, (2, 6)]


def test_lone_surrogate_counts_as_one_replacement_character(tiny: Embedder) -> None:
    tokenizer = tiny.tokenizer
    lone, replaced = tokenizer.encode(["a\ud800b", "a\ufffdb"], Kind.DOCUMENT)
    assert lone == replaced
    assert tokenizer.offsets("\udfffa")[-1] == (1, 2)


def test_query_prompt_has_no_space_before_the_query(tiny: Embedder) -> None:
    assert tiny.tokenizer.prompt(Kind.QUERY) == (
        "Instruct: Given a web search query, retrieve relevant passages that answer the query"
        "\nQuery:"
    )
    assert tiny.tokenizer.prompt(Kind.DOCUMENT) == ""


def test_instruction_replaces_only_the_task(tiny: Embedder) -> None:
    assert tiny.tokenizer.prompt(Kind.QUERY, "Find {x}\\1") == "Instruct: Find {x}\\1\nQuery:"


def test_instruction_for_a_model_without_one_is_refused(minilm: Embedder) -> None:
    with pytest.raises(UsageError, match="all-MiniLM-L6-v2 takes no instruction"):
        minilm.tokenizer.encode(["x"], Kind.QUERY, "Find it")


def test_instruction_for_documents_is_refused(tiny: Embedder) -> None:
    with pytest.raises(UsageError, match="queries only"):
        tiny.tokenizer.encode(["x"], Kind.DOCUMENT, "Find it")


@pytest.mark.parametrize("instruction", ["", "  ", "one\ntwo", "one\u2028two", "x\nQuery:y"])
def test_instruction_that_breaks_the_template_is_refused(tiny: Embedder, instruction: str) -> None:
    with pytest.raises(UsageError, match="must be one line"):
        tiny.tokenizer.prompt(Kind.QUERY, instruction)


def test_lower_casing_of_the_folder_is_honoured(tiny: Embedder) -> None:
    lowering = load_tokenizer(replace(tiny.spec, lower_case=True))
    assert lowering.encode(["THE"], Kind.DOCUMENT) == tiny.tokenizer.encode(["the"], Kind.DOCUMENT)


def test_eos_is_added_when_the_tokenizer_file_lacks_it(
    changed: Callable[[dict[str, Any]], Path], maker: ModuleType
) -> None:
    folder = changed({"tokenizer.json": maker.tokenizer_json(post_processor=maker._BYTE_LEVEL)})
    tokenizer = load_tokenizer(load_spec(folder))
    assert tokenizer.encode(["a"], Kind.DOCUMENT) == [[ord("a"), EOS]]


def test_wrong_eos_is_refused(changed: Callable[[dict[str, Any]], Path], maker: ModuleType) -> None:
    """<|im_end|> instead of <|endoftext|>: vectors look right and rank wrong."""
    wrong = deepcopy(maker.tokenizer_json())  # its parts are shared by every tiny model
    template = wrong["post_processor"]["processors"][1]
    template["single"][1] = {"SpecialToken": {"id": "<|im_end|>", "type_id": 0}}
    template["special_tokens"] = {
        "<|im_end|>": {"id": "<|im_end|>", "ids": [151645], "tokens": ["<|im_end|>"]}
    }
    folder = changed({"tokenizer.json": wrong})
    with pytest.raises(ModelError, match=r"ends texts with \[151645\]"):
        load_tokenizer(load_spec(folder))


def test_missing_and_broken_tokenizer_files_are_named(
    changed: Callable[[dict[str, Any]], Path],
) -> None:
    folder = changed({"tokenizer.json": None})
    spec = load_spec(folder)
    with pytest.raises(ModelError, match=r"tokenizer\.json: missing"):
        load_tokenizer(spec)
    (folder / "tokenizer.json").write_text('{"version": "9"}')
    with pytest.raises(ModelError, match=r"tokenizer\.json: not a usable tokenizer"):
        load_tokenizer(spec)


def test_limit_without_room_for_text_is_refused(minilm: Embedder) -> None:
    with pytest.raises(ModelError, match="2 tokens leave no room"):
        load_tokenizer(replace(minilm.spec, max_tokens=2))


def test_one_at_a_time_gives_the_same_ids(minilm: Embedder) -> None:
    texts = ["one text", "", "another 向量 text"]
    serial = load_tokenizer(minilm.spec, in_parallel=False)
    assert serial.encode(texts, Kind.QUERY) == minilm.tokenizer.encode(texts, Kind.QUERY)


def test_worker_process_counts_without_torch(tiny_folder: Path) -> None:
    """In a fresh interpreter, as a spawned worker is."""
    code = (
        "import sys; from pathlib import Path; from indexer.embedding.spec import load_spec;"
        "from indexer.embedding.tokenizer import load_tokenizer;"
        f"print(load_tokenizer(load_spec(Path({str(tiny_folder)!r}))).count(['the model', '']));"
        "print(sorted({'torch', 'transformers', 'huggingface_hub', 'httpx'} & set(sys.modules)))"
    )
    root = Path(__file__).parents[3]
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "PYTHONPATH": str(root)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == "[3, 1]\n[]\n"
    assert done.stderr == ""


def test_framed_ids_are_those_of_the_text(minilm_spec: ModelSpec) -> None:
    tokenizer = load_tokenizer(minilm_spec)
    texts = ["Bread rises.", "", "naïve 面包 🍞", "word " * 600]
    for framed in tokenizer.encode(texts, Kind.DOCUMENT):
        assert tokenizer.framed(framed) == framed
        assert tokenizer.framed(framed[1:-1]) == framed
    [whole] = tokenizer.encode(["word " * 600], Kind.DOCUMENT)
    assert tokenizer.framed([whole[1]] * 10_000) == whole


def test_decode_gives_the_text_of_a_cased_model_again(tiny_folder: Path) -> None:
    tokenizer = load_tokenizer(load_spec(tiny_folder))
    for text in ("Bread rises.", "  two\n lines ", "面包 🍞", ""):
        [ids] = tokenizer.encode([text], Kind.DOCUMENT)
        assert tokenizer.decode(ids) == tokenizer.decode(ids[:-1]) == text


@pytest.mark.parametrize("token", [-1, 30_522, 1 << 32, 10**30])
def test_ids_that_are_no_tokens_are_refused(minilm_spec: ModelSpec, token: int) -> None:
    tokenizer = load_tokenizer(minilm_spec)
    tokenizer.check_ids([0, 30_521])
    with pytest.raises(UsageError, match=f"^{token} is no token id of "):
        tokenizer.check_ids([7, token])


@pytest.mark.parametrize("kind", Kind)
def test_tail_is_the_longest_end_that_fits(
    minilm_spec: ModelSpec, tiny_folder: Path, kind: Kind
) -> None:
    for spec in (minilm_spec, replace(load_spec(tiny_folder), max_tokens=64)):
        tokenizer = load_tokenizer(spec)
        assert tokenizer.tail("short", kind) == "short"
        text = " ".join(f"word{n}" for n in range(spec.max_tokens))
        end = tokenizer.tail(text, kind)
        assert text.endswith(end)
        assert spec.max_tokens - 2 <= tokenizer.count([end], kind)[0] <= spec.max_tokens
        assert tokenizer.lengths([text, end], kind)[0] == spec.max_tokens
