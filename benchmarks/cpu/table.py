"""From times to what is claimed: medians, ratios within a round, shares of the machine's limits."""

from collections.abc import Mapping, Sequence
from statistics import median
from typing import Any

import numpy as np
from driver import Result
from workloads import Workload

REFERENCE = "sentence-transformers fp32"
NAIVE = "padded batch fp32"
_MIXED = "mixed batch of 8"
Peaks = Sequence[Mapping[str, Mapping[str, float]]]


def summary(
    results: Mapping[str, Result], loads: Sequence[Workload], peaks: Peaks, ops_per_token: float
) -> dict[str, Any]:
    """Everything as JSON values.

    Args:
        results: by variant.
        loads: the workloads.
        peaks: operations/s by kind and backend, one entry for each round.
        ops_per_token: of the model's matrices, 2 for each weight; the last layer counts in full
            although only the pooled token needs it.
    """
    tokens = {load.name: load.tokens for load in loads}
    return {
        "tokens": tokens,
        "ops_per_token": ops_per_token,
        "limits": {
            kind: {name: median(r[kind][name] for r in peaks) for name in peaks[0][kind]}
            for kind in peaks[0]
        },
        "variants": {
            name: _variant(result, results, tokens, peaks, ops_per_token)
            for name, result in results.items()
        },
    }


def _variant(
    result: Result,
    results: Mapping[str, Result],
    tokens: Mapping[str, int],
    peaks: Peaks,
    ops_per_token: float,
) -> dict[str, Any]:
    reference, naive = results.get(REFERENCE, Result()), results.get(NAIVE, Result())
    found: dict[str, Any] = {
        "load_s": result.load_s,
        "first_load_s": result.first_load_s,
        "peak_rss_mib": result.peak_rss_mib,
        "error": result.error,
        "least_cosine": _cosine(result, reference),
        "operators_s": result.operators_s,
        "matmuls": _matmuls(result, tokens["indexing"] * ops_per_token),
        "workloads": {},
    }
    if reference.peak_rss_mib:
        found["rss_to_reference"] = result.peak_rss_mib / reference.peak_rss_mib
    for load, times in result.rounds.items():
        entry: dict[str, Any] = {
            "rounds_s": times,
            "median_s": median(times),
            "tokens_per_s": tokens[load] / median(times),
            "x_reference": _faster(reference.rounds.get(load), times),
        }
        if load in ("indexing", _MIXED):
            theirs = [tokens[_MIXED] / t for t in naive.rounds.get(_MIXED, [])]
            ours = [tokens[load] / t for t in times]
            entry["x_padded_mixed_batch"] = _faster(ours, theirs)
            for kind in ("fp32", "int8"):
                best = [max(each[kind].values()) for each in peaks]
                entry[f"of_{kind}_limit"] = median(
                    speed * ops_per_token / limit for speed, limit in zip(ours, best, strict=False)
                )
        found["workloads"][load] = entry
    return found


def _matmuls(result: Result, ops: float) -> dict[str, float] | None:
    """Share of the operators' time that matrix products take, and of the limit they reach."""
    if not result.operators_s:
        return None
    spent = sum(time for name, time in result.operators_s.items() if "MatMul" in name)
    limits = {
        f"of_{kind}_limit": ops / spent / limit for kind, limit in result.profiled_limits.items()
    }
    return {"share_of_time": spent / sum(result.operators_s.values()), **limits}


def _faster(slow: Sequence[float] | None, fast: Sequence[float]) -> float | None:
    """Median over the rounds of slow / fast."""
    if not slow or not fast:
        return None
    return median(a / b for a, b in zip(slow, fast, strict=False))


def _cosine(result: Result, reference: Result) -> float | None:
    """The least cosine of a text's vectors to the reference's."""
    pairs = [
        (result.vectors[name], reference.vectors[name])
        for name in result.vectors
        if name in reference.vectors
    ]
    return min((float(np.sum(a * b, axis=1).min()) for a, b in pairs), default=None)


def markdown(found: Mapping[str, Any]) -> str:
    """The tables of README."""
    loads = list(found["tokens"])
    small = [load for load in loads if load not in ("indexing", _MIXED)]
    head = [
        "Variant",
        "indexing, tokens/s",
        "x reference",
        "x padded mixed 8",
        *small,
        "peak RSS",
        "load",
        "least cosine",
    ]
    rows = [_row(name, entry, small) for name, entry in found["variants"].items()]
    table = ["| " + " | ".join(cells) + " |" for cells in [head, ["---"] * len(head), *rows]]
    limits = [
        f"{kind}: " + ", ".join(f"{name} {rate / 1e9:.0f} G/s" for name, rate in backends.items())
        for kind, backends in found["limits"].items()
    ]
    lines = [*table, "", "Machine's limits at M=512: " + "; ".join(limits) + "."]
    for name, entry in found["variants"].items():
        if entry["matmuls"]:
            lines.append(_profile_line(name, entry))
    return "\n".join([*lines, ""])


def _profile_line(name: str, entry: Mapping[str, Any]) -> str:
    kind = "int8" if name.endswith("int8") else "fp32"
    bulk = entry["workloads"]["indexing"]
    return (
        f"{name}: indexing at {bulk[f'of_{kind}_limit']:.0%} of the {kind} limit, its matrix "
        f"products at {entry['matmuls'][f'of_{kind}_limit']:.0%} in "
        f"{entry['matmuls']['share_of_time']:.0%} of the operators' time."
    )


def _row(name: str, entry: Mapping[str, Any], small: Sequence[str]) -> list[str]:
    loads = entry["workloads"]
    if entry["error"]:
        return [name, f"not run: {entry['error']}", *[""] * (len(small) + 5)]
    bulk = loads.get("indexing") or loads.get(_MIXED, {})
    note = "" if "indexing" in loads else " (mixed batch)"
    return [
        name,
        f"{bulk['tokens_per_s']:,.0f}{note}" if bulk else "-",
        _ratio(bulk.get("x_reference")) if "indexing" in loads else "-",
        _ratio(bulk.get("x_padded_mixed_batch")),
        *(_cell(loads.get(load)) for load in small),
        f"{entry['peak_rss_mib']:,.0f} MiB",
        f"{entry['load_s']:.1f} s",
        "-" if entry["least_cosine"] is None else f"{entry['least_cosine']:.5f}",
    ]


def _cell(entry: Mapping[str, Any] | None) -> str:
    if entry is None:
        return "-"
    ratio = entry["x_reference"]
    return f"{entry['median_s'] * 1000:.0f} ms" + (f" ({ratio:.2f}x)" if ratio else "")


def _ratio(value: float | None) -> str:
    return "-" if value is None else f"{value:.2f}"
