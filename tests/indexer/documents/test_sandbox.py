"""Hostile files: each costs one line in the report, and the next file is read all the same."""

import os
import signal
import sys
import threading
import time
import zipfile
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path

import pytest

from indexer.documents import sandbox as sandbox_module
from indexer.documents.limits import ReadLimits
from indexer.documents.read import Reader
from indexer.documents.sandbox import Sandbox
from indexer.errors import UsageError
from indexer.types import ParsedDocument, Skipped, SkipReason

from .files import assemble, docx, shown, stream, zipped

PAGE = b"<html><body><p>still alive</p></body></html>"
MIB = 1 << 20


@pytest.fixture
def strict() -> Iterator[Reader]:
    with Reader(ReadLimits(memory_bytes=256 * MIB, timeout_s=4, text_bytes=MIB)) as reader:
        yield reader


def read(reader: Reader, name: str, data: bytes) -> list[ParsedDocument] | Skipped:
    return reader.read(Path("/folder") / name, data)


def assert_alive(reader: Reader) -> None:
    answer = read(reader, "page.html", PAGE)
    assert isinstance(answer, list)
    assert answer[0].text == "still alive\n"


def pid_of(reader: Reader) -> int:
    process = reader._sandbox._process
    assert process is not None
    return process.pid


def test_reader_two_files_share_one_child_process(strict: Reader) -> None:
    assert_alive(strict)
    first = pid_of(strict)
    assert_alive(strict)
    assert pid_of(strict) == first


def test_reader_text_files_start_no_child(strict: Reader) -> None:
    assert isinstance(read(strict, "a.md", b"# Hi\n"), list)
    assert strict._sandbox._process is None


def test_reader_closed_ends_the_child() -> None:
    with Reader() as reader:
        assert_alive(reader)
        process = reader._sandbox._process
    assert process is not None
    assert process.poll() is not None


def test_reader_zip_bomb_is_refused_by_its_size(strict: Reader) -> None:
    content = "<a>" + " " * 12_345 + "</a>"
    size, claimed = len(content), 3 << 30
    bomb = docx("", **{"word/comments.xml": content}).replace(
        size.to_bytes(4, "little"), claimed.to_bytes(4, "little")
    )
    answer = read(strict, "bomb.docx", bomb)
    assert isinstance(answer, Skipped)
    assert answer.reason is SkipReason.OUTPUT
    assert answer.path == Path("/folder/bomb.docx")
    assert "word/comments.xml unpacks to 3,072 MiB" in answer.detail
    assert_alive(strict)


def test_reader_small_zip_whose_tree_is_large_hits_the_memory_limit(strict: Reader) -> None:
    answer = read(strict, "tree.docx", docx("<w:p/>" * 6_000_000))
    assert isinstance(answer, Skipped)
    assert answer.reason in (SkipReason.MEMORY, SkipReason.TIMEOUT)
    assert_alive(strict)


def test_reader_zip_that_lies_about_its_size_is_broken(strict: Reader) -> None:
    honest = docx("<w:p><w:r><w:t>" + "x" * 100_000 + "</w:t></w:r></w:p>")
    with zipfile.ZipFile(BytesIO(honest)) as archive:
        size = archive.getinfo("word/document.xml").file_size
    lie = honest.replace(size.to_bytes(4, "little"), (1000).to_bytes(4, "little"))
    answer = read(strict, "lie.docx", lie)
    assert isinstance(answer, Skipped)
    assert answer.reason is SkipReason.BROKEN
    assert_alive(strict)


def test_reader_text_over_the_limit_is_refused(strict: Reader) -> None:
    paragraph = "<w:p><w:r><w:t>" + "word " * 30_000 + "</w:t></w:r></w:p>"
    answer = read(strict, "long.docx", docx(paragraph * 10))
    assert isinstance(answer, Skipped)
    assert answer.reason is SkipReason.OUTPUT
    assert "1 MiB of text" in answer.detail
    assert_alive(strict)


def test_reader_text_limit_counts_bytes_of_utf8() -> None:
    with Reader(ReadLimits(text_bytes=1000)) as reader:
        assert isinstance(read(reader, "a.txt", "語".encode() * 333), list)
        answer = read(reader, "a.txt", "語".encode() * 334)
    assert isinstance(answer, Skipped)
    assert answer.reason is SkipReason.OUTPUT


