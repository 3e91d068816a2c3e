"""One model for all who ask: what goes together, in which order, and what one's trouble does."""

import random
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import CancelledError, Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gated_embedder import POISON, GatedEmbedder
from indexer.embedding.embedder import Embedder
from indexer.embedding.opening import open_embedder
from indexer.embedding.pooling import finish
from indexer.embedding.shared.counters import BatchRun
from indexer.embedding.shared.embedder import SharedEmbedder
from indexer.embedding.shared.job import Embedded
from indexer.embedding.shared.line import Bounds
from indexer.embedding.spec import ModelSpec, load_spec
from indexer.embedding.wishes import Wishes
from indexer.errors import ModelError, OverloadedError, PlacementError, UsageError
from indexer.modes import Placement
from indexer.types import Kind, Vectors

TOLERANCE = 1e-5  # as for any two batches, see test_embedder
QUERY, DOCUMENT = Kind.QUERY, Kind.DOCUMENT
Share = Callable[..., tuple[GatedEmbedder, SharedEmbedder]]


@pytest.fixture
def share(minilm_spec: ModelSpec) -> Iterator[Share]:
    """(an embedder at a closed gate that holds one text already, the queue before it)."""
    made: list[tuple[GatedEmbedder, SharedEmbedder]] = []

    def make(
        bounds: Bounds | None = None, *, busy: bool = True, **options: Any
    ) -> tuple[GatedEmbedder, SharedEmbedder]:
        inner = GatedEmbedder(minilm_spec, is_open=not busy, **options)
        shared = SharedEmbedder(inner, bounds)
        made.append((inner, shared))
        if busy:
            shared.submit(["first"], QUERY, urgent=True)
            assert inner.entered.acquire(timeout=10)
        return inner, shared

    yield make
    for inner, shared in made:
        inner.gate.set()
        shared.close()


def ask(shared: SharedEmbedder, *texts: str) -> "Future[Embedded]":
    return shared.submit(texts, QUERY, urgent=True)


def direct(inner: GatedEmbedder, texts: list[str], kind: Kind = QUERY) -> Vectors:
    return inner.expected(texts, kind)


def test_what_waits_is_embedded_together_in_order(share: Share) -> None:
    inner, shared = share()
    futures = [ask(shared, f"query {n}") for n in range(4)]
    inner.gate.set()
    vectors = np.concatenate([future.result(10).vectors for future in futures])
    assert inner.calls[1:] == [("query 0", "query 1", "query 2", "query 3")]
    assert np.array_equal(vectors, direct(inner, [f"query {n}" for n in range(4)]))


def test_batch_holds_no_more_than_its_tokens(share: Share) -> None:
    inner, shared = share(batch_tokens=12)
    futures = [ask(shared, f"query {n}") for n in range(5)]  # of four tokens each
    inner.gate.set()
    assert [future.result(10).tokens for future in futures] == [4] * 5
    assert [len(call) for call in inner.calls] == [1, 3, 2]


def test_question_is_in_the_very_next_batch_of_a_long_job(share: Share) -> None:
    inner, shared = share(batch_tokens=16)
    texts = [f"document {n}" for n in range(40)]
    long = shared.submit(texts, DOCUMENT, urgent=False)
    for _ in range(3):  # calls end one by one, until the job's third waits at the gate
        inner.let_one_through()
    late = ask(shared, "a question")
    inner.gate.set()
    late.result(10)
    assert inner.calls.index(("a question",)) == 4
    assert np.array_equal(long.result(10).vectors, direct(inner, texts, DOCUMENT))
    assert {len(call) for call in inner.calls[1:]} == {1, 4}


