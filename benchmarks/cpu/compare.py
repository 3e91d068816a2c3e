"""Our CPU modes beside what a user would pick instead, on the same texts, in one run.

    python benchmarks/cpu/compare.py MODEL_FOLDER --out results.json
        [--threads 2] [--rounds 3] [--bulk-texts 128] [--variants "ours onnx int8,..."]
        [--openvino-python ../openvino/bin/python]

Every variant lives in a process of its own; they take turns, and ratios are taken within a round,
so a drifting clock or another tenant of the machine favours nobody. All are loaded together: a
model of 0.6 B parameters needs about 20 GB for all of them; name fewer where memory is less. The
reference is sentence-transformers in fp32, which sorts by length itself; one padded batch of 8
mixed texts, as a naive server runs it, is the second. `--profile` tells how much of the time of
the ONNX engine the matrix products take. The figures that were promised are checked at the end.
"""

import argparse
import json
import math
import platform
import struct
import subprocess
import sys
import tempfile
from dataclasses import asdict
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

sys.path[:0] = [str(Path(__file__).resolve().parent), str(Path(__file__).resolve().parents[2])]

from driver import ROOT, Failed, Process, Result, take_turns  # noqa: E402 - after the path
from promises import promises, promises_table  # noqa: E402
from table import NAIVE, REFERENCE, markdown, summary  # noqa: E402
from workloads import Workload, workloads  # noqa: E402

OURS = ("ours torch fp32", "ours packed fp32", "ours onnx fp32", "ours onnx int8")
VARIANTS = (
    REFERENCE,
    NAIVE,
    "sentence-transformers bf16",
    "onnx export fp32",
    "openvino fp32",
    *OURS,
)
# The naive server's batch is a reference for itself; everything else would only cost time.
ONLY = {NAIVE: frozenset({"mixed batch of 8"})}
_LIBRARIES = ("torch", "transformers", "sentence-transformers", "onnxruntime", "numpy")


def main() -> None:
    args = _arguments()
    with tempfile.TemporaryDirectory() as temporary:
        cache = args.cache or Path(temporary)
        loads = workloads(args.model, args.bulk_texts, args.repeats)
        results = {name: Result() for name in args.variants}
        processes = _start(args, cache, results)
        try:
            peaks = take_turns(processes, results, loads, ONLY, args.rounds)
            _finish(processes, results, loads, profile=args.profile)
        finally:
            for process in processes.values():
                process.close()
    found = {**_about(args), **summary(results, loads, peaks, ops_per_token(args.model))}
    found["promises"] = [asdict(promise) for promise in promises(found)]
    args.out.write_text(json.dumps(found, indent=2))
    print(markdown(found))
    print(promises_table(promises(found)))


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("model", type=Path)
    parser.add_argument("--out", type=Path, default=Path("compare.json"))
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--repeats", type=int, default=5, help="calls of a small workload")
    parser.add_argument("--bulk-texts", type=int, default=128)
    parser.add_argument("--variants", type=lambda text: text.split(","), default=list(VARIANTS))
    parser.add_argument("--openvino-python", help="of an environment with openvino and tokenizers")
    parser.add_argument("--cache", type=Path, help="keeps prepared graphs for the next run")
    parser.add_argument("--profile", action="store_true")
    args = parser.parse_args()
    unknown = set(args.variants) - set(VARIANTS)
    if unknown:
        parser.error(f"no variant {', '.join(unknown)}; there are {', '.join(VARIANTS)}")
    args.model = args.model.resolve()
    return args


def _start(args: argparse.Namespace, cache: Path, results: dict[str, Result]) -> dict[str, Process]:
    """All variants that load. What is prepared once per model is prepared by a process before."""
    common = (args.model, args.threads, cache)
    processes = {"limits": Process("limits", *common)}
    for name, result in results.items():
        print(f"loading {name}", file=sys.stderr)
        try:
            if "onnx" in name:
                first = Process(name, *common)
                result.first_load_s = first.load_s
                first.close()
            if name == "openvino fp32":
                processes[name] = _start_openvino(args, cache)
            else:
                processes[name] = Process(name, *common)
            result.load_s = processes[name].load_s
        except Failed as failure:
            result.error = str(failure)
    return processes


def _start_openvino(args: argparse.Namespace, cache: Path) -> Process:
    """OpenVINO reads the exported graph, which this environment makes if it is not there yet."""
    if args.openvino_python is None:
        raise Failed("no --openvino-python given")
    Process("onnx export fp32", args.model, args.threads, cache).close()
    return Process("openvino fp32", args.model, args.threads, cache, args.openvino_python)


def _finish(
    processes: dict[str, Process],
    results: dict[str, Result],
    loads: list[Workload],
    *,
    profile: bool,
) -> None:
    """Peak memory of each, then the profile, which would add to it."""
    for name, result in results.items():
        if result.error is None:
            result.peak_rss_mib = processes[name].ask(do="memory")["peak_rss_mib"]
    if profile:
        for name in ("ours onnx fp32", "ours onnx int8"):
            if name in processes and results[name].error is None:
                _profile(processes, results, name, loads[0])


def _profile(
    processes: dict[str, Process], results: dict[str, Result], name: str, load: Workload
) -> None:
    """Operators of one indexing call, with the machine's limits before and after it."""
    around = [processes["limits"].ask(do="limits")["peaks"]]
    results[name].operators_s = processes[name].ask(do="profile", texts=load.texts)["operators_s"]
    around.append(processes["limits"].ask(do="limits")["peaks"])
    results[name].profiled_limits = {
        kind: sum(max(peaks[kind].values()) for peaks in around) / len(around) for kind in around[0]
    }


def ops_per_token(model: Path) -> float:
    """Operations of all matrices but the token table, from the checkpoint's headers."""
    weights = 0
    for file in model.glob("*.safetensors"):
        with file.open("rb") as stream:
            (length,) = struct.unpack("<Q", stream.read(8))
            header: dict[str, Any] = json.loads(stream.read(length))
        header.pop("__metadata__", None)
        shapes = {name: entry["shape"] for name, entry in header.items() if "embed" not in name}
        weights += sum(
            math.prod(shape)
            for name, shape in shapes.items()
            if len(shape) > 1 and "pooler" not in name
        )
    return 2.0 * weights


def _about(args: argparse.Namespace) -> dict[str, Any]:
    """Machine, versions and commit."""
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    fields = dict(line.split(":", 1) for line in lines if ":" in line)
    about = {"commit": _commit(), "python": platform.python_version()}
    for name in _LIBRARIES:
        try:
            about[name] = version(name)
        except PackageNotFoundError:
            continue
    flags = next((text.split() for name, text in fields.items() if name.strip() == "flags"), [])
    return {
        "model": args.model.name,
        "threads": args.threads,
        "cpu": next((t.strip() for n, t in fields.items() if n.strip() == "model name"), ""),
        "instructions": sorted(f for f in flags if f.startswith(("avx", "amx", "fma"))),
        "versions": about,
    }


def _commit() -> str:
    command = ["git", "-C", str(ROOT), "describe", "--always", "--dirty"]
    done = subprocess.run(command, capture_output=True, text=True)
    return done.stdout.strip() or "unknown"


if __name__ == "__main__":
    main()
