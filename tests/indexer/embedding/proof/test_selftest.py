"""Each way of being wrong is committed by a runtime, caught, and named."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import pytest

from indexer.embedding.embedder import OnBatch
from indexer.embedding.local import LocalEmbedder
from indexer.embedding.proof import selftest
from indexer.embedding.proof.faults import Fault
from indexer.embedding.proof.golden import expected_vectors
from indexer.embedding.proof.selftest import MODEL_CARD, Result, self_test
from indexer.embedding.runtimes.base import Runtime, TokenBatch
from indexer.embedding.runtimes.whole import WholeModel
from indexer.embedding.spec import ModelSpec
from indexer.embedding.tokenizer import Tokenizer, load_tokenizer
from indexer.errors import ModelError
from indexer.modes import Placement, Precision
from indexer.types import Kind, Pooling, Vectors

Wrong = Callable[[LocalEmbedder], LocalEmbedder]


class Wrapped(Runtime):
    """Another runtime's vectors, changed on the way in or out."""

    placement = Placement.CPU

    def __init__(
        self,
        inner: Runtime,
        before: Callable[[TokenBatch], TokenBatch] = lambda batch: batch,
        after: Callable[[Vectors], Vectors] = lambda vectors: vectors,
        precision: Precision = Precision.FP32,
    ) -> None:
        self.inner, self.before, self.after = inner, before, after
        self.precision = precision
        self.hidden_size, self.max_batch_tokens = inner.hidden_size, inner.max_batch_tokens

    def forward(self, batch: TokenBatch) -> Vectors:
        return self.after(self.inner.forward(self.before(batch)))


class LastColumn(WholeModel):
    """Pools the last column although padding stands on the right: right for a text alone only."""

    def forward(self, batch: TokenBatch) -> Vectors:
        import torch

        with torch.inference_mode():
            ids, mask = self._pad(batch)
            states = self._model(input_ids=ids, attention_mask=mask).last_hidden_state
        vectors: Vectors = states[:, -1].float().numpy()
        return vectors


class OtherTexts(Tokenizer):
    """Encodes with something forgotten."""

    forget_prompt = forget_instruction = False

    def encode(
        self, texts: Sequence[str], kind: Kind, instruction: str | None = None
    ) -> list[list[int]]:
        instruction = None if self.forget_instruction else instruction
        if self.forget_prompt:
            kind, instruction = Kind.DOCUMENT, None
        return super().encode(texts, kind, instruction)


class Raw(LocalEmbedder):
    """What a careless server does to finished vectors."""

    change: Callable[[Vectors], Vectors]

    def embed(
        self,
        texts: Sequence[str],
        kind: Kind,
        instruction: str | None = None,
        on_batch: OnBatch | None = None,
    ) -> Vectors:
        return self.change(super().embed(texts, kind, instruction, on_batch))


def tokens(change: Callable[[list[int]], list[int]]) -> Wrong:
    """A runtime that is given other tokens."""

    def make(right: LocalEmbedder) -> LocalEmbedder:
        runtime = Wrapped(right.runtime, lambda batch: [change(list(ids)) for ids in batch])
        return LocalEmbedder(right.spec, right.tokenizer, runtime)

    return make


def raw(change: Callable[[Vectors], Vectors]) -> Wrong:
    """An embedder whose finished vectors are changed."""

    def make(right: LocalEmbedder) -> LocalEmbedder:
        embedder = Raw(right.spec, right.tokenizer, right.runtime)
        embedder.change = change  # type: ignore[method-assign]
        return embedder

    return make


def texts_as(**forgotten: bool) -> Wrong:
    """An embedder whose tokenizer forgets something."""

    def make(right: LocalEmbedder) -> LocalEmbedder:
        found = load_tokenizer(right.spec)
        other = OtherTexts(right.spec, found._encoder, True)
        for name in forgotten:
            setattr(other, name, True)
        return LocalEmbedder(right.spec, other, Wrapped(right.runtime))

    return make


def spec_as(**changes: object) -> Wrong:
    """An embedder that tokenises by another spec but says it is the right one."""

    def make(right: LocalEmbedder) -> LocalEmbedder:
        other = load_tokenizer(replace(right.spec, **changes))
        return LocalEmbedder(right.spec, other, Wrapped(right.runtime))

    return make


def pooling_as(pooling: Pooling) -> Wrong:
    def make(right: LocalEmbedder) -> LocalEmbedder:
        runtime = WholeModel(replace(right.spec, pooling=pooling))
        return LocalEmbedder(right.spec, right.tokenizer, Wrapped(runtime))

    return make


def pools_padding(right: LocalEmbedder) -> LocalEmbedder:
    return LocalEmbedder(right.spec, right.tokenizer, LastColumn(right.spec))


def spaced(right: LocalEmbedder) -> LocalEmbedder:
    return spec_as(query_prompt=right.spec.query_prompt + " ")(right)


