from pathlib import Path
from typing import Any

import pytest

from indexer.documents.chunk import ChunkOptions, chunk_document
from indexer.documents.prefix import parts_of
from indexer.documents.readers.markdown import parse_text
from indexer.errors import UsageError
from indexer.types import Block, BlockKind, ParsedDocument, Place

from .conftest import ByteCounter, WordCounter, WordPieceCounter


def words(number: int, start: int = 0) -> str:
    return " ".join(f"w{n}" for n in range(start, start + number))


def sentences(number: int, length: int = 10) -> str:
    return " ".join(f"{words(length - 1, n * length)} end{n}." for n in range(number))


def chunks_of(text: str, budget: int = 40, overlap: int = 0) -> list[Any]:
    return chunk_document(
        parse_text(text, "markdown"), WordCounter(), ChunkOptions(budget, overlap)
    )


def test_chunk_short_document_is_one_chunk_with_all_of_it() -> None:
    (chunk,) = chunks_of("# Cats\n\nThey purr.\n\n## Food\n\nFish.\n")
    assert chunk.text == "# Cats\n\nThey purr.\n\n## Food\n\nFish.\n"
    assert (chunk.start, chunk.end, chunk.start_line, chunk.end_line) == (0, 35, 1, 7)
    assert chunk.heading == ("Cats",)
    assert chunk.embedded_text == chunk.text.strip()


@pytest.mark.parametrize("text", ["", " \n\t\n", "\u2003\n"])
def test_chunk_white_space_only_gives_no_chunk(text: str) -> None:
    assert chunk_document(ParsedDocument(text=text, format="text"), WordCounter()) == []


def test_chunk_sections_split_at_headings_with_their_paths() -> None:
    text = (
        f"# A\n\n{words(30)}\n\n## B\n\n{words(30)}\n\n### C\n\n{words(30)}\n\n# D\n\n{words(30)}\n"
    )
    chunks = chunks_of(text)
    assert [chunk.heading for chunk in chunks] == [("A",), ("A", "B"), ("A", "B", "C"), ("D",)]
    assert [chunk.text.split("\n")[0] for chunk in chunks] == ["# A", "## B", "### C", "# D"]


def test_chunk_heading_path_and_title_stand_before_the_text_once() -> None:
    text = f"# Top\n\n{words(30)}\n\n## Inner\n\n{sentences(6)}\n"
    chunks = chunks_of(text)
    assert chunks[0].embedded_text == chunks[0].text.strip()
    assert chunks[1].embedded_text == f"Top\n{chunks[1].text.strip()}"
    assert chunks[2].embedded_text == f"Top > Inner\n{chunks[2].text.strip()}"
    assert chunks[1].text.startswith("## Inner")


def test_chunk_title_from_properties_stands_before_every_chunk() -> None:
    document = ParsedDocument(text=sentences(9), format="pdf", title="Annual  Report")
    chunks = chunk_document(document, WordCounter(), ChunkOptions(40, 0))
    assert len(chunks) == 3
    assert all(chunk.embedded_text.startswith("Annual Report\nw") for chunk in chunks)


def test_chunk_small_sections_under_one_parent_are_joined() -> None:
    text = "# P\n\n" + "".join(f"## S{n}\n\n{words(5)}\n\n" for n in range(6))
    chunks = chunks_of(text)
    assert [chunk.heading for chunk in chunks] == [("P",), ("P", "S5")]
    assert [chunk.text.count("## ") for chunk in chunks] == [5, 1]


def test_chunk_heading_alone_joins_the_section_below_it() -> None:
    chunks = chunks_of(f"# Top\n\n## First\n\n{sentences(7)}\n")
    assert chunks[0].text.startswith("# Top\n\n## First\n\nw0")
    assert chunks[0].heading == ("Top", "First")
    assert chunks[0].embedded_text.startswith("# Top")


def test_chunk_document_of_headings_only_is_covered() -> None:
    text = "".join(f"{'#' * (n % 6 + 1)} H{n}\n\n" for n in range(60))
    chunks = chunks_of(text)
    assert "".join(chunk.text for chunk in chunks) == text


def test_chunk_front_matter_is_no_chunk_of_its_own() -> None:
    text = f"---\ntitle: Real Title\ntags: [a, b]\n---\n\n# Heading\n\n{sentences(9)}\n"
    chunks = chunks_of(text)
    assert chunks[0].text.startswith("---\ntitle")
    assert "# Heading" in chunks[0].text
    assert chunks[0].heading == ("Heading",)
    assert chunks[1].embedded_text.startswith("Real Title > Heading\n")


