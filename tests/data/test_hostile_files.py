"""The builders of hostile files make what they say: an attack that is none would test nothing."""

import json
import zipfile
import zlib
from pathlib import Path

import pypdfium2
import pytest

import make_hostile_files as hostile
import make_hostile_pdf as pdf
import make_hostile_zips as zips

MIB = hostile.MIB


def pdf_text(path: Path, password: str | None = None) -> str:
    with pypdfium2.PdfDocument(path, password=password) as document:
        page = document[0]
        textpage = page.get_textpage()
        text = textpage.get_text_range()
        textpage.close()
        page.close()
    return str(text)


def test_builders_write_different_files_and_no_large_ones(tmp_path: Path) -> None:
    slow = {zips.docx_bomb, zips.xlsx_bomb, zips.odt_bomb, zips.epub_bomb, pdf.flate_bomb}
    slow |= {hostile.csv_long_field, hostile.text_one_line}
    paths = [build(*([tmp_path, MIB] if build in slow else [tmp_path])) for build in hostile.ALL]
    assert len(set(paths)) == len(hostile.ALL)
    for path in paths:
        assert 0 < path.stat().st_size < 20 * MIB, path


def test_docx_bomb_grows_a_thousandfold(tmp_path: Path) -> None:
    path = zips.docx_bomb(tmp_path, 64 * MIB)
    with zipfile.ZipFile(path) as archive:
        assert archive.getinfo("word/document.xml").file_size > 64 * MIB
    assert path.stat().st_size * 1000 < 64 * MIB


def test_docx_lying_size_declares_a_hundred_bytes(tmp_path: Path) -> None:
    path = zips.docx_lying_size(tmp_path)
    with zipfile.ZipFile(path) as archive:
        info = archive.getinfo("word/document.xml")
        assert info.file_size == 100
        assert info.compress_size > 10_000


def test_docx_truncated_is_no_archive(tmp_path: Path) -> None:
    with pytest.raises(zipfile.BadZipFile):
        zipfile.ZipFile(zips.docx_truncated(tmp_path))


def test_pdf_bomb_is_small_and_holds_the_text(tmp_path: Path) -> None:
    path = pdf.flate_bomb(tmp_path, 4 * MIB)
    assert path.stat().st_size < 2_000
    stream = path.read_bytes().split(b"\nstream\n", 1)[1]
    for _ in range(3):
        stream = zlib.decompressobj().decompress(stream)
    assert len(stream) > 3 * MIB
    assert pdf_text(path).startswith(hostile.MARKER)


@pytest.mark.parametrize("password", ["secret", "owner"])
def test_pdf_encrypted_opens_with_both_passwords_only(tmp_path: Path, password: str) -> None:
    path = pdf.encrypted(tmp_path)
    assert hostile.MARKER.encode() not in path.read_bytes()
    assert pdf_text(path, password).strip() == hostile.MARKER
    for wrong in (None, "wrong"):
        with pytest.raises(pypdfium2.PdfiumError, match="password"):
            pypdfium2.PdfDocument(path, password=wrong)


def test_pdf_encrypted_with_empty_password_opens_unasked(tmp_path: Path) -> None:
    path = pdf.encrypted_without_password(tmp_path)
    assert hostile.MARKER.encode() not in path.read_bytes()
    assert pdf_text(path).strip() == hostile.MARKER


def test_pdf_many_pages_has_them_all(tmp_path: Path) -> None:
    with pypdfium2.PdfDocument(pdf.many_pages(tmp_path)) as document:
        assert len(document) == 100_000


def test_pdf_truncated_does_not_open(tmp_path: Path) -> None:
    with pytest.raises(pypdfium2.PdfiumError, match="format"):
        pypdfium2.PdfDocument(pdf.truncated(tmp_path))


def test_json_deep_breaks_a_recursive_parser(tmp_path: Path) -> None:
    with pytest.raises(RecursionError):
        json.loads(hostile.json_deep(tmp_path).read_bytes())


def test_odd_names_keep_bytes_that_are_not_utf8_where_the_system_allows(tmp_path: Path) -> None:
    paths = hostile.odd_names(tmp_path)
    assert len(paths) == len(list(tmp_path.iterdir())) >= 4
    for number, path in enumerate(paths):
        assert hostile.MARKER in path.read_text(encoding="utf-8"), number