def test_reader_xml_entities_expand_to_nothing(strict: Reader) -> None:
    laughs = '<?xml version="1.0"?><!DOCTYPE a [<!ENTITY a0 "lol">' + "".join(
        f'<!ENTITY a{n} "{f"&a{n - 1};" * 10}">' for n in range(1, 12)
    )
    laughs += "]><a><p>before</p><p>&a11;</p></a>"
    answer = read(strict, "laughs.xml", laughs.encode())
    text = answer[0].text if isinstance(answer, list) else ""
    assert "lol" not in text
    assert_alive(strict)


def test_reader_xml_that_names_a_local_file_does_not_read_it(
    strict: Reader, tmp_path: Path
) -> None:
    secret = tmp_path / "secret"
    secret.write_text("TOP SECRET")
    data = f'<!DOCTYPE a [<!ENTITY x SYSTEM "file://{secret}">]><a><p>see</p><p>&x;</p></a>'
    answer = read(strict, "xxe.xml", data.encode())
    assert isinstance(answer, list)
    assert "SECRET" not in answer[0].text


def test_reader_pdf_with_nested_flate_ends_within_its_limits(strict: Reader) -> None:
    text = b"BT /F1 12 Tf (x) Tj ET " + b" " * (300 * MIB)
    objects = [
        b"<< /Type /Catalog /Pages 2 0 R >>",
        b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
        b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 9 9] /Contents 4 0 R >>",
        stream(text, filters=3),
    ]
    data = assemble(objects)
    assert len(data) < MIB
    answer = read(strict, "bomb.pdf", data)
    assert isinstance(answer, Skipped)
    assert answer.reason in (SkipReason.MEMORY, SkipReason.TIMEOUT)
    assert_alive(strict)


def test_reader_pdf_of_a_million_pages_times_out(strict: Reader) -> None:
    kids = b"3 0 R " * 1_000_000
    objects = [
        b"<< /Type /Catalog /Pages 2 0 R >>",
        b"<< /Type /Pages /Count 1000000 /Kids [" + kids + b"] >>",
        b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 600 800] /Contents 4 0 R "
        b"/Resources << /Font << /F1 5 0 R >> >> >>",
        stream(shown([("F1", 12, "again and again")] * 50).encode()),
        b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>",
    ]
    answer = read(strict, "pages.pdf", assemble(objects))
    assert isinstance(answer, Skipped)
    assert answer.reason in (SkipReason.TIMEOUT, SkipReason.MEMORY, SkipReason.OUTPUT)
    assert_alive(strict)


def test_reader_damaged_files_of_each_kind_are_broken(strict: Reader) -> None:
    cut = {
        "a.docx": docx("<w:p/>")[:-30],
        "b.pdf": b"%PDF-1.7\n" + os.urandom(500),
        "c.epub": zipped({"META-INF/container.xml": "<x/>"}, "application/epub+zip"),
        "d.xlsx": zipped({"[Content_Types].xml": "<Types/>", "xl/workbook.xml": "<oops"}),
        "e.pptx": zipped({"[Content_Types].xml": "<Types/>", "ppt/presentation.xml": "<a/>"}),
        "f.odt": zipped({}, "application/vnd.oasis.opendocument.text"),
        "g.xml": b"<a><b></a>",
    }
    for name, data in cut.items():
        answer = read(strict, name, data)
        assert isinstance(answer, Skipped), name
        assert answer.reason is SkipReason.BROKEN, answer
        assert answer.detail, name
        assert_alive(strict)


