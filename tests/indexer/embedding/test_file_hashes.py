import hashlib
import os
from pathlib import Path

import pytest

from indexer.embedding import file_hashes
from indexer.embedding.file_hashes import CACHE_NAME, sha256_of
from indexer.errors import ModelError

TEXT = b"weights"
DIGEST = hashlib.sha256(TEXT).hexdigest()


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "model.safetensors"
    path.write_bytes(TEXT)
    return path


def test_unchanged_file_is_hashed_once(
    file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert sha256_of(file, tmp_path / "cache") == DIGEST
    monkeypatch.setattr(file_hashes, "_hash", lambda *_: pytest.fail("hashed again"))
    assert sha256_of(file, tmp_path / "cache") == DIGEST


def test_same_size_and_mtime_but_other_content_is_noticed_by_ctime(
    file: Path, tmp_path: Path
) -> None:
    sha256_of(file, tmp_path)
    before = file.stat()
    file.write_bytes(b"w3ights")
    os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert sha256_of(file, tmp_path) == hashlib.sha256(b"w3ights").hexdigest()


@pytest.mark.parametrize("damage", [b"", b"[]", b"{", b"\xff", b'{"x": 3}'])
def test_damaged_cache_costs_hashing_and_nothing_else(
    file: Path, tmp_path: Path, damage: bytes
) -> None:
    sha256_of(file, tmp_path)
    (tmp_path / CACHE_NAME).write_bytes(damage)
    assert sha256_of(file, tmp_path) == DIGEST


def test_cache_folder_that_cannot_be_written_is_no_error(file: Path) -> None:
    assert sha256_of(file, file / "no-folder") == DIGEST


def test_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="gone: cannot be read"):
        sha256_of(tmp_path / "gone")


def test_progress_adds_up_to_the_size(file: Path) -> None:
    seen: list[int] = []
    sha256_of(file, on_bytes=seen.append)
    assert sum(seen) == len(TEXT)
