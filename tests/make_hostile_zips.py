"""Hostile zip containers (DOCX, XLSX, ODT, EPUB); `make_hostile_files` lists all formats."""

import struct
import zipfile
from collections.abc import Iterable
from pathlib import Path

MIB = 1 << 20
MARKER = "harmless words before the attack"
_OFFICE = "http://schemas.openxmlformats.org"
_ODF = "urn:oasis:names:tc:opendocument:xmlns"
_ENTITIES = "".join(
    f'<!ENTITY l{level} "{f"&l{level - 1};" * 10}">' if level else '<!ENTITY l0 "ha">'
    for level in range(10)
)
LAUGHS = f"<!DOCTYPE r [{_ENTITIES}]>"  # &l9; stands for 2 * 10**9 letters
PASSWD = '<!DOCTYPE r [<!ENTITY x SYSTEM "file:///etc/passwd">]>'


def _zip(path: Path, entries: dict[str, bytes | Iterable[bytes]]) -> Path:
    """An archive with streamed entries; a leading `mimetype` is stored uncompressed."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        for name, data in entries.items():
            info = zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0))
            info.compress_type = zipfile.ZIP_STORED if name == "mimetype" else zipfile.ZIP_DEFLATED
            with archive.open(info, "w", force_zip64=True) as entry:
                for part in [data] if isinstance(data, bytes) else data:
                    entry.write(part)
    return path


def _office(main: str, kind: str) -> dict[str, bytes | Iterable[bytes]]:
    """The two files every Office document starts with."""
    types = (
        f'<Types xmlns="{_OFFICE}/package/2006/content-types">'
        '<Default Extension="rels" '
        'ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
        '<Default Extension="xml" ContentType="application/xml"/>'
        f'<Override PartName="/{main}" '
        f'ContentType="application/vnd.openxmlformats-officedocument.{kind}.main+xml"/></Types>'
    )
    relations = (
        f'<Relationships xmlns="{_OFFICE}/package/2006/relationships"><Relationship Id="r1" '
        f'Type="{_OFFICE}/officeDocument/2006/relationships/officeDocument" Target="{main}"/>'
        "</Relationships>"
    )
    return {"[Content_Types].xml": types.encode(), "_rels/.rels": relations.encode()}


def _grown(head: str, filler: str, tail: str, size: int) -> Iterable[bytes]:
    """`filler` repeated to about `size` bytes between head and tail, without holding it."""
    block = filler.encode() * (MIB // len(filler))
    yield head.encode()
    for _ in range(size // len(block)):
        yield block
    yield tail.encode()


def _docx_body(doctype: str = "") -> tuple[str, str]:
    head = (
        f'<?xml version="1.0"?>{doctype}<w:document '
        f'xmlns:w="{_OFFICE}/wordprocessingml/2006/main"><w:body><w:p><w:r><w:t>{MARKER} '
    )
    return head, "</w:t></w:r></w:p></w:body></w:document>"


def docx_bomb(folder: Path, size: int = 256 * MIB, name: str = "bomb.docx") -> Path:
    """One paragraph of `size` zeros: about a thousandth of that on disk."""
    entries = _office("word/document.xml", "wordprocessingml.document")
    entries["word/document.xml"] = _grown(_docx_body()[0], "0" * 64, _docx_body()[1], size)
    return _zip(folder / name, entries)


def docx_entity_bomb(folder: Path) -> Path:
    """Billion laughs inside word/document.xml."""
    head, tail = _docx_body(LAUGHS)
    entries = _office("word/document.xml", "wordprocessingml.document")
    entries["word/document.xml"] = f"{head}&l9;{tail}".encode()
    return _zip(folder / "laughs.docx", entries)


def docx_external_entity(folder: Path) -> Path:
    """An entity naming /etc/passwd inside word/document.xml."""
    head, tail = _docx_body(PASSWD)
    entries = _office("word/document.xml", "wordprocessingml.document")
    entries["word/document.xml"] = f"{head}&x;{tail}".encode()
    return _zip(folder / "external.docx", entries)


def docx_lying_size(folder: Path) -> Path:
    """64 MiB of text declared as 100 bytes: who believes the sizes unpacks it all."""
    path = docx_bomb(folder, 64 * MIB, "lying.docx")
    data = bytearray(path.read_bytes())
    # (signature, offset of the unpacked size, offset of the name) of both headers of an entry
    for signature, size_at, name_at in ((b"PK\x01\x02", 24, 46), (b"PK\x03\x04", 22, 30)):
        at = data.find(signature)
        while at >= 0:
            if data.startswith(b"word/document.xml", at + name_at):
                data[at + size_at : at + size_at + 4] = struct.pack("<I", 100)
            at = data.find(signature, at + 4)
    path.write_bytes(data)
    return path


def xlsx_bomb(folder: Path, size: int = 256 * MIB) -> Path:
    """A sheet of `size` bytes of one repeated row."""
    entries = _office("xl/workbook.xml", "spreadsheetml.sheet")
    space = f"{_OFFICE}/spreadsheetml/2006/main"
    relation = f"{_OFFICE}/officeDocument/2006/relationships"
    entries["xl/workbook.xml"] = (
        f'<workbook xmlns="{space}" xmlns:r="{relation}"><sheets>'
        '<sheet name="S" sheetId="1" r:id="r1"/></sheets></workbook>'
    ).encode()
    entries["xl/_rels/workbook.xml.rels"] = (
        f'<Relationships xmlns="{_OFFICE}/package/2006/relationships"><Relationship Id="r1" '
        f'Type="{relation}/worksheet" Target="worksheets/sheet1.xml"/></Relationships>'
    ).encode()
    entries["xl/worksheets/sheet1.xml"] = _grown(
        f'<worksheet xmlns="{space}"><sheetData>',
        '<row><c t="inlineStr"><is><t>words</t></is></c></row>',
        "</sheetData></worksheet>",
        size,
    )
    return _zip(folder / "bomb.xlsx", entries)


def odt_bomb(folder: Path, size: int = 256 * MIB) -> Path:
    """One paragraph of `size` zeros."""
    head = (
        f'<office:document-content xmlns:office="{_ODF}:office:1.0" xmlns:text="{_ODF}:text:1.0">'
        f"<office:body><office:text><text:p>{MARKER} "
    )
    tail = "</text:p></office:text></office:body></office:document-content>"
    entries: dict[str, bytes | Iterable[bytes]] = {
        "mimetype": b"application/vnd.oasis.opendocument.text",
        "content.xml": _grown(head, "0" * 64, tail, size),
    }
    return _zip(folder / "bomb.odt", entries)


def epub_bomb(folder: Path, size: int = 256 * MIB) -> Path:
    """One chapter of `size` bytes of short paragraphs."""
    entries: dict[str, bytes | Iterable[bytes]] = {
        "mimetype": b"application/epub+zip",
        "META-INF/container.xml": b'<container xmlns="urn:oasis:names:tc:opendocument:xmlns:'
        b'container"><rootfiles><rootfile full-path="book.opf"/></rootfiles></container>',
        "book.opf": b'<package xmlns="http://www.idpf.org/2007/opf"><manifest>'
        b'<item id="c" href="c.xhtml" media-type="application/xhtml+xml"/></manifest>'
        b'<spine><itemref idref="c"/></spine></package>',
        "c.xhtml": _grown(
            f'<html xmlns="http://www.w3.org/1999/xhtml"><body><p>{MARKER}</p>',
            "<p>" + "0" * 57 + "</p>",
            "</body></html>",
            size,
        ),
    }
    return _zip(folder / "bomb.epub", entries)


def docx_truncated(folder: Path) -> Path:
    """A valid document without its second half, central directory included."""
    path = docx_bomb(folder, MIB, "truncated.docx")
    data = path.read_bytes()
    path.write_bytes(data[: len(data) // 2])
    return path


ALL = (
    docx_bomb,
    docx_entity_bomb,
    docx_external_entity,
    docx_lying_size,
    docx_truncated,
    xlsx_bomb,
    odt_bomb,
    epub_bomb,
)
