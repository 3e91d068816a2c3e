"""Any number of texts through a model in bounded memory, in windows that are sorted inside."""

from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

from indexer.embedding.embedder import Embedder, OnBatch
from indexer.errors import SemsearchError
from indexer.types import Kind, Vectors

# A window is sorted by length, so it should hold many batches: 256 KiB of UTF-8 are about 65,000
# tokens of English, 16 batches of 4,096. The count bounds windows of very short texts.
MAX_TEXTS = 2_048
MAX_BYTES = 256 << 10

Item = TypeVar("Item")


def windows(
    items: Iterable[Item],
    text_of: Callable[[Item], str],
    max_texts: int = MAX_TEXTS,
    max_bytes: int = MAX_BYTES,
) -> Iterator[list[Item]]:
    """The items in runs that are embedded together; every run but the last is full.

    Reads no further than the run it gives. When reading fails with one of our errors, what came
    before is given first, so that the answers end where the error is.

    Args:
        items: texts with whatever their caller carries along.
        text_of: the text of an item.
        max_texts: items in one run.
        max_bytes: UTF-8 bytes that close a run; the text that reaches them is still inside.
    """
    run: list[Item] = []
    size = 0
    source = iter(items)
    while True:
        try:
            item = next(source)
        except StopIteration:
            break
        except SemsearchError:
            if run:
                yield run
            raise
        run.append(item)
        size += len(text_of(item).encode("utf-8", "surrogatepass"))
        if len(run) >= max_texts or size >= max_bytes:
            yield run
            run, size = [], 0
    if run:
        yield run


def embed_stream(
    embedder: Embedder,
    items: Iterable[Item],
    text_of: Callable[[Item], str],
    kind: Kind,
    instruction: str | None = None,
    on_batch: OnBatch | None = None,
) -> Iterator[tuple[list[Item], Vectors]]:
    """(items, their vectors) of one window after another, in input order.

    Vectors are as `Embedder.embed` gives them. Raises what reading and embedding raise, after the
    windows before.
    """
    for run in windows(items, text_of):
        texts = [text_of(item) for item in run]
        yield run, embedder.embed(texts, kind, instruction, on_batch)