def documents_as_queries(right: LocalEmbedder) -> LocalEmbedder:
    return spec_as(document_prompt=right.spec.query_prompt)(right)


def with_nan(vectors: Vectors) -> Vectors:
    vectors = vectors.copy()
    vectors[0, 3] = np.nan
    return vectors


TINY: dict[str, tuple[Wrong, Fault]] = {
    "mean pooling": (pooling_as(Pooling.MEAN), Fault.MEAN_POOLING),
    "first token": (pooling_as(Pooling.CLS), Fault.CLS_POOLING),
    "no EOS": (tokens(lambda ids: ids[:-1] or ids), Fault.NO_EOS),
    "two EOS": (tokens(lambda ids: [*ids, 151643]), Fault.TWO_EOS),
    "<|im_end|>": (tokens(lambda ids: [*ids[:-1], 151645]), Fault.WRONG_EOS),
    "no prompt": (texts_as(forget_prompt=True), Fault.NO_PROMPT),
    "space in the prompt": (spaced, Fault.SPACED_PROMPT),
    "prompt on documents": (documents_as_queries, Fault.PROMPT_ON_DOCUMENTS),
    "no instruction": (texts_as(forget_instruction=True), Fault.INSTRUCTION),
    "cut at 128": (spec_as(max_tokens=128), Fault.CUT),
    "padding is pooled": (pools_padding, Fault.BATCH),
    "reversed order": (raw(lambda v: v[::-1]), Fault.ORDER),
    "not normalised": (raw(lambda v: 3 * v), Fault.LENGTH),
    "cut dimension": (raw(lambda v: v[:, :32]), Fault.DIMENSION),
    "cut after normalising": (raw(lambda v: np.where(np.arange(64) < 32, v, 0)), Fault.LENGTH),
    "NaN": (raw(with_nan), Fault.NOT_FINITE),
    "zeros": (raw(np.zeros_like), Fault.ZERO),
    "noise": (tokens(lambda ids: [(t * 7) % 500 for t in ids]), Fault.UNKNOWN),
}
MINILM: dict[str, tuple[Wrong, Fault]] = {
    "first token": (pooling_as(Pooling.CLS), Fault.CLS_POOLING),
    "last token": (pooling_as(Pooling.LAST_TOKEN), Fault.LAST_POOLING),
    "no special tokens": (tokens(lambda ids: ids[1:-1] or ids), Fault.NO_SPECIAL),
    "cut at 128": (spec_as(max_tokens=128), Fault.CUT),
}


def judged(right: LocalEmbedder, wrong: Wrong, folder: Path) -> Result:
    return self_test(wrong(right), expected_vectors(right, folder))


@pytest.fixture(scope="module")
def proofs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("proofs")


