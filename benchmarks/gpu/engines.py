"""One engine in its own process: reads jobs as JSON lines, answers with what it measured.

A process each, so that its GPU memory is its own and engines can take turns in one run.
"""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

Embed = Callable[[list[str]], Any]  # texts -> unit vectors


def open_packed(folder: Path, device: str, precision: str, vram_bytes: int | None) -> Embed:
    """Our packed forward, resident or (with a limit on memory) streamed."""
    from indexer.embedding.local import LocalEmbedder
    from indexer.embedding.runtimes.packed.opening import open_resident, open_streamed
    from indexer.embedding.spec import load_spec
    from indexer.embedding.tokenizer import load_tokenizer
    from indexer.modes import Precision
    from indexer.types import Kind

    spec = load_spec(folder)
    if vram_bytes is None:
        runtime = open_resident(spec, device, Precision(precision))
    else:
        runtime = open_streamed(spec, device, Precision(precision), vram_bytes)
    print(*runtime.notes, file=sys.stderr)
    embedder = LocalEmbedder(spec, load_tokenizer(spec), runtime)
    return lambda texts: embedder.embed(texts, Kind.DOCUMENT)


def open_accelerate(folder: Path, device: str, precision: str, _: int | None) -> Embed:
    """The model of transformers with accelerate's cpu_offload, batches sorted by length."""
    from indexer.embedding.local import LocalEmbedder
    from indexer.embedding.runtimes.accelerated import AcceleratedModel
    from indexer.embedding.spec import load_spec
    from indexer.embedding.tokenizer import load_tokenizer
    from indexer.modes import Precision
    from indexer.types import Kind

    spec = load_spec(folder)
    runtime = AcceleratedModel(spec, device, Precision(precision), max_batch_tokens=16_384)
    embedder = LocalEmbedder(spec, load_tokenizer(spec), runtime)
    return lambda texts: embedder.embed(texts, Kind.DOCUMENT)


def open_sentence_transformers(folder: Path, device: str, precision: str, _: int | None) -> Embed:
    """The usual way; it sorts by length itself."""
    import torch
    from sentence_transformers import SentenceTransformer

    dtype = {"bf16": torch.bfloat16, "fp16": torch.float16, "fp32": torch.float32}[precision]
    model = SentenceTransformer(
        str(folder),
        device=device,
        local_files_only=True,
        model_kwargs={"dtype": dtype, "attn_implementation": "sdpa"},
    )
    return lambda texts: model.encode(
        texts, batch_size=128, normalize_embeddings=True, show_progress_bar=False
    )


OPENERS = {
    "packed": open_packed,
    "accelerate": open_accelerate,
    "sentence-transformers": open_sentence_transformers,
}


def run_job(embed: Embed, job: dict[str, Any], device: str) -> dict[str, Any]:
    """Seconds of each repetition, and the vectors' cosine with the first engine's if given."""
    import numpy as np

    seconds = []
    vectors: Any = None
    for _ in range(job["repeat"]):
        synchronise(device)
        started = time.perf_counter()
        vectors = embed(job["texts"])
        synchronise(device)
        seconds.append(time.perf_counter() - started)
    vectors = np.asarray(vectors, dtype=np.float32)
    return {"seconds": seconds, "vectors": vectors[: job["keep"]].tolist()} | memory(device)


def memory(device: str) -> dict[str, int | None]:
    """Peak bytes torch took from the driver, and what the driver counts for this process."""
    if device == "cpu":
        return {"reserved_bytes": None, "process_bytes": None}
    import torch

    return {
        "reserved_bytes": torch.cuda.max_memory_reserved(),
        "process_bytes": _process_bytes(),
    }


def _process_bytes() -> int | None:
    """NVML's figure by way of nvidia-smi; None where it does not know us (some containers)."""
    query = ["nvidia-smi", "--query-compute-apps=pid,used_memory", "--format=csv,noheader,nounits"]
    try:
        done = subprocess.run(query, capture_output=True, text=True, timeout=20, check=True)
    except (OSError, subprocess.SubprocessError):
        return None
    rows = [line.split(",") for line in done.stdout.splitlines()]
    mine = [row[1] for row in rows if len(row) == 2 and row[0].strip() == str(os.getpid())]
    return int(mine[0]) << 20 if mine and mine[0].strip().isdigit() else None


def synchronise(device: str) -> None:
    if device != "cpu":
        import torch

        torch.cuda.synchronize()


def main() -> None:
    """Open the engine named on the command line, then answer jobs until stdin ends."""
    settings = json.loads(sys.argv[1])
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # whatever libraries print goes to stderr
    device = settings["device"]
    embed = OPENERS[settings["opener"]](
        Path(settings["folder"]), device, settings["precision"], settings["vram_bytes"]
    )
    print(json.dumps({"ready": True}), file=answers, flush=True)
    for line in sys.stdin:
        print(json.dumps(run_job(embed, json.loads(line), device)), file=answers, flush=True)


if __name__ == "__main__":
    main()
