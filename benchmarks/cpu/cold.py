"""How long `semsearch search` takes from the shell: a new process each time, the model included.

    python benchmarks/cpu/cold.py MODEL [--precision int8] [--chunks 10000] [--runs 9] [--home KEEP]

A collection of short passages is really embedded first, with the same mode (`--home` keeps it for
the next run). The first search after that is reported apart: whatever is prepared or proven once
per machine falls into it or into indexing. The files lie in the system's page cache, as they do on
a machine in use.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from app.evaluation.texts import texts_of_tokens  # noqa: E402 - after the path
from indexer.embedding.models import resolve  # noqa: E402
from indexer.embedding.spec import load_spec  # noqa: E402
from indexer.embedding.tokenizer import load_tokenizer  # noqa: E402

PROGRAM = [sys.executable, "-c", "from app.cli.main import main; main()"]
PASSAGE_TOKENS = 12  # short: only their number matters to a search


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("model")
    parser.add_argument("--precision", default="int8")
    parser.add_argument("--chunks", type=int, default=10_000)
    parser.add_argument("--runs", type=int, default=9)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--home", type=Path)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        home = args.home or Path(temporary)
        environment = {
            **{name: value for name, value in os.environ.items() if "SEMSEARCH" not in name},
            "PYTHONPATH": str(ROOT),
            "OMP_NUM_THREADS": str(args.threads),
            "SEMSEARCH_HOME": str(home),
            "SEMSEARCH_MODEL": args.model,
            "SEMSEARCH_PLACEMENT": "cpu",
            "SEMSEARCH_PRECISION": args.precision,
            "SEMSEARCH_THREADS": str(args.threads),
        }
        indexing_s = prepare(args.model, args.chunks, home, environment)
        mode = mode_of(environment)
        queries = texts(args.model, args.runs + 1, PASSAGE_TOKENS, seed=5)
        seconds, peaks = zip(*(search(query, environment) for query in queries), strict=True)
    found = {
        "model": args.model,
        "mode": mode,
        "chunks": args.chunks,
        "indexing_s": indexing_s,
        "first_search_s": round(seconds[0], 3),
        "median_search_s": round(median(seconds[1:]), 3),
        "searches_s": [round(each, 3) for each in seconds[1:]],
        "peak_rss_mib": max(peaks),
    }
    print(json.dumps(found, indent=2))


def prepare(model: str, chunks: int, home: Path, environment: dict[str, str]) -> float | None:
    """Seconds of indexing; None if the collection is there already."""
    if (home / "collections" / "default").exists():
        return None
    docs = home / "docs"
    docs.mkdir(parents=True, exist_ok=True)
    lines = (
        json.dumps({"id": str(number), "text": text})
        for number, text in enumerate(texts(model, chunks, PASSAGE_TOKENS, seed=6))
    )
    (docs / "passages.jsonl").write_text("\n".join(lines) + "\n")
    started = time.perf_counter()
    done = subprocess.run(
        [*PROGRAM, "index", str(docs), "--json"], env=environment, stdout=subprocess.PIPE, text=True
    )
    if done.returncode:
        sys.exit(done.returncode)
    assert json.loads(done.stdout)["chunks"] == chunks
    return round(time.perf_counter() - started, 1)


def mode_of(environment: dict[str, str]) -> str:
    """What really runs: a precision that is not good enough is replaced."""
    command = [*PROGRAM, "embed", "--stats"]
    done = subprocess.run(
        command, env=environment, input="a text\n", capture_output=True, text=True, check=True
    )
    return str(json.loads(done.stderr.splitlines()[-1])["mode"])


def texts(model: str, count: int, tokens: int, seed: int) -> list[str]:
    """Different short texts; the model must lie on this machine."""
    ref = resolve(model)
    assert ref.folder is not None, "a bundled model or a folder"
    return texts_of_tokens(load_tokenizer(load_spec(ref.folder, ref)), tokens, count, seed)


def search(query: str, environment: dict[str, str]) -> tuple[float, int]:
    """(seconds of one whole process, its peak resident set in MiB)."""
    started = time.perf_counter()
    process = subprocess.Popen(
        [*PROGRAM, "search", query, "--json"], env=environment, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    with process.stdout as stream:
        answer = stream.read()
    _, status, used = os.wait4(process.pid, 0)
    seconds = time.perf_counter() - started
    process.returncode = os.waitstatus_to_exitcode(status)
    assert process.returncode == 0, f"search ended with code {process.returncode}"
    assert json.loads(answer)["hits"], "nothing was found"
    return seconds, used.ru_maxrss >> 10


if __name__ == "__main__":
    main()