def test_chunk_long_text_is_cut_between_sentences_into_like_parts() -> None:
    chunks = chunks_of(sentences(12))
    assert all(chunk.text.rstrip().endswith(".") for chunk in chunks)
    assert [chunk.n_tokens for chunk in chunks] == [40, 40, 40]


def test_chunk_text_a_little_over_the_budget_is_cut_near_the_middle() -> None:
    assert [chunk.n_tokens for chunk in chunks_of(sentences(5))] == [30, 20]


def test_chunk_paragraphs_are_preferred_to_sentences() -> None:
    text = f"{sentences(3)}\n\n{sentences(3)}\n\n{sentences(3)}\n"
    assert [chunk.text for chunk in chunks_of(text)] == [
        f"{sentences(3)}\n\n",
        f"{sentences(3)}\n\n",
        f"{sentences(3)}\n",
    ]


def test_chunk_overlap_repeats_whole_sentences_within_a_section_only() -> None:
    chunks = chunks_of(f"# A\n\n{sentences(6)}\n\n# B\n\n{sentences(3)}\n", overlap=10)
    inner = [chunk for chunk in chunks if chunk.heading == ("A",)]
    assert inner[1].start < inner[0].end
    assert inner[1].text.startswith("w")
    assert inner[0].text.rstrip().endswith(inner[1].text.split(".")[0] + ".")
    assert chunks[-1].text.startswith("# B")
    assert chunks[-1].start == chunks[-2].end


def test_chunk_table_that_fits_is_kept_whole() -> None:
    table = "| k | v |\n|---|---|\n" + "".join(f"| a{n} | b{n} |\n" for n in range(4))
    text = f"{sentences(3)}\n\n{table}\n{sentences(2)}\n"
    whole = [chunk for chunk in chunks_of(text) if "| a0" in chunk.text]
    assert len(whole) == 1
    assert table in whole[0].text


def test_chunk_table_over_the_budget_is_cut_between_rows() -> None:
    table = "| k | v |\n|---|---|\n" + "".join(f"| a{n} | b{n} |\n" for n in range(40))
    chunks = chunks_of(table)
    assert len(chunks) > 3
    assert all(chunk.text.startswith("| ") for chunk in chunks)
    assert all(chunk.text.endswith("|\n") for chunk in chunks)


def test_chunk_row_wider_than_the_budget_is_cut_at_words() -> None:
    chunks = chunks_of("| k | v |\n|---|---|\n| " + words(200) + " | x |\n")
    assert max(chunk.n_tokens for chunk in chunks) <= 40


def test_chunk_list_item_stays_with_what_it_announces() -> None:
    item = "- Do the thing with care:\n\n`command --with many options {n}`\n\n"
    chunks = chunks_of("# c\n\n" + "".join(item.format(n=n) for n in range(12)))
    assert len(chunks) > 2
    assert not any(chunk.text.rstrip().endswith(":") for chunk in chunks)


def test_chunk_long_heading_path_is_shortened_from_the_outside() -> None:
    text = f"# {words(12)}\n\n## {words(4, 50)}\n\n### inner\n\n{sentences(9)}\n"
    last = chunks_of(text)[-1]
    assert last.heading == (words(12), words(4, 50), "inner")
    assert last.embedded_text.startswith(f"… > {words(4, 50)} > inner\n")


def test_chunk_heading_over_a_quarter_of_the_budget_is_cut_and_marked() -> None:
    last = chunks_of(f"# {words(30)}\n\n{sentences(9)}\n")[-1]
    prefix = last.embedded_text.split("\n")[0]
    assert prefix == words(10) + "…"


def test_chunk_ten_thousand_letter_word_is_cut_into_bounded_pieces() -> None:
    text = "x" * 10_000
    for counter in (ByteCounter(64), WordCounter(64), WordPieceCounter(64)):
        chunks = chunk_document(ParsedDocument(text=text, format="text"), counter)
        assert "".join(chunk.text for chunk in chunks) == text
        assert max(len(chunk.text) for chunk in chunks) <= 64 * 20


def test_chunk_chinese_without_spaces_is_cut_after_sentence_ends() -> None:
    text = "这是第一句话，它说了一些事情。" * 40
    chunks = chunk_document(ParsedDocument(text=text, format="text"), WordPieceCounter(64))
    assert len(chunks) > 5
    assert all(chunk.text.endswith("。") for chunk in chunks)


