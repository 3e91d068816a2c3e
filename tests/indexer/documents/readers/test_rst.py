from ..conftest import Outline, Parse

PEP = """PEP: 8
Title: Style Guide
Author: Guido van Rossum <guido@python.org>,
        Barry Warsaw <barry@python.org>

Introduction
============

Text with ``code``::

    literal
    block

* one
* two

Inner ``part``
--------------

=====  =====
a      b
=====  =====
1      2
=====  =====

Next
====

.. code-block:: python

   x = 1
"""


def test_rst_pep_header_gives_title_and_metadata(parse: Parse) -> None:
    (document,) = parse("pep.rst", PEP)
    assert document.text == PEP
    assert document.title == "Style Guide"
    assert document.metadata["Author"].endswith("Barry Warsaw <barry@python.org>")


def test_rst_sections_and_blocks_are_those_of_docutils(parse: Parse, outline: Outline) -> None:
    (document,) = parse("pep.rst", PEP)
    assert outline(document)[1:] == [
        ("heading1", "Introduction\n============"),
        ("paragraph", "Text with ``code``::"),
        ("code", "    literal\n    block"),
        ("list", "* one\n* two"),
        ("heading2", "Inner ``part``\n--------------"),
        ("table", "=====  =====\na      b\n=====  =====\n1      2\n=====  ====="),
        ("heading1", "Next\n===="),
        ("code", ".. code-block:: python"),
        ("code", "   x = 1"),
    ]
    assert [block.heading for block in document.blocks if block.level] == [
        "Introduction",
        "Inner part",
        "Next",
    ]


def test_rst_overline_and_underline_are_different_styles(parse: Parse) -> None:
    (document,) = parse("a.rst", "====\nDoc\n====\n\nA\n==\n\nB\n--\n\nC\n==\n")
    assert [(block.level, block.heading) for block in document.blocks if block.level] == [
        (1, "Doc"),
        (2, "A"),
        (3, "B"),
        (2, "C"),
    ]
    assert document.title == "Doc"


def test_rst_title_directly_under_title_counts(parse: Parse) -> None:
    (document,) = parse("a.rst", "Doc\n===\nPart\n----\ntext\n")
    assert [block.heading for block in document.blocks if block.level] == ["Doc", "Part"]


def test_rst_what_only_looks_like_a_title_is_none(parse: Parse) -> None:
    source = "two lines\nof text\n-------\n\n----\n\nshort name\n==\n\n    indented\n    ========\n"
    (document,) = parse("a.rst", source)
    assert [block.heading for block in document.blocks if block.level] == []


def test_rst_wide_characters_count_double_as_in_docutils(parse: Parse) -> None:
    (document,) = parse("a.rst", "中文标题\n========\n\n正文\n")
    assert document.title == "中文标题"


def test_rst_roles_and_references_leave_the_bare_name(parse: Parse) -> None:
    (document,) = parse(
        "a.rst", "See :pep:`8` and `Home <http://x>`_\n===================================\n"
    )
    assert document.title == "See 8 and Home"


def test_rst_field_list_after_the_title_is_metadata(parse: Parse) -> None:
    (document,) = parse("a.rst", "Doc\n===\n\n:Author: Me\n:Version: 1\n\nText: not a field\n")
    assert document.metadata == {"Author": "Me", "Version": "1"}
