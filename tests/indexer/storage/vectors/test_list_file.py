"""Codes are found the same wherever their lists lie, and a file that is none is refused."""

import os
import sys
from pathlib import Path
from typing import Any

import faiss
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from indexer.storage.vectors.choice import CodeSpec
from indexer.storage.vectors.codes import Codes

from .conftest import DIMENSION, clustered

ROWS = clustered(2_000).astype(np.float16)
QUERIES = clustered(30, seed=5)


def made(lists: int = 16, subquantizers: int = 16, rows: Any = ROWS) -> Codes:
    codes = Codes.train(CodeSpec(lists, subquantizers), ROWS.astype(np.float32))
    assert list(codes.add(rows))[-1:] == [len(rows)][: len(rows)]
    return codes


def read(path: Path, *, growable: bool = False) -> Codes:
    with open(path, "rb") as file:
        return Codes.read(file, path, growable=growable)


def lists_of(codes: Codes) -> Any:
    return faiss.downcast_InvertedLists(codes._index.invlists)


@settings(max_examples=10, deadline=None)
@given(
    lists=st.sampled_from([1, 2, 16, 300]),
    subquantizers=st.sampled_from([1, 8, 16, 32]),
    count=st.integers(0, 400),
    growable=st.booleans(),
)
def test_what_was_written_finds_the_same(
    tmp_path_factory: pytest.TempPathFactory,
    lists: int,
    subquantizers: int,
    count: int,
    growable: bool,
) -> None:
    codes = made(lists, subquantizers, ROWS[:count])
    path = tmp_path_factory.mktemp("codes") / "a.codes"
    codes.write(path)
    again = read(path, growable=growable)
    assert (again.covered, again.lists, again.dimension) == (count, lists, DIMENSION)
    for scanned in (1, lists):
        expected = codes.nearest_codes(QUERIES, 20, scanned)
        assert (again.nearest_codes(QUERIES, 20, scanned) == expected).all()


def test_codes_read_to_grow_take_rows_as_those_that_were_never_written(tmp_path: Path) -> None:
    codes = made(rows=ROWS[:1_000])
    codes.write(tmp_path / "a.codes")
    grown = read(tmp_path / "a.codes", growable=True)
    for one in (codes, grown):
        assert list(one.add(ROWS[1_000:])) == [2_000]
    found = codes.nearest_codes(QUERIES, 20, 4)
    assert (grown.nearest_codes(QUERIES, 20, 4) == found).all()
    grown.write(tmp_path / "b.codes")
    assert (read(tmp_path / "b.codes").nearest_codes(QUERIES, 20, 4) == found).all()


def test_a_codes_file_survives_being_written_from_a_mapped_one(tmp_path: Path) -> None:
    codes = made()
    codes.write(tmp_path / "a.codes")
    read(tmp_path / "a.codes").write(tmp_path / "b.codes")
    assert (tmp_path / "b.codes").read_bytes() == (tmp_path / "a.codes").read_bytes()


@pytest.mark.skipif(sys.platform == "win32", reason="FAISS maps no lists there")
def test_lists_are_mapped_to_search_and_in_memory_to_grow(tmp_path: Path) -> None:
    made().write(tmp_path / "a.codes")
    assert isinstance(lists_of(read(tmp_path / "a.codes")), faiss.OnDiskInvertedLists)
    grown = read(tmp_path / "a.codes", growable=True)
    assert isinstance(lists_of(grown), faiss.BlockInvertedLists)


@pytest.mark.skipif(sys.platform != "linux", reason="names of any bytes")
def test_folder_whose_name_is_no_text_is_read_into_memory(tmp_path: Path) -> None:
    folder = Path(os.fsdecode(os.fsencode(tmp_path) + b"/\xff\xfe"))
    folder.mkdir()
    codes = made()
    codes.write(folder / "a.codes")
    found = read(folder / "a.codes").nearest_codes(QUERIES, 20, 4)
    assert (found == codes.nearest_codes(QUERIES, 20, 4)).all()


@pytest.mark.parametrize("data", [b"", b"semsearch codes1", b"IwPf" * 100, bytes(1000)])
def test_other_files_are_refused_with_their_name(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "a.codes"
    path.write_bytes(data)
    with pytest.raises(ValueError, match=r"a\.codes: not codes of this version"):
        read(path)


def test_cut_file_is_refused_with_both_lengths(tmp_path: Path) -> None:
    path = tmp_path / "a.codes"
    made().write(path)
    whole = path.stat().st_size
    os.truncate(path, whole - 64)
    with pytest.raises(ValueError, match=rf"a\.codes: {whole - 64} bytes, not {whole}"):
        read(path)


def test_file_that_was_replaced_meanwhile_is_not_mapped(tmp_path: Path) -> None:
    path = tmp_path / "a.codes"
    made().write(path)
    with open(path, "rb") as file:
        path.rename(tmp_path / "b.codes")
        made().write(path)
        with pytest.raises(OSError, match="replaced while it was opened"):
            Codes.read(file, path)
