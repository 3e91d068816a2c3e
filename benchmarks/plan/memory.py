"""Peak memory of every mode that runs here, each in a process of its own, beside the prediction.

    python benchmarks/plan/memory.py minilm FOLDER_OF_A_QWEN3 [--modes cpu:fp32/torch ...] [--json]

The child embeds passages of 16 tokens to the model's limit (at most 512) through batches of the
default size, so that allocators see shapes of every size. Their words lie evenly over the whole
vocabulary, every script of it: rows of a mapped token table count once they are touched, and the
prediction counts them all. The parent makes them, whose memory is not the model's. Graphs are built
by an earlier child: building is a cost of the first start only. The peak is VmHWM of
/proc/self/status; ru_maxrss would report the parent's peak where that was larger. Linux only.
"""

import argparse
import itertools
import json
import random
import subprocess
import sys
import tempfile
from pathlib import Path

from tokenizers import Tokenizer

from indexer.embedding.models import resolve
from indexer.embedding.planning.choose import plan_for
from indexer.embedding.planning.size import read_size
from indexer.embedding.spec import ModelSpec, load_spec
from indexer.embedding.wishes import Engine, Wishes
from indexer.modes import Mode
from indexer.types import Kind

MODES = ["cpu:fp32/torch", "cpu:bf16/torch", "cpu:fp32/onnx", "cpu:int8/onnx"]
MIB = 1 << 20


def passages(spec: ModelSpec, count: int) -> list[str]:
    """Texts of 16 tokens to the limit, a third of them full, as a chunker fills them."""
    encoder = Tokenizer.from_file(str(spec.transformer_folder / "tokenizer.json"))
    encoder.no_truncation()
    encoder.no_padding()
    draw = random.Random(7)
    limit = min(spec.max_tokens, 512) - 2
    lengths = [draw.randint(16, limit) if i % 3 else limit for i in range(count)]
    # A word in front of others stays one token only if its own encoding says so.
    every = [encoder.decode([token]).strip() for token in range(encoder.get_vocab_size())]
    found = encoder.encode_batch([f" {word}" for word in every], add_special_tokens=False)
    words = [word for token, word in enumerate(every) if found[token].ids == [token]]
    # Evenly over the table, in no order: neighbours lie on the same page of a mapped file.
    tokens = sum(lengths)
    chosen = [words[at * len(words) // tokens] for at in range(tokens)]
    draw.shuffle(chosen)
    ends = itertools.accumulate(lengths)
    return [" ".join(chosen[end - n : end]) for end, n in zip(ends, lengths, strict=True)]


def spec_of(name: str) -> ModelSpec:
    ref = resolve(name)
    assert ref.folder is not None, f"{name}: not on this machine"
    return load_spec(ref.folder, ref, Path(tempfile.gettempdir()) / "semsearch-bench-hashes")


def wishes_of(mode: str) -> Wishes:
    name, _, engine = mode.partition("/")
    chosen = Mode.parse(name)
    return Wishes(chosen.placement, chosen.precision, Engine(engine))


def child(name: str, mode: str, cache: str) -> None:
    """Embed the texts on stdin in this process and print its peak in MiB."""
    from indexer.embedding.opening import open_embedder

    spec = spec_of(name)
    texts = json.loads(sys.stdin.read())
    with open_embedder(spec, wishes_of(mode), None, Path(cache)) as embedder:
        for at in range(0, len(texts), 24):
            embedder.embed(texts[at : at + 24], Kind.DOCUMENT)
    lines = Path("/proc/self/status").read_text().splitlines()
    print(next(int(line.split()[1]) // 1024 for line in lines if line.startswith("VmHWM")))


def measure(name: str, mode: str, cache: str, texts: list[str]) -> int:
    """Peak MiB of a child that embeds these texts."""
    command = [sys.executable, __file__, "--child", name, mode, cache]
    ran = subprocess.run(
        command, input=json.dumps(texts), capture_output=True, text=True, check=False
    )
    if ran.returncode:
        raise SystemExit(f"{name} {mode}: {ran.stderr.strip().splitlines()[-1]}")
    return int(ran.stdout)


def compare(name: str, mode: str, cache: str, count: int) -> dict[str, object]:
    spec = spec_of(name)
    if mode.endswith("/onnx"):
        measure(name, mode, cache, [])  # builds the graph
    measured = measure(name, mode, cache, passages(spec, count))
    (option,) = [
        option
        for option in plan_for(read_size(spec), wishes_of(mode)).options
        if f"{option.mode}/{option.candidate.engine}" == mode
    ]
    predicted = option.prediction.ram.peak // MIB
    return {
        "model": spec.model,
        "mode": mode,
        "predicted_mib": predicted,
        "measured_mib": measured,
        "ratio": round(predicted / measured, 2),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("models", nargs="+")
    parser.add_argument("--modes", nargs="+", default=MODES)
    parser.add_argument("--texts", type=int, default=48)
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    rows = []
    with tempfile.TemporaryDirectory() as cache:
        for name in given.models:
            for mode in given.modes:
                rows.append(compare(name, mode, cache, given.texts))
                print(*rows[-1].values(), file=sys.stderr)
    if given.json:
        print(json.dumps(rows, indent=2))
        return
    print("| Model | Mode | Predicted MiB | Measured MiB | Ratio |\n|---|---|---|---|---|")
    for row in rows:
        print("| " + " | ".join(str(value) for value in row.values()) + " |")


if __name__ == "__main__":
    if sys.argv[1:2] == ["--child"]:
        child(*sys.argv[2:5])
    else:
        main()
