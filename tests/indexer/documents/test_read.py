import os
from pathlib import Path

import pytest

from indexer.documents import formats
from indexer.documents.read import LoadError, Reader, load
from indexer.errors import ReadError
from indexer.types import Skipped, SkipReason

MIB = 1 << 20


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path.resolve()


def reason_of(path: Path, max_bytes: int = MIB) -> SkipReason:
    with pytest.raises(LoadError, match=str(path)) as caught:
        load(path, max_bytes)
    assert caught.value.skipped == Skipped(path, caught.value.reason, caught.value.detail)
    return caught.value.reason


def test_load_regular_file_gives_its_bytes(folder: Path) -> None:
    data = os.urandom(3 * MIB)
    (folder / "a").write_bytes(data)
    assert load(folder / "a", 4 * MIB) == data


def test_load_missing_file_is_a_read_error_naming_it(folder: Path) -> None:
    with pytest.raises(ReadError, match="gone.md: No such file"):
        load(folder / "gone.md", MIB)


def test_load_file_over_the_limit_is_too_large(folder: Path) -> None:
    (folder / "a").write_bytes(b"x" * 11)
    assert reason_of(folder / "a", 10) is SkipReason.TOO_LARGE
    assert load(folder / "a", 11) == b"x" * 11


def test_load_file_swapped_for_a_link_is_not_followed(folder: Path) -> None:
    (folder / "secret").write_text("secret")
    (folder / "a").symlink_to(folder / "secret")
    assert reason_of(folder / "a") is SkipReason.LINK


def test_load_folder_on_the_path_swapped_for_a_link_is_noticed(folder: Path) -> None:
    (folder / "outside").mkdir()
    (folder / "outside" / "a.md").write_text("secret")
    (folder / "root").symlink_to(folder / "outside")
    assert reason_of(folder / "root" / "a.md") is SkipReason.LINK


def test_load_without_proc_still_notices_links(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.platform", "darwin")
    test_load_folder_on_the_path_swapped_for_a_link_is_noticed(folder)
    (folder / "plain").write_text("x")
    assert load(folder / "plain", MIB) == b"x"


def test_load_fifo_and_device_do_not_hang(folder: Path) -> None:
    os.mkfifo(folder / "fifo")
    assert reason_of(folder / "fifo") is SkipReason.SPECIAL
    assert reason_of(Path("/dev/zero")) is SkipReason.SPECIAL


def test_load_folder_is_special(folder: Path) -> None:
    assert reason_of(folder) is SkipReason.SPECIAL


def test_load_name_that_is_not_utf8_is_read(folder: Path) -> None:
    path = Path(os.fsdecode(os.fsencode(folder) + b"/\xff.md"))
    path.write_text("x")
    assert load(path, MIB) == b"x"


def test_reader_missing_extra_names_the_command(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(formats, "_is_installed", lambda _module: False)
    with Reader() as reader:
        for name, data, extra in (
            ("a.pdf", b"%PDF-1.7", "pdf"),
            ("a.html", b"<p>", "html"),
            ("a.docx", b"PK\x03\x04", "office"),
            ("a.odt", b"PK\x03\x04", "html"),
        ):
            answer = reader.read(Path(name), data)
            assert isinstance(answer, Skipped)
            assert answer.reason is SkipReason.MISSING_EXTRA
            assert answer.detail.endswith(f"pip install 'semsearch[{extra}]'")


@pytest.mark.parametrize(
    ("name", "data", "reason", "words"),
    [
        ("a.txt", b"\x89PNG\r\n\x1a\n....", SkipReason.BINARY, "an image"),
        ("a", b"\x7fELF\x02\x01\x01", SkipReason.BINARY, "a program"),
        ("a.zip", b"PK\x03\x04....", SkipReason.BINARY, "Unpack it"),
        ("a.doc", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1....", SkipReason.BINARY, "Save it as .docx"),
        ("a.pages", b"PK\x03\x04....", SkipReason.BINARY, "Apple Pages"),
        ("a.md", bytes(range(1, 32)) * 40, SkipReason.BINARY, "binary data"),
        ("a.md", b" \n\n", SkipReason.EMPTY, "no text"),
        ("a.md", b"", SkipReason.EMPTY, "no text"),
    ],
)
def test_reader_what_cannot_be_read_has_reason_and_detail(
    reader: Reader, name: str, data: bytes, reason: SkipReason, words: str
) -> None:
    answer = reader.read(Path("/folder") / name, data)
    assert isinstance(answer, Skipped)
    assert (answer.path, answer.reason) == (Path("/folder") / name, reason)
    assert words in answer.detail


def test_reader_large_text_is_parsed_under_the_time_limit(reader: Reader) -> None:
    data = b"# Title\n\n" + b"word " * 300_000
    (document,) = reader.read(Path("large.md"), data)
    assert document.text == data.decode()
    assert document.title == "Title"
