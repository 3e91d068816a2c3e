"""Writers of DOCX, PPTX, XLSX, PDF, ODT and EPUB for the sample documents: lines into bytes."""

import io
import re
import textwrap
import zipfile
import zlib
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from itertools import groupby
from xml.sax.saxutils import escape

AUTHOR = "The semsearch authors"


class LineKind(StrEnum):
    """What a line of a source is."""

    TITLE = "title"
    HEADING = "heading"
    PARAGRAPH = "paragraph"
    ITEM = "item"
    ROW = "row"
    NOTE = "note"
    BREAK = "break"


@dataclass(frozen=True)
class Line:
    """One line of a source without its markup."""

    kind: LineKind
    text: str

    @property
    def cells(self) -> list[str]:
        """The cells of a table row."""
        return [cell.strip() for cell in self.text.split("|")]


def title_of(lines: list[Line]) -> str:
    """The text of the title line."""
    return next(line.text for line in lines if line.kind is LineKind.TITLE)


def without_clock(name: str, data: bytes) -> bytes:
    """`data` of a zip entry; the time of writing in the Office properties becomes a fixed one."""
    if name != "docProps/core.xml":
        return data
    return re.sub(rb">\d{4}-\d\d-\d\dT[\d:.]+Z<", b">2026-01-01T00:00:00Z<", data)


def docx(lines: list[Line]) -> bytes:
    """A Word document with headings, lists and tables."""
    import docx as word

    document = word.Document()
    document.core_properties.title = title_of(lines)
    document.core_properties.author = AUTHOR
    for kind, group in groupby(lines, key=lambda line: line.kind):
        if kind is LineKind.ROW:
            rows = [line.cells for line in group]
            table = document.add_table(len(rows), len(rows[0]))
            for row, cells in zip(table.rows, rows, strict=True):
                for cell, text in zip(row.cells, cells, strict=True):
                    cell.text = text
            continue
        styles = {"title": "Title", "heading": "Heading 1", "item": "List Bullet"}
        for line in group:
            document.add_paragraph(line.text, style=styles.get(kind, "Normal"))
    out = io.BytesIO()
    document.save(out)
    return out.getvalue()


def pptx(lines: list[Line]) -> bytes:
    """A presentation: a title slide, then a slide per heading; notes go to the notes page."""
    from pptx import Presentation

    show = Presentation()
    show.core_properties.title = title_of(lines)
    show.core_properties.author = AUTHOR
    slide = None
    for line in lines:
        if line.kind in (LineKind.TITLE, LineKind.HEADING):
            layout = show.slide_layouts[0 if line.kind is LineKind.TITLE else 1]
            slide = show.slides.add_slide(layout)
            slide.shapes.title.text = line.text
            continue
        assert slide is not None, "a presentation starts with its title"
        notes = line.kind is LineKind.NOTE
        frame = slide.notes_slide.notes_text_frame if notes else slide.placeholders[1].text_frame
        paragraph = frame.add_paragraph() if frame.text else frame.paragraphs[0]
        paragraph.text = line.text
    out = io.BytesIO()
    show.save(out)
    return out.getvalue()


def xlsx(lines: list[Line]) -> bytes:
    """A workbook with one sheet per heading; numbers are stored as numbers."""
    from openpyxl import Workbook

    book = Workbook()
    book.remove(book.active)
    book.properties.title = title_of(lines)
    book.properties.creator = AUTHOR
    for line in lines:
        if line.kind is LineKind.HEADING:
            book.create_sheet(line.text)
        elif line.kind is LineKind.ROW:
            book.worksheets[-1].append([_number(cell) for cell in line.cells])
    out = io.BytesIO()
    book.save(out)
    return out.getvalue()


def _number(cell: str) -> int | float | str:
    """The cell's number, or its text."""
    if re.fullmatch(r"\d+", cell):
        return int(cell)
    return float(cell) if re.fullmatch(r"\d+\.\d+", cell) else cell


