"""A collection embedded in one mode, opened in another: admitted with the loss, or refused."""

import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from app.search.admission import Admission
from app.search.query import Query
from app.search.service import SearchService
from indexer.embedding.local import LocalEmbedder
from indexer.embedding.opening import open_embedder
from indexer.embedding.runtimes.base import Runtime, TokenBatch
from indexer.embedding.runtimes.whole import WholeModel
from indexer.embedding.spec import ModelSpec, load_spec
from indexer.embedding.tokenizer import load_tokenizer
from indexer.embedding.wishes import Wishes
from indexer.errors import ContractError
from indexer.modes import Placement, Precision
from indexer.pipeline.run import index
from indexer.storage.collection import Collection
from indexer.storage.commit import Writer
from indexer.types import Pooling, Vectors
from make_tiny_qwen3 import make_tiny_qwen3
from tests_support import write_docs


class OnGpu(Runtime):
    """torch in bf16, as a machine with a GPU would have run it; counts the texts."""

    placement, precision = Placement.GPU, Precision.BF16

    def __init__(self, spec: ModelSpec, precision: Precision = Precision.BF16) -> None:
        self.inner = WholeModel(spec, "cpu", precision)
        self.hidden_size, self.max_batch_tokens = spec.hidden_size, 4096
        self.texts = 0

    def forward(self, batch: TokenBatch) -> Vectors:
        self.texts += len(batch)
        return self.inner.forward(batch)


class Cpu(OnGpu):
    """Wrong or right vectors that say they are cpu:fp32."""

    placement, precision = Placement.CPU, Precision.FP32


@pytest.fixture(scope="module")
def spec(tmp_path_factory: pytest.TempPathFactory) -> ModelSpec:
    return load_spec(make_tiny_qwen3(tmp_path_factory.mktemp("model") / "tiny"))


@pytest.fixture(scope="module")
def made(spec: ModelSpec, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A collection that was embedded as gpu:bf16."""
    root = tmp_path_factory.mktemp("made")
    docs = write_docs(root / "docs")
    contract = spec.contract("1/128")
    embedder = LocalEmbedder(spec, load_tokenizer(spec), OnGpu(spec))
    with Writer.open(root / "collection", contract) as writer:
        index([docs], writer, embedder, contract)
    return root / "collection"


@pytest.fixture
def exported(made: Path, tmp_path: Path) -> Iterator[Collection]:
    """The same on another machine."""
    with Collection.open(Path(shutil.copytree(made, tmp_path / "exported"))) as opened:
        yield opened


@pytest.fixture
def said() -> list[str]:
    return []


@pytest.fixture
def admission(tmp_path: Path, said: list[str]) -> Admission:
    return Admission(tmp_path / "proofs", said.append)


def claiming_cpu(spec: ModelSpec, runtime_spec: ModelSpec) -> tuple[LocalEmbedder, OnGpu]:
    runtime = Cpu(runtime_spec, Precision.FP32)
    return LocalEmbedder(spec, load_tokenizer(spec), runtime), runtime


def test_collection_of_a_gpu_is_admitted_to_int8_with_the_loss_shown(
    spec: ModelSpec, exported: Collection, admission: Admission, said: list[str], tmp_path: Path
) -> None:
    wishes = Wishes(Placement.CPU, Precision.INT8)
    with open_embedder(spec, wishes, cache_folder=tmp_path / "graphs") as embedder:
        assert str(embedder.mode) == "cpu:int8"
        service = SearchService(lambda _: embedder, admission.check)
        passage = "Apples grow on trees in cool valleys and are picked in autumn."
        answer = service.search(Query(passage, k=6), {"exported": exported})
    assert len(answer.hits) == 6
    assert dict(exported.status().modes) == {"gpu:bf16": 6}
    assert said[0].startswith(
        "The collection was embedded in gpu:bf16: comparing cpu:int8 on 6 passages"
    )
    assert said[1].startswith("cpu:int8 fits: over 6 passages cosine 0.99")
    assert len(said) == 2


def test_mode_with_other_vectors_is_refused_with_the_numbers(
    spec: ModelSpec, exported: Collection, admission: Admission
) -> None:
    embedder, _ = claiming_cpu(spec, replace(spec, pooling=Pooling.MEAN))
    for _ in range(2):  # a refusal is not remembered as anything else
        with pytest.raises(ContractError) as refused:
            admission.check(exported, embedder)
    text = str(refused.value)
    assert text.startswith(
        "Mode cpu:fp32 (Cpu) gives other vectors than this collection holds, which were made in "
        "gpu:bf16: over 6 passages cosine 0."
    )
    assert "on average (0.99 needed)" in text
    assert "overlap of the 10 nearest chunks" in text
    assert "semsearch index --collection NAME" in text


def test_refused_mode_answers_no_search(
    spec: ModelSpec, exported: Collection, admission: Admission
) -> None:
    embedder, _ = claiming_cpu(spec, replace(spec, pooling=Pooling.MEAN))
    service = SearchService(lambda _: embedder, admission.check)
    with pytest.raises(ContractError):
        service.search(Query("apples"), {"exported": exported})


def test_mode_that_made_the_collection_is_not_compared(
    spec: ModelSpec, exported: Collection, admission: Admission, said: list[str]
) -> None:
    runtime = OnGpu(spec)
    admission.check(exported, LocalEmbedder(spec, load_tokenizer(spec), runtime))
    assert (runtime.texts, said) == (0, [])


def test_admission_is_remembered_by_process_and_folder(
    spec: ModelSpec, exported: Collection, tmp_path: Path, said: list[str]
) -> None:
    embedder, runtime = claiming_cpu(spec, spec)
    first = Admission(tmp_path / "proofs", said.append)
    first.check(exported, embedder)
    seen = runtime.texts
    assert seen > 0
    first.check(exported, embedder)
    Admission(tmp_path / "proofs", said.append).check(exported, embedder)
    assert runtime.texts == seen
    assert len(said) == 2
    Admission(tmp_path / "elsewhere", said.append).check(exported, embedder)
    assert runtime.texts == 2 * seen


def test_endpoint_is_compared_with_what_an_endpoint_embedded(
    spec: ModelSpec, tmp_path: Path, admission: Admission, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same address may run another model today."""
    embedder, runtime = claiming_cpu(spec, spec)
    monkeypatch.setattr(runtime, "placement", Placement.REMOTE)
    docs, contract = write_docs(tmp_path / "docs"), spec.contract("1/128")
    with Writer.open(tmp_path / "collection", contract) as writer:
        index([docs], writer, embedder, contract)
    seen = runtime.texts
    with Collection.open(tmp_path / "collection") as collection:
        assert dict(collection.status().modes) == {"remote:fp32": 6}
        admission.check(collection, embedder)
    assert runtime.texts > seen


def test_empty_collection_admits_every_mode(
    spec: ModelSpec, tmp_path: Path, admission: Admission, said: list[str]
) -> None:
    Writer.open(tmp_path / "empty", spec.contract("1/128")).close()
    embedder, runtime = claiming_cpu(spec, spec)
    with Collection.open(tmp_path / "empty") as empty:
        admission.check(empty, embedder)
    assert (runtime.texts, said) == (0, [])
