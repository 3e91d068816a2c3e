"""The GPU figures: our packed forward, resident and streamed, beside its peers in one run.

    python benchmarks/gpu/bench.py --work /tmp/bench          a full-size random checkpoint
    python benchmarks/gpu/bench.py --work /tmp/bench --checkpoint models/Qwen3-Embedding-0.6B
    python benchmarks/gpu/bench.py --work /tmp/bench --device cpu --tiny     proves the script

Prints one JSON object, then a Markdown table. Engines take turns, each in its own process; medians.
"""

import argparse
import json
import platform
import random
import statistics
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from engines import ROOT
from limits import copy_seconds, matmul_flops
from made_checkpoint import make_checkpoint, texts_of

MIB = 1 << 20
RESIDENT, STREAMED = "packed bf16", "packed offload bf16"
PEER, OFFLOAD_PEER = "sentence-transformers bf16", "accelerate cpu_offload bf16"


@dataclass
class Engine:
    """A process that runs one engine."""

    name: str
    process: subprocess.Popen[str]

    def ask(self, job: dict[str, Any]) -> dict[str, Any]:
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps(job) + "\n")
        self.process.stdin.flush()
        return self.answer()

    def answer(self) -> dict[str, Any]:
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        if not line:
            raise SystemExit(f"{self.name}: ended with {self.process.wait()}; see stderr above.")
        answer: dict[str, Any] = json.loads(line)
        return answer

    def close(self) -> None:
        assert self.process.stdin is not None
        self.process.stdin.close()
        self.process.wait()


