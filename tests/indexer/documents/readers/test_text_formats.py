"""Formats that are text: CSV, JSON, JSON Lines, notebooks, LaTeX, subtitles, anything else."""

import json

import pytest

from ..conftest import Outline, Parse, Refuse


def test_csv_header_line_heads_all_rows(parse: Parse, outline: Outline) -> None:
    source = "name,price\napple,3\npear,4\n"
    (document,) = parse("a.csv", source)
    assert document.text == source
    assert outline(document) == [("heading1", "name,price"), ("table", "apple,3\npear,4\n")]
    assert document.blocks[0].heading == "name, price"
    assert document.metadata == {"columns": ["name", "price"]}


@pytest.mark.parametrize("source", ["1,2\n3,4\n", "only one column\nx\n", "a,a\n1,2\n", "a,b"])
def test_csv_without_header_is_one_table(parse: Parse, outline: Outline, source: str) -> None:
    assert outline(parse("a.csv", source)[0]) == [("table", source)]


def test_tsv_and_semicolons_are_understood(parse: Parse) -> None:
    assert parse("a.tsv", "x y\tz\n1\t2\n")[0].blocks[0].heading == "x y, z"
    assert parse("a.csv", '"a b";c\n1;2\n')[0].blocks[0].heading == "a b, c"


def test_json_is_kept_as_it_is(parse: Parse) -> None:
    (document,) = parse("a.json", '{\r\n "a": 1}')
    assert (document.text, document.format) == ('{\n "a": 1}', "json")


def test_jsonl_lines_with_id_are_documents(parse: Parse) -> None:
    lines = [
        {"_id": "d1", "title": "First  one", "text": "Body one.", "metadata": {"url": "u"}},
        {"id": 7, "question": "Why?", "answers": ["Because", "So"], "n": 3},
        {"_id": "d1", "text": "again"},
        {"_id": "d2", "title": "Only title", "text": ""},
    ]
    documents = parse("a.jsonl", "\n".join(map(json.dumps, lines)))
    assert [(x.member, x.title, x.text) for x in documents] == [
        ("d1", "First one", "Body one."),
        ("7", "", "question: Why?\nanswers: Because\nanswers: So"),
        ("d1#2", "", "again"),
        ("d2", "Only title", "Only title"),
    ]
    assert documents[0].metadata == {"url": "u"}


def test_jsonl_lines_without_id_make_one_document_with_lines_as_places(parse: Parse) -> None:
    source = '{"text": "one"}\nnot json\n\n{"_id": "x", "text": "two"}\n"three"\n'
    member, rest = parse("a.jsonl", source)
    assert (member.member, member.text) == ("x", "two")
    assert (rest.member, rest.text) == ("", "text: one\n\nnot json\n\nthree\n")
    assert [place.label for place in rest.places] == ["line 1", "line 2", "line 5"]


def test_jsonl_hostile_values_stay_harmless(parse: Parse) -> None:
    deep = "[" * 100_000
    source = (
        f'{{"_id": "\\ud800a\\u0000", "text": "x\\udfff"}}\n{deep}\n{{"_id": true, "text": "t"}}\n'
    )
    documents = parse("a.jsonl", source)
    assert documents[0].member == "\ufffda\ufffd"
    assert documents[0].text == "x\ufffd"
    assert documents[1].member == ""


def test_notebook_cells_are_places_and_outputs_are_kept(parse: Parse, outline: Outline) -> None:
    cells = [
        {"cell_type": "markdown", "source": ["# Study\n", "\n", "Intro."]},
        {
            "cell_type": "code",
            "source": "print(1)",
            "outputs": [
                {"output_type": "stream", "text": ["1\n"]},
                {
                    "output_type": "display_data",
                    "data": {"image/png": "xxx", "text/plain": "<fig>"},
                },
            ],
        },
        {"cell_type": "markdown", "source": "## Result"},
        "nonsense",
    ]
    notebook = {"cells": cells, "metadata": {"kernelspec": {"language": "python"}}}
    (document,) = parse("a.ipynb", json.dumps(notebook))
    assert document.title == "Study"
    assert document.metadata == {"language": "python"}
    assert outline(document) == [
        ("heading1", "# Study"),
        ("paragraph", "Intro."),
        ("code", "print(1)"),
        ("code", "1\n<fig>"),
        ("heading2", "## Result"),
    ]
    assert [(place.label, document.text[place.start :][:5]) for place in document.places] == [
        ("cell 1", "# Stu"),
        ("cell 2", "print"),
        ("cell 3", "## Re"),
    ]


@pytest.mark.parametrize("source", ["[]", "{broken", "[" * 100_000])
def test_notebook_that_is_none_is_broken(refuse: Refuse, source: str) -> None:
    assert refuse("a.ipynb", source).detail.startswith("is no notebook")


def test_latex_sections_are_headings(parse: Parse) -> None:
    source = (
        "\\title{On \\emph{Cats}\\thanks{me}}\n\\section*{Intro \\label{s}}\nx\n"
        "\\subsection[short]{Long {nested} name}\ny\n\\section{never closed\n"
    )
    (document,) = parse("a.tex", source)
    assert document.text == source
    assert document.title == "On Cats"
    assert [(block.level, block.heading) for block in document.blocks] == [
        (3, "Intro"),
        (4, "Long nested name"),
    ]


def test_subtitles_keep_what_is_said_with_the_time_as_place(parse: Parse) -> None:
    vtt = (
        "WEBVTT\n\nNOTE hidden\n\n1\n00:11.000 --> 00:13.000\n"
        "<v Roger Bingham>We are <i>in</i> NY\n"
        "\n00:01:13.000 --> 00:01:16.000\nCity\n"
    )
    (document,) = parse("a.vtt", vtt)
    assert document.text == "Roger Bingham: We are in NY\nCity"
    assert [(place.start, place.label) for place in document.places] == [
        (0, "00:11"),
        (28, "00:01:13"),
    ]


@pytest.mark.parametrize(
    ("name", "content", "format"),
    [
        ("README", "Hello", "text"),
        ("notes.xyz", "Hello", "text"),
        ("page", "<!DOCTYPE html><p>Hi</p>", "html"),
        ("feed", "<?xml version='1.0'?><a><b>Hi</b></a>", "xml"),
        ("mail", "From: a@b.c\nTo: d@e.f\nSubject: Hi\n\nHello", "email"),
        ("script", "#!/usr/bin/env python3\nprint('hi')\n", "python"),
        ("Makefile", "all:\n\techo\n", "make"),
        ("paper", "\\documentclass{article}\nhi", "latex"),
    ],
)
def test_format_without_a_telling_name_is_found_by_content(
    parse: Parse, name: str, content: str, format: str
) -> None:
    assert parse(name, content)[0].format == format


def test_text_in_legacy_encoding_is_read(parse: Parse) -> None:
    text = "语义搜索把文档变成向量，然后寻找最接近问题的段落。\n" * 3
    assert parse("a.txt", text.encode("gbk"))[0].text == text
    assert parse("a.md", text.encode("utf-16"))[0].text == text
