import pytest

from ..conftest import Outline, Parse, Refuse
from ..files import pdf, shown


def test_pdf_pages_are_places_and_large_type_is_a_heading(parse: Parse, outline: Outline) -> None:
    body = "This is a sentence of body text that is long enough to count."
    first = shown(
        [("F1", 24, "Great Title"), ("F1", 12, "")]
        + [("F1", 12, body)] * 3
        + [("F1", 12, ""), ("F2", 12, "Bold heading"), ("F1", 12, ""), ("F1", 12, body)]
    )
    second = shown([("F1", 12, body), ("F1", 12, "and a divi-"), ("F1", 12, "ded word.")])
    (document,) = parse("a.pdf", pdf([first, second]))
    assert outline(document) == [
        ("heading1", "Great Title"),
        ("paragraph", "\n".join([body] * 3)),
        ("heading2", "Bold heading"),
        ("paragraph", body),
        ("paragraph", f"{body}\nand a divided word."),
    ]
    assert document.title == "Great Title"
    assert [place.label for place in document.places] == ["page 1", "page 2"]
    assert document.text[document.places[1].start :].startswith("This is")
    assert document.metadata == {"pages": 2}


def test_pdf_without_text_says_that_it_may_be_scanned(refuse: Refuse) -> None:
    answer = refuse("a.pdf", pdf(["", ""]))
    assert answer.reason == "empty"
    assert answer.detail == "has no text in 2 page(s): scanned? Run OCR on it to index it."


def test_pdf_with_a_damaged_page_keeps_the_others(parse: Parse) -> None:
    data = pdf([shown([("F1", 12, "First page")]), shown([("F1", 12, "Second page")])])
    damaged = data.replace(b"/Type /Page /Parent", b"/Type /Nope /Parent", 1)
    (document,) = parse("a.pdf", damaged)
    assert "Second page" in document.text


@pytest.mark.parametrize("name", ["a.pdf", "a.txt", "noname"])
def test_pdf_is_known_by_its_content(parse: Parse, name: str) -> None:
    assert parse(name, pdf([shown([("F1", 12, "Hello")])]))[0].format == "pdf"


def test_pdf_that_is_none_is_broken(refuse: Refuse) -> None:
    assert refuse("a.pdf", b"%PDF-1.4 and nothing else").reason == "broken"
