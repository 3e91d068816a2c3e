"""Hostile PDFs, written by hand; `make_hostile_files` lists them with the other formats."""

import hashlib
import zlib
from collections.abc import Iterable
from pathlib import Path

MARKER = "harmless words before the attack"
_FONT = b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>"
# Algorithm 2 of ISO 32000-1: pads every password to 32 bytes.
_PAD = bytes.fromhex("28BF4E5E4E758A4164004E56FFFA01082E2E00B6D0683E802F0CA9FE6453697A")
_FILE_ID = bytes(range(16))


def _pdf(objects: Iterable[bytes], trailer: bytes = b"") -> bytes:
    """Objects numbered from 1 (the catalog), a cross-reference table, a trailer."""
    out = bytearray(b"%PDF-1.6\n%\xe2\xe3\xcf\xd3\n")
    offsets = []
    for number, data in enumerate(objects, start=1):
        offsets.append(len(out))
        out += b"%d 0 obj\n%b\nendobj\n" % (number, data)
    start = len(out)
    out += b"xref\n0 %d\n0000000000 65535 f \n" % (len(offsets) + 1)
    out += b"".join(b"%010d 00000 n \n" % offset for offset in offsets)
    out += b"trailer\n<< /Size %d /Root 1 0 R %b >>\n" % (len(offsets) + 1, trailer)
    out += b"startxref\n%d\n%%%%EOF\n" % start
    return bytes(out)


def _stream(data: bytes, filters: int = 0) -> bytes:
    """A stream said to be compressed `filters` times."""
    names = b"[" + b" /FlateDecode" * filters + b" ]"
    head = b"<< /Length %d /Filter %b >>" % (len(data), names)
    return head + b"\nstream\n" + data + b"\nendstream"


def _one_page(contents: bytes) -> list[bytes]:
    """Catalog, pages, page, font, contents."""
    page = (
        b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842]"
        b" /Resources << /Font << /F 4 0 R >> >> /Contents 5 0 R >>"
    )
    pages = b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>"
    return [b"<< /Type /Catalog /Pages 2 0 R >>", pages, page, _FONT, contents]


def _text(words: str) -> bytes:
    return b"BT /F 12 Tf 50 700 Td (" + words.encode("ascii") + b") Tj ET\n"