def test_chunk_emoji_families_are_never_taken_apart() -> None:
    family = "👨‍👩‍👧‍👦"  # 25 bytes
    chunks = chunk_document(ParsedDocument(text=family * 30, format="text"), ByteCounter(64))
    assert {len(chunk.text) % len(family) for chunk in chunks} == {0}


def test_chunk_grapheme_over_the_budget_is_cut_at_code_points() -> None:
    text = "e" + "\u0301" * 200
    chunks = chunk_document(ParsedDocument(text=text, format="text"), ByteCounter(40))
    assert max(chunk.n_tokens for chunk in chunks) <= 40
    assert chunks[-1].end == len(text)


def test_chunk_million_spaces_cost_nothing() -> None:
    text = "a" + " " * 1_000_000 + "b"
    chunks = chunk_document(ParsedDocument(text=text, format="text"), ByteCounter(64))
    assert [chunk.embedded_text for chunk in chunks] == ["a", "b"]
    assert chunks[-1].end == len(text)


def test_chunk_place_is_that_of_its_first_character() -> None:
    text = f"{sentences(4)}\n\n{sentences(4)}\n"
    half = text.index("\n\n") + 2
    places = (Place(0, "page 1"), Place(half, "page 2"))
    document = ParsedDocument(text=text, format="pdf", places=places)
    chunks = chunk_document(document, WordCounter(), ChunkOptions(40, 0))
    assert [chunk.place for chunk in chunks] == ["page 1", "page 2"]
    assert [(chunk.start_line, chunk.end_line) for chunk in chunks] == [(1, 2), (3, 3)]


def test_chunk_document_prompt_counts_in_the_budget() -> None:
    document = ParsedDocument(text="word " * 100, format="text")
    chunks = chunk_document(document, ByteCounter(64, prompt_tokens=30))
    assert max(chunk.n_tokens for chunk in chunks) <= 64
    assert all(chunk.n_tokens == len(chunk.embedded_text) + 32 for chunk in chunks)


def test_chunk_models_own_limit_is_the_budget_when_smaller() -> None:
    document = ParsedDocument(text=words(3000), format="text")
    chunks = chunk_document(document, WordPieceCounter(128), ChunkOptions(512))
    assert 100 < max(chunk.n_tokens for chunk in chunks) <= 128


def test_chunk_prompt_that_leaves_no_room_is_an_error_with_the_numbers() -> None:
    document = ParsedDocument(text=words(300), format="text")
    with pytest.raises(UsageError, match="take 62 of 64 tokens"):
        chunk_document(document, ByteCounter(64, prompt_tokens=60))


@pytest.mark.parametrize(("size", "overlap"), [(15, 0), (64, 17), (64, -1)])
def test_chunk_options_that_cannot_work_are_refused(size: int, overlap: int) -> None:
    with pytest.raises(UsageError, match=str(overlap if size > 15 else size)):
        ChunkOptions(size, overlap)


def test_chunk_code_definitions_are_sections_and_what_follows_is_not() -> None:
    text = f"def a():\n    {words(30)}\n\nx = {words(30)}\n"
    at = text.index("x =")
    blocks = (Block(BlockKind.CODE, 0, at, 1, "a"), Block(BlockKind.CODE, at, len(text), 1))
    document = ParsedDocument(text=text, format="python", blocks=blocks)
    chunks = chunk_document(document, WordCounter(), ChunkOptions(40, 0))
    assert [chunk.heading for chunk in chunks] == [("a",), ()]


def test_chunk_is_deterministic() -> None:
    text = Path(__file__).read_text()
    assert chunks_of(text, overlap=8) == chunks_of(text, overlap=8)


@pytest.mark.parametrize(
    ("title", "path", "leading", "parts"),
    [
        ("T", ("A", "B"), (), ("T", "A", "B")),
        ("A", ("A", "B"), (), ("A", "B")),
        ("A", ("A", "B"), ("B",), ("A",)),
        ("A", ("A",), ("A",), ()),
        ("T", ("A", "B"), ("A", "B"), ("T",)),
        ("T", (), ("T",), ()),
        ("", (), (), ()),
    ],
)
def test_parts_of_says_nothing_twice(
    title: str, path: tuple[str, ...], leading: tuple[str, ...], parts: tuple[str, ...]
) -> None:
    assert parts_of(title, path, leading) == parts
