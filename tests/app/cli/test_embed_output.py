"""Vectors out: JSON that gives each float32 back, an array file that is whole or absent."""

import io
import json
from collections.abc import Sequence
from contextlib import redirect_stdout
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.cli.embed_input import InputText
from app.cli.embed_output import JsonLines, check_target, npy_output
from indexer.errors import UsageError

FLOATS = st.floats(width=32, allow_nan=False, allow_infinity=False)


def texts(n: int) -> list[InputText]:
    return [InputText("x")] * n


@given(st.lists(st.lists(FLOATS, min_size=3, max_size=3), max_size=4))
def test_json_gives_every_float32_back(rows: Sequence[Sequence[float]]) -> None:
    vectors = np.array(rows, dtype=np.float32).reshape(-1, 3)
    written = io.StringIO()
    with redirect_stdout(written):
        JsonLines().write(texts(len(vectors)), vectors)
    answers = [json.loads(line) for line in written.getvalue().splitlines()]
    back = np.array([answer["embedding"] for answer in answers], dtype=np.float32).reshape(-1, 3)
    assert np.array_equal(back, vectors)


def test_json_counts_on_over_windows_and_carries_ids() -> None:
    written = io.StringIO()
    one = np.array([[0.5, -1.0]], dtype=np.float32)
    with redirect_stdout(written):
        output = JsonLines()
        output.write([InputText("x")], one)
        output.write([InputText("y", ("_id", "\u6587\n"))], one)
    assert written.getvalue().splitlines() == [
        '{"index": 0, "embedding": [0.5, -1]}',
        '{"index": 1, "_id": "\\u6587\\n", "embedding": [0.5, -1]}',
    ]


@pytest.mark.parametrize("sizes", [[], [1], [3, 2], [9, 90, 900]])
def test_npy_has_all_rows_in_order(tmp_path: Path, sizes: list[int]) -> None:
    drawn = np.random.default_rng(1).standard_normal((sum(sizes), 5)).astype(np.float32)
    with npy_output(tmp_path / "out.npy", 5) as output:
        start = 0
        for size in sizes:
            output.write(texts(size), drawn[start : start + size])
            start += size
    array = np.load(tmp_path / "out.npy", mmap_mode="r")
    assert (array.dtype, array.shape) == (np.dtype("<f4"), (sum(sizes), 5))
    assert np.array_equal(array, drawn)
    assert [path.name for path in tmp_path.iterdir()] == ["out.npy"]


def test_npy_header_has_the_same_size_for_any_number_of_rows() -> None:
    """The header is written twice, so its length must not depend on the rows in between."""
    from numpy.lib import format as npy

    lengths = set()
    for rows in (0, 9, 10**7, 10**18):
        header = io.BytesIO()
        npy.write_array_header_1_0(
            header, {"descr": "<f4", "fortran_order": False, "shape": (rows, 1024)}
        )
        lengths.add(len(header.getvalue()))
    assert len(lengths) == 1


@pytest.mark.parametrize("end", [KeyboardInterrupt, RuntimeError, SystemExit])
def test_npy_interrupted_leaves_what_was_there_before(
    tmp_path: Path, end: type[BaseException]
) -> None:
    target = tmp_path / "out.npy"
    target.write_bytes(b"old")

    def write_and_end() -> None:
        with npy_output(target, 2) as output:
            output.write(texts(1), np.ones((1, 2), dtype=np.float32))
            raise end

    with pytest.raises(end):
        write_and_end()
    assert target.read_bytes() == b"old"
    assert [path.name for path in tmp_path.iterdir()] == ["out.npy"]


def test_npy_in_a_folder_that_does_not_exist_is_refused(tmp_path: Path) -> None:
    with (
        pytest.raises(UsageError, match=r"nowhere: cannot write there"),
        npy_output(tmp_path / "nowhere" / "out.npy", 2),
    ):
        pass


def test_npy_under_the_name_of_a_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "out.npy").mkdir()
    with pytest.raises(UsageError, match="is a folder"), npy_output(tmp_path / "out.npy", 2):
        pass


def test_output_of_another_kind_is_refused_by_name() -> None:
    check_target("-")
    check_target("a/b.NPY")
    with pytest.raises(UsageError, match=r"-o out\.csv: give a name that ends in \.npy"):
        check_target("out.csv")
