"""An evaluation as a user asks for it: from a judged set and wishes to results on disk."""

import subprocess
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from app.evaluation.assemble import assemble, write_runs
from app.evaluation.choose import Chosen
from app.evaluation.evaluate import ROUNDS, OnStep, Task, gather
from app.evaluation.judged.dataset import JudgedSet
from app.evaluation.lanes.timing import WARMUP
from app.evaluation.page.evaluation_page import write_pages
from app.evaluation.report import versions
from app.evaluation.results import Data, Machine, Results
from app.search.query import Mode as Way
from app.settings import Settings
from app.threads import thread_count
from indexer.embedding.hardware.probe import probe
from indexer.errors import PlacementError
from indexer.types import Scan

RESULTS = "results.json"
RUNS = "runs"  # folder of rankings in TREC's format


@dataclass(frozen=True, slots=True)
class Request:
    """What shall be measured and how."""

    kinds: tuple[Scan, ...] = (Scan.EXACT, Scan.CODES)
    ways: tuple[Way, ...] = tuple(Way)
    whole_documents: bool = False
    rounds: int = ROUNDS  # 0: no timing
    seconds: float = 1.5  # of each kind of call in a round
    command: str = ""


def evaluate(
    settings: Settings,
    judged: JudgedSet,
    chosen: Chosen,
    request: Request,
    output: Path,
    on_step: OnStep,
) -> Results:
    """Measure, and leave results.json, its pages and the rankings in a folder.

    Args:
        settings: the user's.
        judged: the set.
        chosen: what runs.
        request: how.
        output: made if missing.
        on_step: told what is being done.

    Raises:
        PlacementError: no lane could be run; says why of each.
    """
    started, clock = datetime.now(UTC), time.monotonic()
    task = _task(settings, judged, chosen, request)
    gathered = gather(task, on_step)
    not_run = (*gathered.not_run, *chosen.not_run)
    if not gathered.prepared:
        reasons = "; ".join(f"{item.label}: {item.reason}" for item in not_run)
        raise PlacementError(f"Nothing could be measured. {reasons}")
    on_step("all", "computing measures")
    assembled = assemble(task, gathered, judged.qrels)
    results = Results(
        started=started.isoformat(timespec="seconds"),
        seconds=time.monotonic() - clock,
        command=request.command,
        machine=_machine(settings),
        versions=versions(),
        commit=_commit(),
        data=_data(judged, request, gathered.prepared[0].values["documents"]),
        rounds=request.rounds,
        warmup=WARMUP,
        reference=assembled.reference,
        cells=assembled.cells,
        not_run=not_run,
        drift=assembled.drift,
        problems=(*judged.problems, *gathered.problems),
    )
    output.mkdir(parents=True, exist_ok=True)
    results.write(output / RESULTS)
    write_pages(results, output)
    write_runs(task, gathered, output / RUNS)
    return results


def _task(settings: Settings, judged: JudgedSet, chosen: Chosen, request: Request) -> Task:
    return Task(
        lanes=chosen.lanes,
        kinds=request.kinds,
        ways=request.ways,
        corpus=judged.corpus and judged.corpus.absolute(),
        own=judged.own,
        queries=judged.queries,
        themselves=judged.themselves,
        whole_documents=request.whole_documents,
        work=_work_folder(settings, judged),
        flags=_flags(settings),
        rounds=request.rounds,
        seconds=request.seconds,
    )


def _flags(settings: Settings) -> dict[str, Any]:
    """What the command line said, for the children; they read the rest as this process did."""
    flags: dict[str, Any] = {"home": str(settings.home), "threads": thread_count(settings)}
    if settings.origin("endpoints") == "flag":
        flags["endpoints"] = list(settings.endpoints)
    return flags


def _work_folder(settings: Settings, judged: JudgedSet) -> Path:
    """Kept between runs: what was embedded of these very documents need not be again."""
    digest = judged.checksums[judged.corpus.name][:12] if judged.corpus else "own"
    name = "".join(c if c.isalnum() else "_" for c in judged.name)[:60]
    return settings.home / "evaluations" / f"{name}-{digest}"


def _data(judged: JudgedSet, request: Request, documents: int) -> Data:
    return Data(
        name=judged.name,
        documents=documents,
        query_ids=tuple(judged.qrels),
        judgements=judged.judgements,
        checksums=judged.checksums,
        whole_documents=request.whole_documents,
        known_items=judged.known_items,
    )


def _machine(settings: Settings) -> Machine:
    hardware = probe(settings.visible_gpus)
    return Machine(
        cpu=hardware.cpu.name,
        cores=hardware.cpu.physical_cores,
        threads=thread_count(settings),
        instructions=tuple(sorted(hardware.cpu.flags)),
        ram_bytes=hardware.memory.total_bytes,
        gpus=tuple(gpu.name for gpu in hardware.gpus),
    )


def _commit() -> str | None:
    """The commit this program runs from, "+" where files differ; None outside a checkout."""
    home = Path(__file__).resolve().parents[2]
    if not (home / ".git").exists():
        return None
    head = _git(home, ("rev-parse", "--short", "HEAD"))
    if not head:
        return None
    return head + ("+" if _git(home, ("status", "--porcelain", "-uno")) else "")


def _git(home: Path, arguments: Sequence[str]) -> str:
    try:
        done = subprocess.run(
            ["git", "-C", str(home), *arguments], capture_output=True, text=True, timeout=10
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""