@pytest.fixture(scope="module", autouse=True)
def faults_made_once() -> Iterator[None]:
    """The deliberately wrong vectors of a model serve every test on it."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(selftest, "fault_vectors", cache(selftest.fault_vectors))
        yield


@pytest.mark.parametrize("sin", TINY)
def test_self_test_names_what_a_qwen3_runtime_does_wrong(
    tiny: LocalEmbedder, proofs: Path, sin: str
) -> None:
    wrong, fault = TINY[sin]
    result = judged(tiny, wrong, proofs)
    assert result.fault is fault, result


@pytest.mark.parametrize("sin", MINILM)
def test_self_test_names_what_a_bert_runtime_does_wrong(
    minilm: LocalEmbedder, proofs: Path, sin: str
) -> None:
    wrong, fault = MINILM[sin]
    result = judged(minilm, wrong, proofs)
    assert result.fault is fault, result


def test_self_test_passes_the_reference_and_says_how_near_it_came(
    embedder: LocalEmbedder, proofs: Path
) -> None:
    result = self_test(embedder, expected_vectors(embedder, proofs))
    assert result.fault is None
    assert result.least is not None
    assert result.least > 0.999999


def test_self_test_passes_left_padding_and_a_shorter_dimension(
    tiny: LocalEmbedder, proofs: Path
) -> None:
    left = WholeModel(tiny.spec, pad_left=True)
    shorter = LocalEmbedder(tiny.spec, tiny.tokenizer, left, dimension=32)
    assert self_test(shorter, expected_vectors(tiny, proofs)).fault is None


@pytest.mark.parametrize("precision", [Precision.BF16, Precision.FP16])
def test_self_test_passes_half_precision_within_its_tolerance(
    embedder: LocalEmbedder, proofs: Path, precision: Precision
) -> None:
    half = LocalEmbedder(
        embedder.spec, embedder.tokenizer, WholeModel(embedder.spec, "cpu", precision)
    )
    result = self_test(half, expected_vectors(embedder, proofs))
    assert result.fault is None, result
    assert result.least is not None
    assert 0.999 < result.least < 0.9999999


def test_half_precision_that_claims_to_be_fp32_is_refused(
    tiny: LocalEmbedder, proofs: Path
) -> None:
    half = Wrapped(WholeModel(tiny.spec, "cpu", Precision.BF16), precision=Precision.FP32)
    result = self_test(
        LocalEmbedder(tiny.spec, tiny.tokenizer, half), expected_vectors(tiny, proofs)
    )
    assert result.fault is Fault.UNKNOWN
    assert "0.99999 are needed" in result.detail


def test_nan_of_a_runtime_is_an_error_of_its_own(tiny: LocalEmbedder, proofs: Path) -> None:
    runtime = Wrapped(tiny.runtime, after=with_nan)
    with pytest.raises(ModelError, match="NaN"):
        self_test(LocalEmbedder(tiny.spec, tiny.tokenizer, runtime), expected_vectors(tiny, proofs))


RELATIONS = {
    "no prompt": Fault.NO_PROMPT,
    "no instruction": Fault.INSTRUCTION,
    "padding is pooled": Fault.BATCH,
    "reversed order": Fault.ORDER,
    "not normalised": Fault.LENGTH,
    "cut dimension": Fault.DIMENSION,
    "NaN": Fault.NOT_FINITE,
    "zeros": Fault.ZERO,
}


@pytest.mark.parametrize("sin", RELATIONS)
def test_relations_catch_what_needs_no_reference(tiny: LocalEmbedder, sin: str) -> None:
    assert self_test(TINY[sin][0](tiny), None).fault is RELATIONS[sin]


def test_relations_catch_one_vector_for_all_texts(tiny: LocalEmbedder) -> None:
    wrong = raw(lambda v: np.tile(np.eye(1, 64, dtype=np.float32), (len(v), 1)))
    assert self_test(wrong(tiny), None).fault is Fault.CONSTANT


def test_relations_pass_a_right_embedder(embedder: LocalEmbedder) -> None:
    result = self_test(embedder, None)
    assert (result.fault, result.least) == (None, None)


class Card(LocalEmbedder):
    """Gives the model card's texts vectors of chosen similarities, and every text its own."""

    similarities = np.array(MODEL_CARD)
    places: dict[tuple[str, Kind, str | None], int]

    def embed(
        self,
        texts: Sequence[str],
        kind: Kind,
        instruction: str | None = None,
        on_batch: OnBatch | None = None,
    ) -> Vectors:
        return np.stack([self._vector(text, kind, instruction) for text in texts])

    def _vector(self, text: str, kind: Kind, instruction: str | None) -> Vectors:
        axes = np.eye(self.dimension, dtype=np.float32)
        documents = ["The capital of China is Beijing.", "Gravity is a force"]
        queries = ["What is the capital of China?", "Explain gravity"]
        for row, start in enumerate(documents):
            if text.startswith(start) and kind is Kind.DOCUMENT:
                return axes[row]
        if text in queries and kind is Kind.QUERY:
            cosines = self.similarities[queries.index(text)]
            rest = np.sqrt(1 - (cosines**2).sum()) * axes[2 + queries.index(text)]
            return (cosines @ axes[:2] + rest).astype(np.float32)
        return axes[8 + self.places.setdefault((text, kind, instruction), len(self.places))]


@pytest.fixture
def published(tiny: LocalEmbedder, monkeypatch: pytest.MonkeyPatch) -> ModelSpec:
    """A spec that passes for the published weights, which cannot be had here."""
    monkeypatch.setattr(selftest, "published_weights", lambda: tiny.spec.weights_sha256)
    return tiny.spec


@pytest.mark.parametrize(
    ("precision", "error", "fault"),
    [
        (Precision.FP32, 0.0, None),
        (Precision.FP32, 0.009, None),
        (Precision.FP32, 0.011, Fault.MODEL_CARD),
        (Precision.BF16, 0.019, None),
        (Precision.INT8, 0.021, Fault.MODEL_CARD),
    ],
)
def test_published_weights_must_give_the_similarities_of_the_model_card(
    published: ModelSpec,
    tiny: LocalEmbedder,
    precision: Precision,
    error: float,
    fault: Fault | None,
) -> None:
    card = Card(published, tiny.tokenizer, Wrapped(tiny.runtime, precision=precision))
    card.similarities, card.places = np.array(MODEL_CARD) - error, {}
    result = self_test(card, None)
    assert result.fault is fault, result
    if fault is not None:
        assert "instead of 0.7646, 0.1414, 0.1355, 0.6000" in result.detail


def test_published_weights_are_those_of_the_pinned_file() -> None:
    """sha256 over the one file's published sha256, as `spec.weights_hash` makes it."""
    import hashlib

    file = "0437e45c94563b09e13cb7a64478fc406947a93cb34a7e05870fc8dcd48e23fd"
    assert selftest.published_weights() == hashlib.sha256(file.encode()).hexdigest()
