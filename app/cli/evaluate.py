"""`semsearch eval`: quality, speed and memory of every mode, on judged data."""

import shlex
import sys
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from app.cli.context import CollectionOption, Context, EndpointOption, JsonOption

if TYPE_CHECKING:
    from app.evaluation.gates import Gates
    from app.evaluation.results import Results
    from app.evaluation.run import Request
    from app.settings import Settings

NOT_PASSED = 1
_SECONDS = 1.5


def evaluate(
    context: typer.Context,
    dataset: Annotated[
        Path | None,
        typer.Argument(help="BEIR folder: corpus.jsonl, queries.jsonl, qrels/test.tsv."),
    ] = None,
    own: Annotated[
        bool, typer.Option("--own", help="Measure a collection by what `semsearch judge` kept.")
    ] = False,
    known_items: Annotated[
        int | None,
        typer.Option(
            min=1,
            help="With --own: so many queries made from headings instead; a weaker substitute.",
            show_default=False,
        ),
    ] = None,
    collection: CollectionOption = None,
    corpus: Annotated[
        Path | None, typer.Option(help="Documents elsewhere: a JSONL file or a folder.")
    ] = None,
    queries: Annotated[Path | None, typer.Option(help="Queries elsewhere, as JSONL.")] = None,
    qrels: Annotated[
        Path | None, typer.Option(help="Judgements elsewhere, of BEIR or TREC.")
    ] = None,
    split: Annotated[str, typer.Option(help="Which qrels of the folder.")] = "test",
    models: Annotated[
        str | None,
        typer.Option("--model", help="One or several with commas.", show_default="qwen3-0.6b"),
    ] = None,
    dimensions: Annotated[
        str | None,
        typer.Option(
            "--dim", help="Shorter vectors (MRL models), e.g. 1024,256.", show_default="the model's"
        ),
    ] = None,
    modes: Annotated[
        str | None,
        typer.Option(
            help="all, or for example gpu:fp16,cpu:int8,remote.", show_default="the plan's best"
        ),
    ] = None,
    endpoint: EndpointOption = None,
    index: Annotated[
        str, typer.Option(help="exact scores every vector, codes those that an index finds.")
    ] = "exact,codes",
    retrieval: Annotated[
        str, typer.Option(help="Ways to retrieve; the first is shown.", show_default="all")
    ] = "hybrid,dense,lexical",
    whole_documents: Annotated[
        bool,
        typer.Option(
            "--whole-documents", help="One vector a document, cut at the model's limit: no chunks."
        ),
    ] = False,
    rounds: Annotated[
        int, typer.Option(min=0, max=1000, help="In which modes take turns; 0: only quality.")
    ] = 5,
    seconds: Annotated[
        float, typer.Option(min=0.05, max=3600, help="For each kind of call in a round.")
    ] = _SECONDS,
    output: Annotated[
        Path | None,
        typer.Option("--out", "-o", help="Folder for the report.", show_default="eval-<name>"),
    ] = None,
    fail_under: Annotated[
        str | None, typer.Option(help="For example ndcg@10=0.6,ann_recall@10=0.99.")
    ] = None,
    at_most: Annotated[
        str | None, typer.Option("--max", help="For example p95=200ms,ram=2GiB.")
    ] = None,
    baseline: Annotated[
        Path | None, typer.Option(help="Earlier results.json: fail on a significant drop.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Measure every mode on judged data: quality, agreement, speed, memory; exit 1 at a gate."""
    from app.cli.evaluation_table import show_failed, show_results
    from app.cli.output import print_json
    from indexer.errors import UsageError

    start: Context = context.obj
    settings = start.settings(endpoints=endpoint, collection=collection)
    request = _request(index, retrieval, whole_documents, rounds, seconds)
    gates = _gates(fail_under, at_most, baseline)
    if gates.most.keys() - {"ram", "vram"} and not rounds:
        raise UsageError("--max with a time needs --rounds of at least 1: 0 measures no times.")
    if own is (dataset is not None):
        raise UsageError("Name a judged set, or --own to measure a collection of yours.")
    elsewhere = (corpus, queries, qrels, split)
    wanted = _Wanted(dataset, elsewhere, known_items, _names(models), _numbers(dimensions), modes)
    results, folder = _measure(settings, wanted, request, output, as_json=as_json)
    failed = gates.check(results, str(request.ways[0]))
    if as_json:
        print_json({"results": str(folder), "failed": [asdict(item) for item in failed]})
    else:
        show_results(results, folder)
        show_failed(failed)
    if failed:
        raise typer.Exit(NOT_PASSED)


@dataclass(frozen=True)
class _Wanted:
    """On what, and in which models and modes."""

    dataset: Path | None  # None: the user's own collection
    elsewhere: tuple[Path | None, Path | None, Path | None, str]  # corpus, queries, qrels, split
    known_items: int | None
    models: list[str]
    dimensions: list[int]
    modes: str | None


def _measure(
    settings: "Settings",
    wanted: _Wanted,
    request: "Request",
    output: Path | None,
    *,
    as_json: bool,
) -> "tuple[Results, Path]":
    """(results, the folder they lie in)."""
    from app.cli.progress import watch
    from app.evaluation.choose import choose_lanes
    from app.evaluation.judged.dataset import load_judged
    from app.evaluation.live import own_judged
    from app.evaluation.run import evaluate as run
    from app.search.models import Models

    with watch(as_json) as screen:
        models = Models(settings, screen.on_download)
        if wanted.dataset is not None:
            judged = load_judged(wanted.dataset, *wanted.elsewhere)
            names, dimensions = wanted.models or [settings.model], wanted.dimensions
        else:
            live = own_judged(settings, models, wanted.known_items, request.kinds)
            judged, names, dimensions = live.judged, [live.model], [live.dimension]
            request = replace(request, kinds=live.kinds)
        chosen = choose_lanes(settings, models, names, dimensions, wanted.modes)
        folder = output or Path(f"eval-{judged.name}")
        return run(settings, judged, chosen, request, folder, screen.on_measured), folder


def _request(
    index: str, retrieval: str, whole_documents: bool, rounds: int, seconds: float
) -> "Request":
    from app.evaluation.lanes.lane import KINDS
    from app.evaluation.run import Request
    from app.search.query import Mode
    from indexer.errors import UsageError

    kinds, ways = _names(index), _names(retrieval)
    for option, given, known in (("--index", kinds, KINDS), ("--retrieval", ways, tuple(Mode))):
        unknown = [name for name in given if name not in known]
        if unknown or not given:
            raise UsageError(f"{option} {', '.join(unknown)}: there are {', '.join(known)}.")
    return Request(
        kinds=tuple(kind for kind in KINDS if kind in kinds),
        ways=tuple(Mode(way) for way in ways),
        whole_documents=whole_documents,
        rounds=rounds,
        seconds=seconds,
        command=shlex.join(["semsearch", *sys.argv[1:]]),
    )


def _gates(fail_under: str | None, at_most: str | None, baseline: Path | None) -> "Gates":
    """Read before anything is measured, which may take hours."""
    from app.evaluation.gates import Gates, parse_least, parse_most
    from app.evaluation.results import Results

    return Gates(
        least=parse_least(fail_under) if fail_under else {},
        most=parse_most(at_most) if at_most else {},
        baseline=Results.read(baseline) if baseline else None,
    )


def _names(text: str | None) -> list[str]:
    return list(dict.fromkeys(part.strip() for part in (text or "").split(",") if part.strip()))


def _numbers(text: str | None) -> list[int]:
    from indexer.errors import UsageError

    found = _names(text)
    if not all(name.isascii() and name.isdigit() for name in found):
        raise UsageError(f"--dim {text}: give whole numbers with commas, e.g. 1024,512,256.")
    return [int(name) for name in found]
