"""Small real files of binary formats, made on the spot."""

import io
import zipfile
import zlib
from collections.abc import Mapping

EPUB = "application/epub+zip"
ODT = "application/vnd.oasis.opendocument.text"


def zipped(parts: Mapping[str, str | bytes], mimetype: str = "") -> bytes:
    """A zip container; the mimetype comes first and stored, as ODF and EPUB want it."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        if mimetype:
            archive.writestr(zipfile.ZipInfo("mimetype"), mimetype)
        for name, content in parts.items():
            archive.writestr(name, content)
    return buffer.getvalue()


def docx(body: str, **parts: str) -> bytes:
    """A Word document with this XML as its body."""
    namespace = "http://schemas.openxmlformats.org/wordprocessingml/2006/main"
    document = f'<w:document xmlns:w="{namespace}"><w:body>{body}</w:body></w:document>'
    return zipped({"[Content_Types].xml": "<Types/>", "word/document.xml": document, **parts})


def pdf(pages: list[str], font: str = "Helvetica") -> bytes:
    """A PDF whose pages have these content streams; the font is called F1, its bold one F2."""
    objects = [b"<< /Type /Catalog /Pages 2 0 R >>"]
    kids = " ".join(f"{5 + 2 * n} 0 R" for n in range(len(pages)))
    objects.append(f"<< /Type /Pages /Kids [{kids}] /Count {len(pages)} >>".encode())
    for name in (font, f"{font}-Bold"):
        objects.append(f"<< /Type /Font /Subtype /Type1 /BaseFont /{name} >>".encode())
    for n, page in enumerate(pages):
        resources = "<< /Font << /F1 3 0 R /F2 4 0 R >> >>"
        objects.append(
            f"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 600 800] /Resources {resources} "
            f"/Contents {6 + 2 * n} 0 R >>".encode()
        )
        objects.append(stream(page.encode()))
    return assemble(objects)


def stream(data: bytes, filters: int = 1) -> bytes:
    """A PDF stream object, compressed so many times."""
    for _ in range(filters):
        data = zlib.compress(data, 6)
    names = "/FlateDecode " * filters
    head = f"<< /Length {len(data)} /Filter [{names}] >>\nstream\n".encode()
    return head + data + b"\nendstream"


def assemble(objects: list[bytes]) -> bytes:
    """A PDF file of these objects, the first its catalog."""
    out = bytearray(b"%PDF-1.7\n")
    starts = []
    for number, content in enumerate(objects, 1):
        starts.append(len(out))
        out += f"{number} 0 obj\n".encode() + content + b"\nendobj\n"
    table = len(out)
    out += f"xref\n0 {len(objects) + 1}\n0000000000 65535 f \n".encode()
    for start in starts:
        out += f"{start:010} 00000 n \n".encode()
    out += (
        f"trailer << /Size {len(objects) + 1} /Root 1 0 R >>\nstartxref\n{table}\n%%EOF\n".encode()
    )
    return bytes(out)


def shown(lines: list[tuple[str, int, str]], top: int = 750) -> str:
    """A page's content stream: (font, size, text) per line; "" as text leaves a gap."""
    parts, y = [], top
    for font, size, text in lines:
        if text:
            parts.append(f"BT /{font} {size} Tf 50 {y} Td ({text}) Tj ET")
        y -= int(size * 1.2)
    return "\n".join(parts)
