"""Packing and what tells the texts apart again, for any lengths."""

import torch
from hypothesis import given
from hypothesis import strategies as st

from indexer.embedding.runtimes.packed.batch import Run, pack

TEXTS = st.lists(st.lists(st.integers(0, 200_000), min_size=1, max_size=9), min_size=1, max_size=9)


@given(TEXTS)
def test_packed_texts_can_be_told_apart(texts: list[list[int]]) -> None:
    batch = pack(texts)
    starts = batch.starts.tolist()
    assert batch.tokens == sum(map(len, texts)) == starts[-1]
    assert [batch.ids[a:b].tolist() for a, b in zip(starts, starts[1:], strict=False)] == texts
    assert batch.positions.tolist() == [i for ids in texts for i in range(len(ids))]
    assert [batch.ids[i].item() for i in batch.last] == [ids[-1] for ids in texts]
    assert batch.each.tolist() == list(range(len(texts) + 1))
    assert batch.longest == max(map(len, texts))
    assert {part.dtype for part in (batch.ids, batch.starts, batch.last)} == {torch.int32}


@given(TEXTS)
def test_runs_cover_all_texts_in_order(texts: list[list[int]]) -> None:
    runs = pack(texts).runs()
    assert [run.length for run in runs for _ in range(run.texts)] == [len(ids) for ids in texts]
    for run, following in zip(runs, runs[1:], strict=False):
        assert following.text == run.text + run.texts
        assert following.token == run.token + run.texts * run.length
        assert following.length != run.length


def test_runs_join_neighbours_of_equal_length() -> None:
    assert pack([[1] * 3, [2] * 3, [3], [4] * 3]).runs() == [
        Run(text=0, token=0, texts=2, length=3),
        Run(text=2, token=6, texts=1, length=1),
        Run(text=3, token=7, texts=1, length=3),
    ]
