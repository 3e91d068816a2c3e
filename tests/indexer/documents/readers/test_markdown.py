import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from indexer.documents.readers.markdown import bare_heading, parse_text

from ..conftest import Outline, Parse


def test_markdown_text_is_the_file_and_blocks_lie_in_it(parse: Parse, outline: Outline) -> None:
    source = (
        "# Title\n\nA para\ngraph.\n\n- one\n- two\n\n| a | b |\n|---|---|\n| 1 | 2 |\n\n"
        "```py\ncode\n```\n\nSetext\n------\n\n> quote\n"
    )
    (document,) = parse("a.md", source)
    assert document.text == source
    assert document.title == "Title"
    assert outline(document) == [
        ("heading1", "# Title"),
        ("paragraph", "A para\ngraph."),
        ("list", "- one\n- two"),
        ("table", "| a | b |\n|---|---|\n| 1 | 2 |"),
        ("code", "```py\ncode\n```"),
        ("heading2", "Setext\n------"),
        ("paragraph", "> quote"),
    ]


def test_markdown_yaml_front_matter_becomes_metadata_and_title(
    parse: Parse, outline: Outline
) -> None:
    (document,) = parse(
        "a.md", "---\ntitle: Über\ndate: 2024-05-06\ntags: [x, 1]\n---\n# H\n\ntext\n"
    )
    assert document.title == "Über"
    assert document.metadata == {"title": "Über", "date": "2024-05-06", "tags": ["x", 1]}
    assert outline(document)[0] == (
        "heading",
        "---\ntitle: Über\ndate: 2024-05-06\ntags: [x, 1]\n---",
    )
    assert document.text.startswith("---\n")


def test_markdown_toml_front_matter_becomes_metadata(parse: Parse) -> None:
    (document,) = parse("a.md", '+++\ntitle = "T"\nweight = 3\n+++\ntext\n')
    assert document.metadata == {"title": "T", "weight": 3}


@pytest.mark.parametrize(
    "source",
    [
        "---\n\nA rule, then text.\n\n---\n",
        "---\nkey: [unclosed\n---\ntext\n",
        "---\njust words\n---\ntext\n",
        "+++\nnot toml\n+++\n",
        "---\n" + "[" * 8000 + "\n---\n",
        "---\na: !!python/object/apply:os.system ['true']\n---\n",
    ],
)
def test_markdown_what_is_no_front_matter_stays_text(source: str) -> None:
    assert parse_text(source, "markdown").metadata == {}


def test_markdown_yaml_aliases_do_not_explode() -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 12)]
    document = parse_text("---\n" + "\n".join(lines) + "\n---\ntext\n", "markdown")
    assert len(str(document.metadata)) < 20_000


@pytest.mark.parametrize(
    ("content", "name"),
    [
        ("Plain words", "Plain words"),
        ("Use `code` and **bold** _it_", "Use code and bold it"),
        ("The [link](http://x.y) text { #anchor }", "The link text"),
        ("snake_case_name stays", "snake_case_name stays"),
        (r"Escaped \* star", "Escaped * star"),
        ("AT&amp;T <b>x</b>", "AT&T x"),
        ("![logo](a.png) Name", "logo Name"),
        ("C#", "C#"),
    ],
)
def test_bare_heading_loses_its_markup(content: str, name: str) -> None:
    assert bare_heading(content) == name


def test_markdown_without_first_level_heading_takes_the_opening_one(parse: Parse) -> None:
    assert parse("a.md", "## Opening\n\ntext\n")[0].title == "Opening"
    assert parse("a.md", "text\n\n## Later\n\ntext\n")[0].title == ""


@given(
    st.lists(st.sampled_from(["#", " ", "\n", "-", "*", "|", "`", ">", "a", "=", "\t", "<b>", "é"]))
)
@settings(max_examples=200, deadline=None)
def test_markdown_any_source_gives_ordered_blocks(pieces: list[str]) -> None:
    source = "".join(pieces)
    document = parse_text(source, "markdown")
    assert document.text == source
    reached = 0
    for block in document.blocks:
        assert reached <= block.start < block.end <= len(source)
        reached = block.end