@pytest.mark.parametrize(
    ("code", "reason", "words"),
    [
        ("import os, signal; os.kill(os.getpid(), signal.SIGSEGV)", SkipReason.BROKEN, "signal 11"),
        ("import os; os._exit(3)", SkipReason.BROKEN, "exit code 3"),
        ("while True: pass", SkipReason.TIMEOUT, "2 s"),
        ("x = bytearray(1 << 33)", SkipReason.MEMORY, "256 MiB"),
        ("raise RuntimeError('odd')", SkipReason.BROKEN, "RuntimeError: odd"),
        ("def f(): f()\nf()", SkipReason.BROKEN, "RecursionError"),
        ("import socket; socket.create_connection(('127.0.0.1', 9))", SkipReason.BROKEN, "network"),
        ("f = open('out', 'w'); f.write('x'); f.close()", SkipReason.BROKEN, "OSError"),
        ("print('noise')\nimport sys; sys.stdout.flush(); 1/0", SkipReason.BROKEN, "ZeroDivision"),
    ],
)
def test_sandbox_parser_misbehaving_costs_one_file(
    code: str,
    reason: SkipReason,
    words: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A parser taken over by its file: played by a reader that runs what it is given."""
    plant_reader(tmp_path, monkeypatch)
    # Where the limit is not the question, a busy machine must not reach it.
    timeout_s = 2 if reason is SkipReason.TIMEOUT else 60
    with Sandbox(ReadLimits(memory_bytes=256 * MIB, timeout_s=timeout_s)) as sandbox:
        with pytest.raises(sandbox_module.Rejected) as caught:
            sandbox.parse("planted", "text", code.encode())
        assert caught.value.reason is reason
        assert words in caught.value.detail
        (document,) = sandbox.parse("plain", "text", b"next")
        assert document.text == "next"
    assert not (tmp_path / "out").exists() or (tmp_path / "out").stat().st_size == 0


def plant_reader(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (folder / "indexer_planted.py").write_text(
        "import indexer.documents.readers as readers, sys\n"
        "def parse(data, source):\n"
        "    exec(data.decode(), {})\n"
        "    return []\n"
        "sys.modules['indexer.documents.readers.planted'] = sys.modules[__name__]\n"
    )
    boot = sandbox_module._BOOT.replace("main()", "import indexer_planted; main()")
    monkeypatch.setattr(sandbox_module, "_BOOT", boot)
    monkeypatch.syspath_prepend(str(folder))
    monkeypatch.chdir(folder)


def test_sandbox_child_that_died_between_files_is_replaced() -> None:
    with Sandbox(ReadLimits()) as sandbox:
        sandbox.parse("plain", "text", b"one")
        assert sandbox._process is not None
        sandbox._process.kill()
        (document,) = sandbox.parse("plain", "text", b"two")
        assert document.text == "two"


def test_sandbox_crash_in_a_used_child_is_tried_again_in_a_fresh_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plant_reader(tmp_path, monkeypatch)
    code = f"import os\nif not os.path.exists({str(tmp_path / 'seen')!r}): os.kill(os.getpid(), 11)"
    with Sandbox(ReadLimits()) as sandbox:
        sandbox.parse("plain", "text", b"one")
        first = sandbox._process
        with pytest.raises(sandbox_module.Rejected, match="signal 11"):
            sandbox.parse("planted", "text", code.encode())
        (tmp_path / "seen").touch()
        assert sandbox.parse("planted", "text", code.encode()) == []
        assert sandbox._process is not first


@pytest.mark.skipif(sys.platform == "win32", reason="signals")
def test_sandbox_ctrl_c_does_not_reach_the_child() -> None:
    with Sandbox(ReadLimits()) as sandbox:
        sandbox.parse("plain", "text", b"one")
        assert sandbox._process is not None
        sandbox._process.send_signal(signal.SIGINT)
        time.sleep(0.1)
        assert sandbox._process.poll() is None
        sandbox.parse("plain", "text", b"two")


def test_sandbox_two_threads_get_their_own_answers() -> None:
    answers: dict[int, str] = {}
    with Sandbox(ReadLimits()) as sandbox:

        def ask(number: int) -> None:
            for _ in range(10):
                answers[number] = sandbox.parse("plain", "text", f"{number}".encode())[0].text

        threads = [threading.Thread(target=ask, args=(number,)) for number in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert answers == {number: f"{number}" for number in range(4)}


def test_read_limits_that_cannot_work_are_refused() -> None:
    with pytest.raises(UsageError, match="64 MiB"):
        ReadLimits(memory_bytes=64 * MIB)
    with pytest.raises(UsageError, match="-1 s"):
        ReadLimits(timeout_s=-1)
