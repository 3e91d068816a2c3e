"""The binary sample documents are what scripts/make_sample_binaries.py makes of its sources."""

import importlib.util
import re
import sys
import zipfile
from pathlib import Path
from types import ModuleType

import pytest
from lxml import etree


@pytest.fixture(scope="module")
def maker(root: Path) -> ModuleType:
    """The script as a module."""
    path = root / "scripts/make_sample_binaries.py"
    spec = importlib.util.spec_from_file_location("make_sample_binaries", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def rebuilt(maker: ModuleType, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with freshly built documents."""
    folder = tmp_path_factory.mktemp("rebuilt")
    maker.build(folder)
    return folder


def docx_text(path: Path) -> list[str]:
    import docx

    document = docx.Document(path)
    cells = [cell.text for table in document.tables for row in table.rows for cell in row.cells]
    return [document.core_properties.title, *(p.text for p in document.paragraphs), *cells]


def pptx_text(path: Path) -> list[str]:
    from pptx import Presentation

    show = Presentation(path)
    texts = [show.core_properties.title]
    for slide in show.slides:
        texts += [shape.text_frame.text for shape in slide.shapes if shape.has_text_frame]
        if slide.has_notes_slide:
            texts.append(slide.notes_slide.notes_text_frame.text)
    return texts


def xlsx_text(path: Path) -> list[str]:
    from openpyxl import load_workbook

    book = load_workbook(path)
    cells = [str(cell) for sheet in book for row in sheet.values for cell in row]
    return [book.properties.title, *book.sheetnames, *cells]


def pdf_text(path: Path) -> list[str]:
    import pypdfium2

    with pypdfium2.PdfDocument(path) as document:
        texts = [document.get_metadata_dict()["Title"]]
        for page in document:
            textpage = page.get_textpage()
            texts.append(textpage.get_text_range())
            textpage.close()
            page.close()
    return texts


def zipped_xml_text(path: Path) -> list[str]:
    with zipfile.ZipFile(path) as archive:
        assert archive.infolist()[0].filename == "mimetype"
        assert archive.infolist()[0].compress_type == zipfile.ZIP_STORED
        names = [name for name in archive.namelist() if name.endswith((".xml", ".xhtml"))]
        return ["\n".join(etree.fromstring(archive.read(name)).itertext()) for name in names]


READERS = {
    "operations/capacity-plan.docx": docx_text,
    "notes/kickoff.pptx": pptx_text,
    "tables/memory.xlsx": xlsx_text,
    "notes/reader-survey.pdf": pdf_text,
    "operations/bus-handbook.odt": zipped_xml_text,
    "guides/history.epub": zipped_xml_text,
}


def test_sample_binaries_are_exactly_the_targets_of_the_script(
    maker: ModuleType, sample: Path
) -> None:
    assert {target.path for target in maker.TARGETS} == set(READERS)
    suffixes = {Path(name).suffix for name in READERS}
    found = {p.relative_to(sample).as_posix() for p in sample.rglob("*") if p.suffix in suffixes}
    assert found == set(READERS)


@pytest.mark.parametrize("name", READERS)
def test_sample_binary_rebuilt_has_the_same_text(name: str, sample: Path, rebuilt: Path) -> None:
    assert READERS[name](sample / name) == READERS[name](rebuilt / name)


@pytest.mark.parametrize("name", READERS)
def test_sample_binary_built_twice_is_the_same_bytes(
    name: str, maker: ModuleType, rebuilt: Path, tmp_path: Path
) -> None:
    maker.build(tmp_path)
    assert (tmp_path / name).read_bytes() == (rebuilt / name).read_bytes()


@pytest.mark.parametrize("name", READERS)
def test_sample_binary_holds_every_line_of_its_source(
    name: str, maker: ModuleType, sample: Path
) -> None:
    def words(text: str) -> str:
        return re.sub(r"\s+", " ", text).strip()

    held = words("\n".join(READERS[name](sample / name)))
    target = next(target for target in maker.TARGETS if target.path == name)
    for line in maker.read_source(target):
        for piece in line.cells if line.kind == "row" else [line.text]:
            assert words(piece) in held, piece


def test_sample_pdf_has_two_pages(sample: Path) -> None:
    assert len(pdf_text(sample / "notes/reader-survey.pdf")) == 3
