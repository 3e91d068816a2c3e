"""The figures this project promises for the CPU, held against what a run gave."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

_INT8, _FP32 = "ours onnx int8", "ours onnx fp32"


@dataclass(frozen=True, slots=True)
class Promise:
    """One figure."""

    what: str
    bound: float
    at_most: bool  # else: at least
    found: float | None  # None: not measured

    @property
    def kept(self) -> bool | None:
        """Whether it holds; None if it was not measured."""
        if self.found is None:
            return None
        return self.found <= self.bound if self.at_most else self.found >= self.bound


def promises(found: Mapping[str, Any]) -> list[Promise]:
    """All of them, for the result of a run of `compare.py`.

    Those on Qwen3 need a model with an instruction; a small model has the two on indexing only.
    """
    indexing = [
        _least(found, "indexing fp32, x reference", 1.5, _FP32, "indexing", "x_reference"),
        _least(found, "indexing int8, x reference", 2.5, _INT8, "indexing", "x_reference"),
    ]
    if "instructed query" not in found["tokens"]:
        return indexing
    matmuls = found["variants"].get(_INT8, {}).get("matmuls") or {}
    return [
        *indexing,
        _least(
            found, "indexing int8, x padded batch", 5, _INT8, "indexing", "x_padded_mixed_batch"
        ),
        _least(found, "indexing int8, share of limit", 0.65, _INT8, "indexing", "of_int8_limit"),
        Promise("int8 matmuls, share of limit", 0.78, False, matmuls.get("of_int8_limit")),
        _least(found, "query int8, x reference", 3.5, _INT8, "query of 24 tokens", "x_reference"),
        _least(
            found, "instructed query int8, x reference", 6, _INT8, "instructed query", "x_reference"
        ),
        Promise("1 x 128 int8, s", 1.12, True, _of(found, _INT8, "1 x 128 tokens", "median_s")),
        Promise(
            "peak RSS int8, share of reference's",
            0.35,
            True,
            found["variants"].get(_INT8, {}).get("rss_to_reference"),
        ),
    ]


def _least(
    found: Mapping[str, Any], what: str, bound: float, variant: str, load: str, key: str
) -> Promise:
    return Promise(what, bound, False, _of(found, variant, load, key))


def _of(found: Mapping[str, Any], variant: str, load: str, key: str) -> float | None:
    value: float | None = (
        found["variants"].get(variant, {}).get("workloads", {}).get(load, {}).get(key)
    )
    return value


def promises_table(rows: Sequence[Promise]) -> str:
    """Markdown."""
    words = {None: "not measured", True: "kept", False: "**missed**"}
    lines = ["| Promise | Bound | Measured | |", "| --- | --- | --- | --- |"]
    for row in rows:
        sign = "<=" if row.at_most else ">="
        shown = "-" if row.found is None else f"{row.found:.2f}"
        lines.append(f"| {row.what} | {sign} {row.bound:g} | {shown} | {words[row.kept]} |")
    return "\n".join([*lines, ""])
