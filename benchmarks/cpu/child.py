"""One variant in a process of its own: commands as JSON lines on stdin, answers on stdout.

    python child.py VARIANT MODEL_FOLDER THREADS CACHE_FOLDER

Peak memory is a number of a process, and processes kept alive let runs of variants alternate.
"""

import base64
import json
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent))


def open_variant(name: str, model: Path, threads: int, cache: Path) -> Any:
    """The variant, loaded."""
    if name == "limits":
        import limits

        return limits
    if name.startswith("ours "):
        from ours import Ours

        engine, precision = name.removeprefix("ours ").split()
        return Ours(model, threads, cache, engine, precision)
    import peers

    if name != "openvino fp32":
        with_torch(threads)
    makers: dict[str, Callable[[], Any]] = {
        "sentence-transformers fp32": lambda: peers.SentenceTransformers(model, "fp32"),
        "sentence-transformers bf16": lambda: peers.SentenceTransformers(model, "bf16"),
        "padded batch fp32": lambda: peers.PaddedBatch(model),
        "onnx export fp32": lambda: peers.OnnxExport(model, threads, cache),
        "openvino fp32": lambda: peers.OpenVino(model, threads, cache),
    }
    return makers[name]()


def with_torch(threads: int) -> None:
    """The same number of threads for peers that run torch."""
    import torch

    torch.set_num_threads(threads)


def answer(variant: Any, command: dict[str, Any], threads: int) -> dict[str, Any]:
    """What a command gives."""
    if command["do"] == "memory":
        return {"peak_rss_mib": peak_rss_mib()}
    if command["do"] == "limits":
        return {"peaks": variant.peaks(threads)}
    if command["do"] == "profile":
        return {"operators_s": variant.profile(command["texts"])}
    seconds = []
    for _ in range(command["repeats"]):
        started = time.perf_counter()
        vectors = variant.embed(command["texts"], command["query"])
        seconds.append(time.perf_counter() - started)
    packed = np.asarray(vectors, dtype="<f4")
    return {
        "seconds": seconds,
        "shape": packed.shape,
        "vectors": base64.b64encode(packed.tobytes()).decode(),
    }


def peak_rss_mib() -> float:
    """VmHWM: unlike ru_maxrss it does not begin with the peak of the parent (Linux)."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM:")) / 1024


def main() -> None:
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # what libraries print must not mix with the answers
    name, model, threads, cache = sys.argv[1:]

    def tell(value: dict[str, Any]) -> None:
        answers.write(json.dumps(value) + "\n")
        answers.flush()

    started = time.perf_counter()
    try:
        variant = open_variant(name, Path(model), int(threads), Path(cache))
    except Exception as error:  # whatever a peer raises: it is left out, and named
        tell({"error": f"{type(error).__name__}: {error}"[:400]})
        return
    tell({"load_s": time.perf_counter() - started})
    for line in sys.stdin:
        try:
            tell(answer(variant, json.loads(line), int(threads)))
        except Exception as error:
            tell({"error": f"{type(error).__name__}: {error}"[:400]})


if __name__ == "__main__":
    main()
