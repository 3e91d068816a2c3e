"""Office formats: files written by the usual libraries, and raw XML for what these cannot write."""

import io
from datetime import date, datetime
from typing import Any

import docx as python_docx
import openpyxl
import pptx as python_pptx
import pytest
from pptx.util import Inches

from ..conftest import Outline, Parse, Refuse
from ..files import ODT, docx, zipped


def saved(document: Any) -> bytes:
    buffer = io.BytesIO()
    document.save(buffer)
    return buffer.getvalue()


def test_docx_blocks_come_in_order_with_levels(parse: Parse, outline: Outline) -> None:
    document = python_docx.Document()
    document.core_properties.author = "Ada"
    document.add_heading("The Report", 0)
    document.add_heading("Part one", 1)
    document.add_paragraph("Some text.")
    document.add_paragraph("first", style="List Bullet")
    document.add_paragraph("second", style="List Bullet")
    table = document.add_table(2, 2)
    for n, text in enumerate(("a", "b", "c", "d")):
        table.cell(n // 2, n % 2).text = text
    document.add_heading("Detail", 2)
    (parsed,) = parse("a.docx", saved(document))
    assert outline(parsed) == [
        ("heading1", "The Report"),
        ("heading1", "Part one"),
        ("paragraph", "Some text."),
        ("list", "- first\n- second"),
        ("table", "a | b\nc | d"),
        ("heading2", "Detail"),
    ]
    assert parsed.title == "The Report"
    assert parsed.metadata["author"] == "Ada"


def test_docx_insertions_controls_and_boxes_are_read_deletions_are_not(
    parse: Parse, outline: Outline
) -> None:
    def run(text: str) -> str:
        return f"<w:r><w:t>{text}</w:t></w:r>"

    body = (
        f"<w:p>{run('kept ')}<w:ins>{run('new')}</w:ins>"
        f"<w:del><w:r><w:delText>old</w:delText></w:r></w:del></w:p>"
        f"<w:sdt><w:sdtContent><w:p>{run('controlled')}</w:p></w:sdtContent></w:sdt>"
        f"<w:p>{run('outer')}<w:r><w:pict><w:txbxContent><w:p>{run('boxed')}</w:p>"
        f"</w:txbxContent></w:pict></w:r></w:p>"
        f"<w:p><w:pPr><w:outlineLvl w:val='1'/></w:pPr>{run('Outlined')}</w:p>"
        f"<w:p><w:r><w:t>a</w:t><w:tab/><w:t>b</w:t><w:br/><w:t>c</w:t></w:r></w:p>"
    )
    assert outline(parse("a.docx", docx(body))[0]) == [
        ("paragraph", "kept new"),
        ("paragraph", "controlled"),
        ("paragraph", "outer"),
        ("paragraph", "boxed"),
        ("heading2", "Outlined"),
        ("paragraph", "a\tb\nc"),
    ]


def test_docx_external_targets_are_never_loaded(parse: Parse) -> None:
    relations = (
        "<Relationships xmlns='http://schemas.openxmlformats.org/package/2006/relationships'>"
        "<Relationship Id='r1' Type='x/image' Target='http://127.0.0.1:9/x' TargetMode='External'/>"
        "</Relationships>"
    )
    body = "<w:p><w:r><w:t>text</w:t></w:r></w:p>"
    data = docx(body, **{"word/_rels/document.xml.rels": relations})
    assert parse("a.docx", data)[0].text == "text\n"


def test_docx_behind_a_password_is_encrypted(refuse: Refuse) -> None:
    ole = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\0" * 99 + "EncryptedPackage".encode("utf-16-le")
    answer = refuse("a.docx", ole)
    assert answer.reason == "encrypted"
    assert "password" in answer.detail


def test_docx_that_is_text_is_broken_with_its_first_bytes(refuse: Refuse) -> None:
    assert "b'Hello th'" in refuse("a.docx", "Hello there").detail


def test_pptx_slides_are_places_with_titles_tables_and_notes(
    parse: Parse, outline: Outline
) -> None:
    show = python_pptx.Presentation()
    slide = show.slides.add_slide(show.slide_layouts[1])
    slide.shapes.title.text = "Goals"
    slide.placeholders[1].text = "Fast\nRight"
    slide.notes_slide.notes_text_frame.text = "Say hello"
    blank = show.slides.add_slide(show.slide_layouts[6])
    box = blank.shapes.add_table(1, 2, Inches(1), Inches(1), Inches(2), Inches(1))
    box.table.cell(0, 0).text = "x"
    box.table.cell(0, 1).text = "y"
    (document,) = parse("a.pptx", saved(show))
    assert outline(document) == [
        ("heading1", "Goals"),
        ("list", "Fast\nRight"),
        ("paragraph", "Notes: Say hello"),
        ("heading1", ""),  # the second slide is not about the goals
        ("table", "x | y"),
    ]
    assert [place.label for place in document.places] == ["slide 1", "slide 2"]
    assert document.title == "Goals"
    assert document.metadata["slides"] == 2


def test_xlsx_sheets_are_places_and_values_read_as_shown(parse: Parse, outline: Outline) -> None:
    book = openpyxl.Workbook()
    sheet = book.active
    sheet.title = "Sales"
    sheet.append(["Day", "Sum", "Paid", None, "Note"])
    sheet.append([date(2024, 5, 6), 3.0, True, None, "two\nlines"])
    sheet.append([datetime(2024, 5, 6, 7, 8), 0.1 + 0.2, False])
    sheet["A9"] = "far"
    book.create_sheet("Empty")
    book.create_sheet("Sheet3")["B2"] = 42
    (document,) = parse("a.xlsx", saved(book))
    assert outline(document) == [
        ("heading1", "Sales"),
        (
            "table",
            "Day | Sum | Paid |  | Note\n2024-05-06 | 3 | TRUE |  | two lines\n"
            "2024-05-06 07:08:00 | 0.3 | FALSE",
        ),
        ("table", "far"),
        ("heading1", ""),
        ("table", " | 42"),
    ]
    assert [place.label for place in document.places] == ["sheet Sales", "sheet Sheet3"]
    assert document.title == ""


def test_xlsx_cell_far_away_costs_no_time(parse: Parse) -> None:
    book = openpyxl.Workbook()
    book.active["A1"] = "here"
    book.active["XFD1048576"] = "there"
    assert parse("a.xlsx", saved(book))[0].text.startswith("here")


ODF = (
    'xmlns:office="urn:oasis:names:tc:opendocument:xmlns:office:1.0" '
    'xmlns:text="urn:oasis:names:tc:opendocument:xmlns:text:1.0" '
    'xmlns:table="urn:oasis:names:tc:opendocument:xmlns:table:1.0" '
    'xmlns:draw="urn:oasis:names:tc:opendocument:xmlns:drawing:1.0" '
    'xmlns:dc="http://purl.org/dc/elements/1.1/"'
)


def odf(kind: str, body: str, meta: str = "") -> bytes:
    content = f"<office:document-content {ODF}><office:body><office:{kind}>{body}</office:{kind}>"
    content += "</office:body></office:document-content>"
    about = f"<office:document-meta {ODF}><office:meta>{meta}</office:meta></office:document-meta>"
    mimetype = ODT if kind == "text" else f"application/vnd.oasis.opendocument.{kind}"
    return zipped({"content.xml": content, "meta.xml": about}, mimetype)


def test_odt_headings_lists_and_tables_are_blocks(parse: Parse, outline: Outline) -> None:
    body = (
        '<text:h text:outline-level="2">Part</text:h>'
        '<text:p>One<text:s text:c="2"/>two<text:line-break/>three</text:p>'
        "<text:list><text:list-item><text:p>a</text:p><text:list><text:list-item><text:p>b</text:p>"
        "</text:list-item></text:list></text:list-item></text:list>"
        '<table:table><table:table-row><table:table-cell table:number-columns-repeated="2">'
        "<text:p>x</text:p></table:table-cell><table:table-cell/></table:table-row></table:table>"
    )
    (document,) = parse("a.odt", odf("text", body, "<dc:title>Real</dc:title>"))
    assert document.title == "Real"
    assert outline(document) == [
        ("heading2", "Part"),
        ("paragraph", "One  two\nthree"),
        ("list", "- a\n  - b"),
        ("table", "x | x"),
    ]


def test_ods_sheets_are_places(parse: Parse, outline: Outline) -> None:
    row = (
        "<table:table-row><table:table-cell><text:p>7</text:p></table:table-cell></table:table-row>"
    )
    body = f'<table:table table:name="Prices">{row}</table:table>'
    (document,) = parse("a.ods", odf("spreadsheet", body))
    assert outline(document) == [("heading1", "Prices"), ("table", "7")]
    assert document.places[0].label == "sheet Prices"


@pytest.mark.parametrize("name", ["a.odt", "a.docx", "a.xlsx", "a.pptx", "a.epub"])
def test_office_file_that_is_an_empty_zip_is_broken(refuse: Refuse, name: str) -> None:
    assert refuse(name, zipped({"x": "y"})).reason == "broken"