def test_documents_get_their_turn_though_questions_never_end(
    share: Share, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("indexer.embedding.shared.queue._PATIENCE_S", -1.0)
    inner, shared = share(batch_tokens=16)
    questions = [ask(shared, f"query {n}") for n in range(8)]
    document = shared.submit(["document"], DOCUMENT, urgent=False)
    inner.gate.set()
    document.result(10)
    assert ("document",) in inner.calls[1:3]
    assert [len(future.result(10).vectors) for future in questions] == [1] * 8


def test_long_job_is_embedded_by_length_and_answered_in_order(share: Share) -> None:
    inner, shared = share(batch_tokens=32, busy=False)
    texts = ["word " * n for n in (1, 20, 3, 9, 2, 14)]
    assert np.array_equal(shared.embed(texts, DOCUMENT), direct(inner, texts, DOCUMENT))
    lengths = [[len(text.split()) for text in call] for call in inner.calls]
    assert lengths == [[20], [14, 9], [3, 2, 1]]


def test_queries_and_documents_with_and_without_instruction_go_apart(
    tiny_folder: Path,
) -> None:
    inner = GatedEmbedder(load_spec(tiny_folder), batch_tokens=256, is_open=False)
    with SharedEmbedder(inner) as shared:
        shared.submit(["first"], QUERY, urgent=True)
        assert inner.entered.acquire(timeout=10)
        futures = [
            shared.submit([text], kind, instruction, urgent=True)
            for text, kind, instruction in [
                ("a", QUERY, None),
                ("b", DOCUMENT, None),
                ("c", QUERY, "Find cats"),
                ("d", QUERY, None),
            ]
        ]
        inner.gate.set()
        found = [future.result(10).vectors[0] for future in futures]
    assert inner.calls[1:] == [("a", "d"), ("b",), ("c",)]
    assert inner.instructions[1:] == [None, None, "Find cats"]
    assert np.array_equal(found[2], inner.expected(["c"], QUERY, "Find cats")[0])


def test_same_text_is_embedded_once_in_a_batch(share: Share) -> None:
    inner, shared = share()
    futures = [ask(shared, "same"), ask(shared, "other", "same"), ask(shared, "same")]
    inner.gate.set()
    same = direct(inner, ["same"])[0]
    assert [np.array_equal(f.result(10).vectors[-1], same) for f in futures] == [True] * 3
    assert inner.calls[1:] == [("same", "other")]
    assert (shared.counters.texts, shared.counters.repeated) == (3, 2)


def test_request_whose_client_left_is_dropped_before_work(share: Share) -> None:
    inner, shared = share()
    gone, stays = ask(shared, "gone"), ask(shared, "stays")
    assert gone.cancel()
    assert (shared.counters.dropped, shared.counters.waiting) == (1, 1)
    inner.gate.set()
    stays.result(10)
    assert inner.calls[1:] == [("stays",)]
    with pytest.raises(CancelledError):
        gone.result()


def test_long_job_whose_client_left_stops_in_the_middle(share: Share) -> None:
    inner, shared = share(batch_tokens=16)
    job = shared.submit([f"document {n}" for n in range(400)], DOCUMENT, urgent=False)
    for _ in range(3):
        inner.let_one_through()
    assert job.cancel()
    inner.gate.set()
    ask(shared, "next").result(10)
    counters = shared.counters
    assert (counters.dropped, counters.waiting, counters.waiting_tokens) == (1, 0, 0)
    assert len(inner.calls) == 5  # the first, three of the job, the next


def test_queue_full_of_requests_refuses_and_says_when_to_come_back(share: Share) -> None:
    _, shared = share(Bounds(requests=2, tokens=1000))
    ask(shared, "one"), ask(shared, "two")
    with pytest.raises(OverloadedError, match="2 requests with 6 tokens") as refused:
        ask(shared, "three")
    assert refused.value.retry_after_s == 5  # nothing was timed yet
    assert shared.counters.refused == 1
    shared.submit(["document"], DOCUMENT, urgent=False)  # a line of its own
    shared.submit(["a check"], QUERY, urgent=True, bounded=False)


def test_queue_full_of_tokens_refuses_but_an_empty_one_takes_any(share: Share) -> None:
    _, shared = share(Bounds(requests=9, tokens=10))
    first = ask(shared, "word " * 50)
    with pytest.raises(OverloadedError, match="1 requests with 52 tokens"):
        ask(shared, "three")
    assert first.cancel()  # what is dropped makes room
    ask(shared, "three")


def test_time_to_come_back_follows_the_measured_speed(
    share: Share, monkeypatch: pytest.MonkeyPatch
) -> None:
    inner, shared = share(Bounds(requests=1))
    inner.gate.set()
    ask(shared, "timed").result(10)
    inner.gate.clear()
    shared._queue._tokens_per_s = 10.0
    ask(shared, "at work")
    while inner.calls[-1] != ("at work",):
        assert inner.entered.acquire(timeout=10)
    ask(shared, "word " * 48)  # 50 tokens
    with pytest.raises(OverloadedError, match="in 5 s") as refused:
        ask(shared, "refused")
    assert refused.value.retry_after_s == 5


def test_slices_of_documents_get_shorter_where_the_model_is_slow(share: Share) -> None:
    inner, shared = share(batch_tokens=4096)
    shared._queue._tokens_per_s = 2000.0
    documents = shared.submit(["word " * 62] * 40, DOCUMENT, urgent=False)  # the same text
    assert documents
    assert shared._queue._slice_tokens(4096) == 500
    shared._queue._tokens_per_s = 10.0
    assert shared._queue._slice_tokens(4096) == 256
    assert shared._queue._slice_tokens(100) == 100


def test_failure_of_one_text_is_its_own(share: Share) -> None:
    inner, shared = share()
    futures = [ask(shared, "good"), ask(shared, POISON), ask(shared, "fine")]
    inner.gate.set()
    with pytest.raises(ModelError, match="NaN"):
        futures[1].result(10)
    good = [futures[0].result(10).vectors[0], futures[2].result(10).vectors[0]]
    assert np.array_equal(good, direct(inner, ["good", "fine"]))
    assert shared.counters.failed == 1


def test_failure_that_no_text_is_to_blame_for_is_not_tried_again(share: Share) -> None:
    inner, shared = share()
    inner.blames_texts = False
    futures = [ask(shared, "good"), ask(shared, POISON)]
    inner.gate.set()
    for future in futures:
        with pytest.raises(ModelError):
            future.result(10)
    assert len(inner.calls) == 2


def test_failure_in_the_middle_ends_a_long_job(share: Share) -> None:
    inner, shared = share(batch_tokens=16, busy=False)
    with pytest.raises(ModelError):
        shared.embed(["longer ones go first", POISON] + ["w"] * 400, DOCUMENT)
    ask(shared, "next").result(10)
    assert len(inner.calls) < 50
    assert shared.counters.waiting_tokens == 0


def test_instruction_that_the_model_cannot_take_is_refused_at_once(share: Share) -> None:
    inner, shared = share()
    with pytest.raises(UsageError, match="takes no instruction"):
        shared.submit(["x"], QUERY, "Find cats", urgent=True)
    assert len(inner.calls) == 1


def test_token_ids_go_apart_from_texts_and_give_the_same(share: Share) -> None:
    inner, shared = share()
    texts = ["bread rises", "tea"]
    framed = inner.tokenizer.encode(texts, DOCUMENT)
    bare = [ids[1:-1] for ids in framed]
    futures = [shared.submit_ids(ids, urgent=True) for ids in (framed, bare)]
    text = shared.submit(texts, DOCUMENT, urgent=True)
    inner.gate.set()
    expected = direct(inner, texts, DOCUMENT)
    for future in [*futures, text]:
        assert np.array_equal(future.result(10).vectors, expected)


def test_shorter_vectors_come_from_the_same_queue(tiny_folder: Path) -> None:
    """One of them is what an embedder that is opened for so many values gives."""
    inner = GatedEmbedder(load_spec(tiny_folder), batch_tokens=256, is_open=False)
    with SharedEmbedder(inner) as whole:
        shorter = whole.shortened(32)
        ask(whole, "first")
        assert inner.entered.acquire(timeout=10)
        futures = [ask(whole, "same"), ask(shorter, "same", "other")]
        inner.gate.set()
        long, short = (future.result(10).vectors for future in futures)
        with pytest.raises(UsageError, match="Dimension 65"):
            whole.shortened(65)
    assert inner.calls[1:] == [("same", "other")]
    assert (long.shape, short.shape) == ((1, 64), (2, 32))
    assert np.array_equal(short, finish(direct(inner, ["same", "other"]), 32))
    assert shorter.contract("1/512") == inner.spec.contract("1/512", 32)


def test_no_texts_give_no_vectors(share: Share) -> None:
    inner, shared = share()
    assert shared.submit([], QUERY, urgent=True).result(0).vectors.shape == (0, inner.dimension)


def test_on_batch_adds_up_and_its_failure_ends_the_job(share: Share) -> None:
    _, shared = share(batch_tokens=16, busy=False)
    seen: list[tuple[int, int]] = []
    shared.embed(["two words"] * 3 + ["one"] * 5, DOCUMENT, on_batch=lambda *n: seen.append(n))
    assert (sum(n for n, _ in seen), sum(t for _, t in seen)) == (8, 3 * 4 + 5 * 3)

    def broken(_texts: int, _tokens: int) -> None:
        raise ValueError("no screen")

    with pytest.raises(ValueError, match="no screen"):
        shared.embed(["x"], DOCUMENT, on_batch=broken)


def test_batches_are_told(minilm_spec: ModelSpec) -> None:
    runs: list[BatchRun] = []
    inner = GatedEmbedder(minilm_spec)
    with SharedEmbedder(inner, on_run=runs.append) as shared:
        shared.embed(["a", "a", "b"], QUERY)
    assert [(run.texts, run.repeated, run.tokens) for run in runs] == [(2, 1, 6)]
    assert inner.is_closed


def test_close_answers_what_waits_and_finishes_what_runs(minilm_spec: ModelSpec) -> None:
    inner = GatedEmbedder(minilm_spec, is_open=False)
    shared = SharedEmbedder(inner)
    runs = ask(shared, "runs")
    assert inner.entered.acquire(timeout=10)
    waits = ask(shared, "waits")
    closing = threading.Thread(target=shared.close)
    closing.start()
    with pytest.raises(PlacementError, match="service stops"):
        waits.result(10)
    inner.gate.set()
    assert len(runs.result(10).vectors) == 1
    closing.join(10)
    assert inner.is_closed
    with pytest.raises(PlacementError, match="service stops"):
        ask(shared, "late")


def test_endpoints_are_asked_as_often_at_once_as_they_take(share: Share) -> None:
    inner, shared = share(concurrency=3)
    futures = []
    for number in range(2):
        futures.append(ask(shared, f"query {number}"))
        assert inner.entered.acquire(timeout=10)
    futures += [ask(shared, f"waits {number}") for number in range(2)]
    inner.gate.set()
    assert [len(future.result(10).vectors) for future in futures] == [1] * 4
    assert inner.calls[:3] == [("first",), ("query 0",), ("query 1",)]
    assert shared.counters.texts == 5


def test_many_threads_each_get_their_own_vectors(share: Share) -> None:
    """Some leave, some bring poison, some bring long jobs; the others never notice."""
    inner, shared = share(Bounds(10_000, 10**9), batch_tokens=48, busy=False, concurrency=2)

    def client(number: int) -> int:
        draw = random.Random(number)
        right = 0
        for _ in range(12):
            count = draw.choice([1, 1, 9])
            texts = [f"{draw.randrange(30)} " * draw.randrange(1, 9) for _ in range(count)]
            future = shared.submit(texts, QUERY, urgent=count == 1)
            if draw.random() < 0.2:
                future.cancel()
                continue
            if draw.random() < 0.1:
                with pytest.raises(ModelError):
                    ask(shared, POISON).result(30)
            right += np.array_equal(future.result(30).vectors, direct(inner, texts))
        return right

    with ThreadPoolExecutor(8) as pool:
        counts = list(pool.map(client, range(8)))
    assert min(counts) >= 5  # of 12, less those who left
    counters = shared.counters
    assert (counters.waiting, counters.waiting_tokens) == (0, 0)


@pytest.fixture(scope="module")
def real(minilm_spec: ModelSpec, cache_home: Any) -> Iterator[tuple[Embedder, SharedEmbedder]]:
    with open_embedder(minilm_spec, Wishes(Placement.CPU), None, cache_home) as inner:
        shared = SharedEmbedder(open_embedder(minilm_spec, Wishes(Placement.CPU), None, cache_home))
        yield inner, shared
        shared.close()


@settings(max_examples=10, deadline=None)
@given(
    texts=st.lists(
        st.text(max_size=60) | st.text(alphabet="ab \ud800面🍞", max_size=400),
        min_size=1,
        max_size=12,
    )
)
def test_vectors_through_the_queue_are_those_of_the_model(
    real: tuple[Embedder, SharedEmbedder], texts: list[str]
) -> None:
    inner, shared = real
    futures = [shared.submit([text], DOCUMENT, urgent=n % 2 == 0) for n, text in enumerate(texts)]
    together = shared.embed(texts, DOCUMENT)
    expected = np.concatenate([inner.embed([text], DOCUMENT) for text in texts])
    alone = np.concatenate([future.result(30).vectors for future in futures])
    assert np.abs(together - expected).max() <= TOLERANCE
    assert np.abs(alone - expected).max() <= TOLERANCE


def test_token_ids_of_a_text_give_its_vector(real: tuple[Embedder, SharedEmbedder]) -> None:
    """Cut texts, unknown characters and words in pieces too."""
    inner, shared = real
    texts = ["Bread rises.", "", "面包 🍞 naïve", "don't re-encode", "word " * 600, "[SEP] in it"]
    framed = inner.tokenizer.encode(texts, DOCUMENT)
    expected = inner.embed(texts, DOCUMENT)
    for ids in (framed, [item[1:-1] for item in framed]):
        assert (
            np.abs(shared.submit_ids(ids, urgent=True).result(30).vectors - expected).max()
            <= TOLERANCE
        )
        assert np.abs(inner.embed_ids(ids) - expected).max() <= TOLERANCE
