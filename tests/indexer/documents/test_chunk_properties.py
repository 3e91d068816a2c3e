"""What holds of every chunking, whatever the text, the blocks and the tokenizer."""

from typing import Any

import pytest
import regex
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from indexer.documents.chunk import ChunkOptions, chunk_document
from indexer.documents.readers.markdown import parse_text
from indexer.types import Block, BlockKind, Chunk, ParsedDocument

FAMILY = "👨‍👩‍👧‍👦"
FRAGMENTS = st.one_of(
    st.sampled_from(
        [
            "\n\n",
            "\n",
            " ",
            "# Heading\n\n",
            "## Ünter\n",
            "| a | b |\n|---|---|\n| 1 | 2 |\n",
            "- item\n- item\n",
            "```\ncode()\n```\n",
            "A sentence. Another one! ",
            "这是一个没有空格的句子。它很长，",
            "مرحبا بالعالم ",
            FAMILY,
            "🇩🇪🇫🇷",
            "e\u0301\u0323",
            "नमस्ते ",
            "x" * 120,
            "\f",
            " \u0301",
            "\u200b",
        ]
    ),
    st.text(
        alphabet=st.characters(exclude_categories=["Cs"], exclude_characters="\0\r"), max_size=9
    ),
)
TEXTS = st.lists(FRAGMENTS, max_size=60).map("".join)


@st.composite
def documents(draw: st.DrawFn) -> ParsedDocument:
    """A text with arbitrary blocks: what a reader might make of a strange file."""
    text = draw(TEXTS)
    cuts = sorted(draw(st.lists(st.integers(0, len(text)), max_size=12)))
    blocks = []
    for start, end in zip(cuts[::2], cuts[1::2], strict=False):
        kind = draw(st.sampled_from(BlockKind))
        level = draw(st.integers(0, 4))
        heading = draw(st.sampled_from(["", "Name", FAMILY * 9, "a long heading " * 30]))
        blocks.append(Block(kind, start, end, level, heading))
    title = draw(st.sampled_from(["", "Title", "t" * 500, FAMILY * 40]))
    return ParsedDocument(text=text, format="text", title=title, blocks=tuple(blocks))


def boundaries(text: str) -> set[int]:
    return {0, *(cluster.end() for cluster in regex.finditer(r"\X", text))}


def check(document: ParsedDocument, chunks: list[Chunk], counter: Any, budget: int) -> None:
    text = document.text
    if not text.strip():
        assert chunks == []
        return
    covered = 0
    safe = boundaries(text)
    for ordinal, chunk in enumerate(chunks):
        assert chunk.ordinal == ordinal
        assert text[chunk.start : chunk.end] == chunk.text
        assert chunk.text.strip()
        assert chunk.start <= covered < chunk.end
        covered = chunk.end
        assert chunk.start_line == text.count("\n", 0, chunk.start) + 1
        assert chunk.end_line == text.count("\n", 0, chunk.end - 1) + 1
        assert chunk.embedded_text.endswith(chunk.text.strip())
        assert chunk.n_tokens == counter.count([chunk.embedded_text])[0]
        assert chunk.n_tokens <= budget
        if chunk.start not in safe:
            cluster = next(
                each
                for each in regex.finditer(r"\X", text)
                if each.start() < chunk.start < each.end()
            )
            assert counter.count([cluster[0]])[0] * 2 > budget
    assert covered == len(text)


@pytest.mark.parametrize("budget", [16, 40, 512])
@settings(max_examples=100, deadline=None, suppress_health_check=list(HealthCheck))
@given(document=documents())
def test_chunks_of_any_document_keep_every_promise(
    counter_type: type, budget: int, document: ParsedDocument
) -> None:
    counter = counter_type(max_tokens=max(budget, 64))
    options = ChunkOptions(max_tokens=budget, overlap_tokens=budget // 8)
    check(document, chunk_document(document, counter, options), counter, budget)


@settings(max_examples=100, deadline=None, suppress_health_check=list(HealthCheck))
@given(text=TEXTS)
def test_chunks_of_any_markdown_keep_every_promise(counter_type: type, text: str) -> None:
    document = parse_text(text, "markdown")
    counter = counter_type(max_tokens=48)
    check(document, chunk_document(document, counter), counter, 48)
