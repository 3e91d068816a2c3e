"""The arithmetic of the CPU comparison: ratios within a round, shares of limits, promises."""

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "benchmarks" / "cpu"))

from driver import Result  # noqa: E402 - after the path
from promises import promises, promises_table  # noqa: E402
from table import NAIVE, REFERENCE, markdown, summary  # noqa: E402
from workloads import Workload  # noqa: E402

LOADS = [
    Workload("indexing", ("x",), 1000),
    Workload("mixed batch of 8", ("x",), 100),
    Workload("query of 24 tokens", ("x",), 24),
    Workload("1 x 128 tokens", ("x",), 128),
    Workload("instructed query", ("x",), 32, query=True),
]


def result(indexing: list[float], query: float, rss: float, vector: list[float]) -> Result:
    found = Result(load_s=1.0, peak_rss_mib=rss)
    found.rounds["indexing"] = indexing
    for name in ("query of 24 tokens", "1 x 128 tokens", "instructed query"):
        found.rounds[name] = [query] * len(indexing)
    found.vectors["1 x 128 tokens"] = np.array([vector], dtype=np.float32)
    return found


@pytest.fixture
def found() -> dict[str, Any]:
    """Three rounds on a clock that halves its speed in the last one."""
    int8 = result([2.0, 2.0, 4.0], 0.1, 300, [0.8, 0.6])
    int8.operators_s = {"MatMulIntegerToFloat": 1.5, "Softmax": 0.5}
    int8.profiled_limits = {"int8": 1000.0}
    naive = Result(peak_rss_mib=1000)
    naive.rounds["mixed batch of 8"] = [1.0, 1.0, 2.0]
    results = {
        REFERENCE: result([6.0, 6.0, 12.0], 0.5, 1000, [1.0, 0.0]),
        NAIVE: naive,
        "ours onnx int8": int8,
        "openvino fp32": Result(error="not installed"),
    }
    slow = {"fp32": {"a": 50.0}, "int8": {"a": 200.0, "b": 400.0}}
    fast = {"fp32": {"a": 100.0}, "int8": {"a": 500.0, "b": 800.0}}
    return summary(results, LOADS, [fast, fast, slow], ops_per_token=1.0)


def test_ratios_are_taken_within_a_round(found: dict[str, Any]) -> None:
    """With medians of times over all rounds a drifting clock would enter them."""
    bulk = found["variants"]["ours onnx int8"]["workloads"]["indexing"]
    assert bulk["tokens_per_s"] == 500
    assert bulk["x_reference"] == 3.0
    # 500, 500 and 250 tokens/s beside 100, 100 and 50 of the padded batch
    assert bulk["x_padded_mixed_batch"] == 5.0
    # of the best backend in each round: 800, 800 and 400 operations/s
    assert bulk["of_int8_limit"] == 0.625
    assert found["variants"]["ours onnx int8"]["rss_to_reference"] == 0.3
    assert found["variants"]["ours onnx int8"]["least_cosine"] == pytest.approx(0.8)


def test_matmuls_are_held_against_the_limit_of_their_moment(found: dict[str, Any]) -> None:
    # 1000 tokens x 1 operation in 1.5 s of products, at a limit of 1000
    matmuls = found["variants"]["ours onnx int8"]["matmuls"]
    assert matmuls["of_int8_limit"] == pytest.approx(1000 / 1.5 / 1000)
    assert matmuls["share_of_time"] == 0.75


def test_promises_say_which_are_kept_missed_and_not_measured(found: dict[str, Any]) -> None:
    kept = {promise.what: promise.kept for promise in promises(found)}
    assert kept == {
        "indexing fp32, x reference": None,
        "indexing int8, x reference": True,
        "indexing int8, x padded batch": True,
        "indexing int8, share of limit": False,
        "int8 matmuls, share of limit": False,
        "query int8, x reference": True,
        "instructed query int8, x reference": False,
        "1 x 128 int8, s": True,
        "peak RSS int8, share of reference's": True,
    }
    table = promises_table(promises(found))
    assert "| instructed query int8, x reference | >= 6 | 5.00 | **missed** |" in table
    assert "| indexing fp32, x reference | >= 1.5 | - | not measured |" in table


def test_table_names_what_did_not_run(found: dict[str, Any]) -> None:
    lines = markdown(found).splitlines()
    (missing,) = [line for line in lines if line.startswith("| openvino fp32")]
    assert "not run: not installed" in missing
    (ours,) = [line for line in lines if line.startswith("| ours onnx int8")]
    assert "| 500 | 3.00 | 5.00 | 100 ms (5.00x) |" in ours
    assert len({line.count("|") for line in lines if line.startswith("|")}) == 1
