"""The published Qwen3 tokenizer (make test-data): its rules are those the tiny one imitates."""

import json
import os
from pathlib import Path

import pytest

from indexer.embedding.local import LocalEmbedder
from indexer.embedding.models import resolve
from indexer.embedding.record import check_files
from indexer.embedding.spec import load_spec
from indexer.embedding.tokenizer import Tokenizer, load_tokenizer
from indexer.types import Kind

pytestmark = pytest.mark.data


@pytest.fixture(scope="module")
def real_folder() -> Path:
    root = Path(__file__).parents[3]
    data = Path(os.environ.get("SEMSEARCH_TEST_DATA", root.parent / "shared"))
    return data / "data" / "qwen3-embedding-0.6b"


@pytest.fixture(scope="module")
def real(real_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Tokenizer:
    folder = tmp_path_factory.mktemp("real")
    for path in real_folder.rglob("*.json"):
        target = folder / path.relative_to(real_folder)
        target.parent.mkdir(exist_ok=True)
        target.write_bytes(path.read_bytes())
    (folder / "model.safetensors").write_bytes(b"")  # only the tokenizer is loaded
    return load_tokenizer(load_spec(folder))


def test_files_here_have_the_published_hashes(real_folder: Path) -> None:
    known = {
        name: digest
        for name, digest in resolve("qwen3-0.6b").sha256.items()
        if (real_folder / name).is_file() and name != "tokenizer_config.json"  # rebuilt
    }
    assert "tokenizer.json" in known
    check_files(real_folder, known, None)


def test_text_ends_with_eos_and_query_prompt_has_no_space(real: Tokenizer) -> None:
    empty, query = real.encode(["", "what is a vector"], Kind.QUERY)
    assert empty[-1] == query[-1] == 151643
    assert real.encode([""], Kind.DOCUMENT) == [[151643]]
    assert real.max_tokens == 32768


def test_tiny_tokenizer_file_has_the_real_rules(real_folder: Path, tiny: LocalEmbedder) -> None:
    published = json.loads((real_folder / "tokenizer.json").read_text(encoding="utf-8"))
    ours = json.loads((tiny.spec.folder / "tokenizer.json").read_text(encoding="utf-8"))
    for part in ("normalizer", "pre_tokenizer", "post_processor", "decoder"):
        assert ours[part] == published[part]
    special = {token["id"]: token["content"] for token in published["added_tokens"]}
    assert all(special[token["id"]] == token["content"] for token in ours["added_tokens"])
