"""Windows of texts: bounded, in order, cut where reading fails."""

from collections.abc import Iterator

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from indexer.embedding.embedder import Embedder
from indexer.embedding.stream import MAX_TEXTS, embed_stream, windows
from indexer.errors import ReadError
from indexer.types import Kind


def same(text: str) -> str:
    return text


@given(st.lists(st.text()), st.integers(1, 9), st.integers(1, 40))
def test_windows_give_every_text_once_in_order_and_are_bounded(
    texts: list[str], max_texts: int, max_bytes: int
) -> None:
    runs = list(windows(texts, same, max_texts, max_bytes))
    assert [text for run in runs for text in run] == texts
    sizes = [[len(text.encode("utf-8", "surrogatepass")) for text in run] for run in runs]
    assert all(len(run) <= max_texts and sum(run[:-1]) < max_bytes for run in sizes)
    assert all(len(run) == max_texts or sum(run) >= max_bytes for run in sizes[:-1])


def test_windows_read_no_further_than_the_run_they_give() -> None:
    """Ten million lines must not gather in memory: what is read and not yet given is bounded."""
    read = given = most = 0

    def source() -> Iterator[str]:
        nonlocal read, most
        for number in range(100_000):
            read += 1
            most = max(most, read - given)
            yield f"line {number}"

    for run in windows(source(), same):
        given += len(run)
    assert (read, given) == (100_000, 100_000)
    assert most == MAX_TEXTS


def test_windows_give_what_came_before_an_error() -> None:
    def source() -> Iterator[str]:
        yield from ["a", "b", "c"]
        raise ReadError("line 4 is broken")

    seen: list[list[str]] = []
    with pytest.raises(ReadError, match="line 4"):
        seen.extend(windows(source(), same, max_texts=2))
    assert seen == [["a", "b"], ["c"]]


def test_windows_stop_at_once_when_interrupted() -> None:
    def source() -> Iterator[str]:
        yield "a"
        raise KeyboardInterrupt

    seen: list[list[str]] = []
    with pytest.raises(KeyboardInterrupt):
        seen.extend(windows(source(), same))
    assert seen == []


def test_stream_gives_the_vectors_of_one_call_with_all_texts(hash_embedder: Embedder) -> None:
    texts = [f"text {number} " + "word " * (number % 7) for number in range(MAX_TEXTS + 5)]
    counted: list[tuple[int, int]] = []
    parts = list(
        embed_stream(
            hash_embedder, texts, same, Kind.DOCUMENT, on_batch=lambda n, t: counted.append((n, t))
        )
    )
    assert [len(run) for run, _ in parts] == [MAX_TEXTS, 5]
    together = np.concatenate([vectors for _, vectors in parts])
    assert np.array_equal(together, hash_embedder.embed(texts, Kind.DOCUMENT))
    assert sum(n for n, _ in counted) == len(texts)
    assert sum(t for _, t in counted) == sum(hash_embedder.tokenizer.count(texts))