def _xml_blocks(lines: Iterable[Line], tags: dict[LineKind, str]) -> str:
    """Each line as an element; a tag may carry attributes."""
    parts = []
    for line in lines:
        tag = tags[line.kind]
        parts.append(f"<{tag}>{escape(line.text)}</{tag.split()[0]}>")
    return "\n".join(parts)


def _archive(mimetype: str, entries: dict[str, str]) -> bytes:
    """A zip whose first entry is the uncompressed media type, as ODT and EPUB want it."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("mimetype", mimetype, zipfile.ZIP_STORED)
        for name, text in entries.items():
            archive.writestr(name, f'<?xml version="1.0" encoding="UTF-8"?>\n{text}')
    return out.getvalue()


def odt(lines: list[Line]) -> bytes:
    """An OpenDocument text."""
    space = "urn:oasis:names:tc:opendocument:xmlns"
    mimetype = "application/vnd.oasis.opendocument.text"
    body = _xml_blocks(
        lines,
        {
            LineKind.TITLE: 'text:h text:outline-level="1"',
            LineKind.HEADING: 'text:h text:outline-level="2"',
            LineKind.PARAGRAPH: "text:p",
            LineKind.ITEM: "text:p",
        },
    )
    namespaces = f'xmlns:office="{space}:office:1.0" xmlns:text="{space}:text:1.0"'
    meta_spaces = f'xmlns:office="{space}:office:1.0" xmlns:dc="http://purl.org/dc/elements/1.1/"'
    files = "".join(
        f'<m:file-entry m:full-path="{path}" m:media-type="{kind}"/>'
        for path, kind in [("/", mimetype), ("content.xml", "text/xml"), ("meta.xml", "text/xml")]
    )
    content = f"<office:body><office:text>\n{body}\n</office:text></office:body>"
    title = f"<office:meta><dc:title>{escape(title_of(lines))}</dc:title></office:meta>"
    version = 'office:version="1.3"'
    entries = {
        "content.xml": f"<office:document-content {namespaces} {version}>{content}"
        "</office:document-content>",
        "meta.xml": f"<office:document-meta {meta_spaces} {version}>{title}</office:document-meta>",
        "META-INF/manifest.xml": f'<m:manifest xmlns:m="{space}:manifest:1.0" m:version="1.3">'
        f"{files}</m:manifest>",
    }
    return _archive(mimetype, entries)


def epub(lines: list[Line]) -> bytes:
    """An EPUB 3 with one XHTML file per chapter and a table of contents."""
    title = escape(title_of(lines))
    names: list[str] = []
    entries: dict[str, str] = {}
    for number, chapter in enumerate(_pages(lines), start=1):
        names.append(f"chapter{number}.xhtml")
        tags = {LineKind.TITLE: "h1", LineKind.HEADING: "h2", LineKind.PARAGRAPH: "p"}
        entries[f"OEBPS/{names[-1]}"] = _xhtml(title, _xml_blocks(chapter, tags))
    links = "".join(f'<li><a href="{name}">{name[:-6].title()}</a></li>' for name in names)
    nav = f'<nav xmlns:epub="http://www.idpf.org/2007/ops" epub:type="toc"><ol>{links}</ol></nav>'
    entries["OEBPS/nav.xhtml"] = _xhtml(title, nav)
    entries["OEBPS/book.opf"] = _opf(title, names)
    entries["META-INF/container.xml"] = (
        '<container version="1.0" xmlns="urn:oasis:names:tc:opendocument:xmlns:container">'
        '<rootfiles><rootfile full-path="OEBPS/book.opf" '
        'media-type="application/oebps-package+xml"/></rootfiles></container>'
    )
    return _archive("application/epub+zip", entries)


def _xhtml(title: str, body: str) -> str:
    return (
        '<html xmlns="http://www.w3.org/1999/xhtml" lang="en"><head>'
        f"<title>{title}</title></head><body>\n{body}\n</body></html>"
    )


def _opf(title: str, names: list[str]) -> str:
    """The package file: metadata, files, reading order."""
    kind = 'media-type="application/xhtml+xml"'
    items = "".join(f'<item id="c{i}" href="{name}" {kind}/>' for i, name in enumerate(names))
    spine = "".join(f'<itemref idref="c{i}"/>' for i in range(len(names)))
    return (
        '<package xmlns="http://www.idpf.org/2007/opf" version="3.0" unique-identifier="id">'
        '<metadata xmlns:dc="http://purl.org/dc/elements/1.1/">'
        '<dc:identifier id="id">semsearch-sample-history</dc:identifier>'
        f"<dc:title>{title}</dc:title><dc:language>en</dc:language><dc:creator>{AUTHOR}</dc:creator>"
        '<meta property="dcterms:modified">2026-01-01T00:00:00Z</meta></metadata>'
        f'<manifest>{items}<item id="nav" href="nav.xhtml" {kind} properties="nav"/></manifest>'
        f"<spine>{spine}</spine></package>"
    )


def _pages(lines: list[Line]) -> list[list[Line]]:
    """The lines between page breaks."""
    pages: list[list[Line]] = [[]]
    for line in lines:
        if line.kind is LineKind.BREAK:
            pages.append([])
        else:
            pages[-1].append(line)
    return pages


def pdf(lines: list[Line]) -> bytes:
    """A PDF 1.4 with the built-in font Helvetica, compressed pages and a title. ASCII text only."""
    pages = _pages(lines)
    kids = " ".join(f"{5 + 2 * i} 0 R" for i in range(len(pages)))
    objects = [
        b"<< /Type /Catalog /Pages 2 0 R /Lang (en) >>",
        f"<< /Type /Pages /Kids [{kids}] /Count {len(pages)} >>".encode("ascii"),
        b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica /Encoding /WinAnsiEncoding >>",
        f"<< /Title ({_pdf_text(title_of(lines))}) /Author ({AUTHOR}) >>".encode("ascii"),
    ]
    for number, page in enumerate(pages):
        stream = zlib.compress(_pdf_page(page), 9)
        objects.append(
            b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842]"
            b" /Resources << /Font << /F 3 0 R >> >> /Contents %d 0 R >>" % (6 + 2 * number)
        )
        objects.append(
            b"<< /Length %d /Filter /FlateDecode >>\nstream\n%b\nendstream" % (len(stream), stream)
        )
    return _pdf_file(objects)


def _pdf_text(text: str) -> str:
    return re.sub(r"([\\()])", r"\\\1", text)


def _pdf_page(lines: list[Line]) -> bytes:
    """Content stream: lines wrapped to an A4 page, which 90 letters of 11 points fill."""
    sizes = {LineKind.TITLE: 18, LineKind.HEADING: 14}
    parts = ["BT", "1 0 0 1 56 790 Tm"]
    for line in lines:
        size = sizes.get(line.kind, 11)
        parts.append(f"/F {size} Tf {size * 1.4:.1f} TL")
        for piece in textwrap.wrap(line.text, 990 // size, break_on_hyphens=False):
            parts.append(f"({_pdf_text(piece)}) Tj T*")
        parts.append("T*")
    return "\n".join([*parts, "ET"]).encode("ascii")


def _pdf_file(objects: list[bytes]) -> bytes:
    """Header, numbered objects, cross-reference table, trailer."""
    out = bytearray(b"%PDF-1.4\n%\xe2\xe3\xcf\xd3\n")
    offsets = []
    for number, data in enumerate(objects, start=1):
        offsets.append(len(out))
        out += b"%d 0 obj\n%b\nendobj\n" % (number, data)
    start = len(out)
    out += b"xref\n0 %d\n0000000000 65535 f \n" % (len(objects) + 1)
    out += b"".join(b"%010d 00000 n \n" % offset for offset in offsets)
    out += b"trailer\n<< /Size %d /Root 1 0 R /Info 4 0 R >>\n" % (len(objects) + 1)
    out += b"startxref\n%d\n%%%%EOF\n" % start
    return bytes(out)