def flate_bomb(folder: Path, size: int = 1 << 28) -> Path:
    """A page whose contents are compressed three times and grow to `size` bytes of text."""
    packer = zlib.compressobj(9)
    block = _text("0" * 200) * 4096
    parts = [packer.compress(_text(MARKER))]
    parts += [packer.compress(block) for _ in range(size // len(block))]
    data = b"".join([*parts, packer.flush()])
    for _ in range(2):
        data = zlib.compress(data, 9)
    path = folder / "flate-bomb.pdf"
    path.write_bytes(_pdf(_one_page(_stream(data, 3))))
    return path


def many_pages(folder: Path, count: int = 100_000) -> Path:
    """`count` pages that share one contents stream; about 9 MB."""
    kids = b" ".join(b"%d 0 R" % (5 + number) for number in range(count))
    page = (
        b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 9 9]"
        b" /Resources << /Font << /F 3 0 R >> >> /Contents 4 0 R >>"
    )
    objects = [
        b"<< /Type /Catalog /Pages 2 0 R >>",
        b"<< /Type /Pages /Kids [" + kids + b"] /Count %d >>" % count,
        _FONT,
        _stream(_text(MARKER)),
        *[page] * count,
    ]
    path = folder / "many-pages.pdf"
    path.write_bytes(_pdf(objects))
    return path


def page_tree_loop(folder: Path) -> Path:
    """A page tree that is its own child and claims a million pages."""
    objects = _one_page(_stream(_text(MARKER)))
    objects[1] = b"<< /Type /Pages /Kids [2 0 R 3 0 R] /Count 1000000 >>"
    path = folder / "page-loop.pdf"
    path.write_bytes(_pdf(objects))
    return path


def xref_loop(folder: Path) -> Path:
    """A cross-reference table whose predecessor is itself."""
    data = _pdf(_one_page(_stream(_text(MARKER))))
    start = int(data.rsplit(b"startxref\n", 1)[1].split(b"\n")[0])
    data = data.replace(b"/Root 1 0 R", b"/Root 1 0 R /Prev %d" % start)
    path = folder / "xref-loop.pdf"
    path.write_bytes(data)
    return path


def truncated(folder: Path) -> Path:
    """A valid file without its last third: no table, no trailer."""
    data = _pdf(_one_page(_stream(_text(MARKER + " ") * 200)))
    path = folder / "truncated.pdf"
    path.write_bytes(data[: len(data) * 2 // 3])
    return path


def encrypted(folder: Path, password: str = "secret") -> Path:
    """Encrypted with 128-bit RC4. An empty `password` opens unasked, as many real ones do."""
    permissions = -44
    owner = _owner_entry(b"owner", password.encode("latin-1"))
    key = _file_key(password.encode("latin-1"), owner, permissions)
    user = _user_entry(key)
    plain = _text(MARKER)
    objects = _one_page(_stream(_rc4(_object_key(key, 5), plain)))
    objects.append(
        b"<< /Filter /Standard /V 2 /R 3 /Length 128 /P %d /O <%b> /U <%b> >>"
        % (permissions, owner.hex().encode(), user.hex().encode())
    )
    file_id = _FILE_ID.hex().encode()
    path = folder / ("locked.pdf" if password else "locked-without-password.pdf")
    path.write_bytes(_pdf(objects, b"/Encrypt 6 0 R /ID [<%b> <%b>]" % (file_id, file_id)))
    return path


def encrypted_without_password(folder: Path) -> Path:
    """Encrypted for the empty user password: every reader opens it."""
    return encrypted(folder, "")


def _rc4(key: bytes, data: bytes) -> bytes:
    state = list(range(256))
    j = 0
    for i in range(256):
        j = (j + state[i] + key[i % len(key)]) % 256
        state[i], state[j] = state[j], state[i]
    out = bytearray()
    i = j = 0
    for byte in data:
        i = (i + 1) % 256
        j = (j + state[i]) % 256
        state[i], state[j] = state[j], state[i]
        out.append(byte ^ state[(state[i] + state[j]) % 256])
    return bytes(out)


def _md5(data: bytes, rounds: int = 1) -> bytes:
    for _ in range(rounds):
        data = hashlib.md5(data, usedforsecurity=False).digest()
    return data


def _rc4_rounds(key: bytes, data: bytes) -> bytes:
    """Twenty passes with the key XORed by the pass number, as revision 3 demands."""
    for number in range(20):
        data = _rc4(bytes(byte ^ number for byte in key), data)
    return data


def _owner_entry(owner: bytes, user: bytes) -> bytes:
    """Algorithm 3: the padded user password under a key made of the owner's."""
    key = _md5((owner + _PAD)[:32], 51)
    return _rc4_rounds(key, (user + _PAD)[:32])


def _file_key(user: bytes, owner_entry: bytes, permissions: int) -> bytes:
    """Algorithm 2."""
    start = (user + _PAD)[:32] + owner_entry + permissions.to_bytes(4, "little", signed=True)
    return _md5(start + _FILE_ID, 51)


def _user_entry(key: bytes) -> bytes:
    """Algorithm 5."""
    return _rc4_rounds(key, _md5(_PAD + _FILE_ID)) + bytes(16)


def _object_key(key: bytes, number: int) -> bytes:
    """Algorithm 1: the file's key salted with object number and generation 0."""
    return _md5(key + number.to_bytes(3, "little") + bytes(2))[:16]


ALL = (
    flate_bomb,
    many_pages,
    page_tree_loop,
    xref_loop,
    truncated,
    encrypted,
    encrypted_without_password,
)