def start(name: str, opener: str, folder: Path, args: argparse.Namespace, **more: Any) -> Engine:
    """The engine, loaded."""
    settings = {"opener": opener, "folder": str(folder), "device": args.device, "vram_bytes": None}
    command = [sys.executable, str(Path(__file__).with_name("engines.py"))]
    process = subprocess.Popen(
        [*command, json.dumps(settings | more)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        encoding="utf-8",
    )
    engine = Engine(name, process)
    engine.answer()
    return engine


def quantised(device: str) -> list[str]:
    """Quantised weights that this device runs; on the processor, which stands in, all."""
    import torch

    has_fp8 = device == "cpu" or torch.cuda.get_device_capability() >= (8, 9)
    return ["int8", *(["fp8"] if has_fp8 else []), "int4"]


def jobs_of(args: argparse.Namespace) -> dict[str, dict[str, Any]]:
    """What every engine embeds: {job: texts and repetitions}."""
    draw = random.Random(1)
    lengths = [draw.choice(range(32, 369)) for _ in range(args.texts - args.texts // 16)]
    lengths += [512] * (args.texts // 16)
    shapes = {"1 x 24": [24], "1 x 128": [128], "4 x 128": [128] * 4}
    jobs = {
        name: {"texts": texts_of(shape, 2), "repeat": args.repeat, "keep": len(shape)}
        for name, shape in shapes.items()
    }
    jobs["bulk"] = {"texts": texts_of(lengths, 3), "repeat": 1, "keep": 64}
    return jobs


def measure(
    engines: list[Engine], jobs: dict[str, dict[str, Any]], rounds: int
) -> dict[str, dict[str, Any]]:
    """{engine: medians of each job, memory, cosine with the first engine}; engines take turns."""
    import numpy as np

    found: dict[str, dict[str, Any]] = {engine.name: {} for engine in engines}
    for name, job in jobs.items():
        seconds: dict[str, list[float]] = {engine.name: [] for engine in engines}
        first: Any = None
        for engine in engines:
            engine.ask(job | {"repeat": min(3, job["repeat"])})  # warm
        for _ in range(rounds):
            for engine in engines:
                answer = engine.ask(job)
                seconds[engine.name] += answer["seconds"]
                vectors = np.array(answer["vectors"])
                first = vectors if first is None else first
                found[engine.name] |= {
                    "reserved_bytes": answer["reserved_bytes"],
                    "process_bytes": answer["process_bytes"],
                    "least_cosine": float(np.einsum("ij,ij->i", vectors, first).min()),
                }
        for engine in engines:
            found[engine.name][name] = statistics.median(seconds[engine.name])
    return found


def machine(folder: Path, args: argparse.Namespace) -> dict[str, Any]:
    """Hardware, versions, commit, and the machine's own limits for this model."""
    import torch
    import transformers

    sys.path.insert(0, str(ROOT))
    from indexer.embedding.qwen3_config import read_config
    from indexer.embedding.runtimes.packed.layout import LayerLayout

    config = read_config(folder)
    commit = subprocess.run(
        ["git", "-C", str(ROOT), "rev-parse", "--short", "HEAD"], capture_output=True, text=True
    )
    cpu = args.device == "cpu"
    layer_bytes = 2 * LayerLayout(config).size
    return {
        "device": platform.machine() if cpu else torch.cuda.get_device_name(),
        "python": platform.python_version(),
        "torch": torch.__version__,
        "transformers": transformers.__version__,
        "commit": commit.stdout.strip() or None,
        "bf16_matmul_flops": matmul_flops(args.device),
        "layers_copy_s": copy_seconds(layer_bytes, config.layers, args.device),
        "layers_bytes": layer_bytes * config.layers,
        # The last layer's saved work is not counted: nearly all of it is the pooled tokens' share.
        "token_flops": config.layer_flops * (config.layers - 1),
    }


def figures(found: dict[str, dict[str, Any]], host: dict[str, Any], tokens: int) -> dict[str, Any]:
    """What the goals are about."""
    rate = {name: tokens / row["bulk"] for name, row in found.items()}
    best_peer = max(value for name, value in rate.items() if name.startswith("sentence"))
    return {
        "tokens": tokens,
        "tokens_per_s": rate,
        "latency_1x128_ms": found[RESIDENT]["1 x 128"] * 1e3,
        "bulk_share_of_matmul": rate[RESIDENT] * host["token_flops"] / host["bf16_matmul_flops"],
        "bulk_over_sentence_transformers": rate[RESIDENT] / best_peer,
        "offload_over_resident": rate[STREAMED] / rate[RESIDENT],
        "offload_latency_over_copy": found[STREAMED]["1 x 128"] / host["layers_copy_s"],
        "offload_over_accelerate": rate[STREAMED] / rate[OFFLOAD_PEER],
    }


def table(report: dict[str, Any]) -> str:
    """The report as Markdown."""
    host, sums = report["machine"], report["figures"]
    lines = [
        f"{host['device']}, torch {host['torch']}, transformers {host['transformers']}, Python "
        f"{host['python']}, commit {host['commit']}; bf16 matmul "
        f"{host['bf16_matmul_flops'] / 1e12:.1f} TFLOP/s, pinned copy of all layers "
        f"{host['layers_copy_s'] * 1e3:.1f} ms.",
        "",
        "| Engine | 1 x 24 | 1 x 128 | 4 x 128 | Bulk tokens/s | Reserved MiB | Process MiB "
        "| Least cosine |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for name, row in report["engines"].items():
        sizes = [row["reserved_bytes"], row["process_bytes"]]
        shown = [f"{size / MIB:.0f}" if size is not None else "-" for size in sizes]
        times = [f"{row[job] * 1e3:.2f} ms" for job in ("1 x 24", "1 x 128", "4 x 128")]
        cells = [name, *times, f"{sums['tokens_per_s'][name]:,.0f}", *shown]
        lines.append(f"| {' | '.join(cells)} | {row['least_cosine']:.5f} |")
    goals = {
        "latency_1x128_ms": "<= 2",
        "bulk_share_of_matmul": ">= 0.45",
        "bulk_over_sentence_transformers": ">= 2",
        "offload_over_resident": ">= 0.9",
        "offload_latency_over_copy": "<= 1.3",
        "offload_over_accelerate": ">= 3",
    }
    lines += ["", "| Figure | Measured | Goal |", "|---|---|---|"]
    return "\n".join([*lines, *(f"| {k} | {sums[k]:.3g} | {goal} |" for k, goal in goals.items())])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--work", type=Path, required=True, help="folder for what is made")
    parser.add_argument("--checkpoint", type=Path, help="a Qwen3 folder; default: a random one")
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--tiny", action="store_true", help="a narrow model, to try the script")
    parser.add_argument("--texts", type=int, default=4096, help="in the bulk job")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--repeat", type=int, default=20, help="of a small job in a round")
    parser.add_argument("--max-vram-mib", type=float, default=380, help="of the offload engines")
    args = parser.parse_args()
    made = args.work / ("tiny" if args.tiny else "full")
    folder = args.checkpoint or make_checkpoint(made, args.tiny)
    vram = {"vram_bytes": int(args.max_vram_mib * MIB)}
    host = machine(folder, args)
    engines = [
        start(RESIDENT, "packed", folder, args, precision="bf16"),
        start("packed fp16", "packed", folder, args, precision="fp16"),
        start(PEER, "sentence-transformers", folder, args, precision="bf16"),
        start(
            "sentence-transformers fp16", "sentence-transformers", folder, args, precision="fp16"
        ),
        *(
            start(f"packed {precision}", "packed", folder, args, precision=precision)
            for precision in quantised(args.device)
        ),
        start(STREAMED, "packed", folder, args, precision="bf16", **vram),
        start("packed offload int8", "packed", folder, args, precision="int8", **vram),
        start(OFFLOAD_PEER, "accelerate", folder, args, precision="bf16"),
    ]
    jobs = jobs_of(args)
    try:
        found = measure(engines, jobs, args.rounds)
    finally:
        for engine in engines:
            engine.close()
    tokens = sum(len(text.split()) + 1 for text in jobs["bulk"]["texts"])
    report = {"machine": host, "engines": found, "figures": figures(found, host, tokens)}
    print(json.dumps(report))
    print()
    print(table(report))


if __name__ == "__main__":
    main()
