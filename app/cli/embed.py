"""`semsearch embed`: texts in, vectors out, in input order and bounded memory."""

import json
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, BinaryIO

import typer

from app.cli.context import Context, EndpointOption

if TYPE_CHECKING:
    from app.cli.embed_input import Format
    from app.cli.embed_output import Output
    from app.cli.progress import Screen
    from app.settings import Settings
    from indexer.embedding.embedder import Embedder
    from indexer.types import Kind


def embed(
    context: typer.Context,
    source: Annotated[
        str, typer.Argument(metavar="FILE|-", help="Texts in UTF-8; - reads stdin.")
    ] = "-",
    model: Annotated[
        str | None, typer.Option(help="Short name, hub id or folder.", show_default="qwen3-0.6b")
    ] = None,
    placement: Annotated[
        str | None, typer.Option(help="gpu, cpu or remote.", show_default="auto")
    ] = None,
    endpoint: EndpointOption = None,
    precision: Annotated[
        str | None,
        typer.Option(help="Number format of the weights.", show_default="the placement's best"),
    ] = None,
    kind: Annotated[
        str | None,
        typer.Option(
            help="document, or query: with the model's query prompt.", show_default="document"
        ),
    ] = None,
    instruction: Annotated[
        str | None,
        typer.Option("--instruct", help="The task, for queries to models that take instructions."),
    ] = None,
    dimension: Annotated[
        int | None,
        typer.Option("--dim", "--dimension", help="Shorter vectors (MRL models only)."),
    ] = None,
    form: Annotated[
        str,
        typer.Option(
            "--format",
            help="lines: one text a line, an empty line too. jsonl: an object with a string text; "
            "its id or _id comes back. auto: jsonl if the name ends so.",
        ),
    ] = "auto",
    output: Annotated[
        str,
        typer.Option(
            "--output", "-o", help="An .npy file (float32), or - for JSON lines on stdout."
        ),
    ] = "-",
    stats: Annotated[
        bool, typer.Option("--stats", help="Print JSON about the run to stderr at the end.")
    ] = False,
) -> None:
    """Turn texts into vectors, one for each line."""
    from app.cli.embed_input import format_of, open_source
    from app.cli.embed_output import check_target

    start: Context = context.obj
    settings = start.settings(
        model=model,
        placement=placement,
        endpoints=endpoint,
        precision=precision,
        dimension=dimension,
    )
    wanted = _kind(kind, instruction)
    found = format_of(source, form)
    check_target(output)
    with open_source(source) as stream:
        _run(settings, Job(source, stream, found, wanted, instruction, output), stats=stats)


@dataclass(frozen=True)
class Job:
    """What one run reads, how it embeds, and where the vectors go."""

    source: str
    stream: BinaryIO
    form: "Format"
    kind: "Kind"
    instruction: str | None
    output: str


@dataclass
class Stats:
    """What `--stats` prints."""

    mode: str
    texts: int = 0
    tokens: int = 0
    seconds: float = 0.0  # from the loaded model to the last vector written
    tokens_per_s: float = 0.0
    load_s: float = 0.0
    peak_rss_mib: int = 0
    peak_vram_mib: int | None = None


def _kind(kind: str | None, instruction: str | None) -> "Kind":
    from indexer.errors import UsageError
    from indexer.types import Kind

    if kind is None:
        return Kind.DOCUMENT if instruction is None else Kind.QUERY
    if kind not in set(Kind):
        raise UsageError(f"--kind {kind}: there are {', '.join(Kind)}.")
    return Kind(kind)


def _run(settings: "Settings", job: Job, *, stats: bool) -> None:
    from app.cli.progress import watch
    from app.search.models import Models

    # With --stats stderr is data as well, unless a person looks on.
    with watch(stats) as screen:
        models = Models(settings, screen.on_download, screen.note)
        spec = models.named(settings.model)
        dimension = spec.check_dimension(settings.dimension)
        with _output(job.output, dimension) as output:
            screen.loading(spec)
            started = time.perf_counter()
            with models.embedder(spec, dimension) as embedder:
                embedder.tokenizer.prompt(job.kind, job.instruction)  # refuse before reading
                result = Stats(str(embedder.mode), load_s=time.perf_counter() - started)
                _embed_all(embedder, job, output, result, screen)
    if stats:
        _show(result)


@contextmanager
def _output(name: str, dimension: int) -> Iterator["Output"]:
    from app.cli.embed_output import STDOUT, JsonLines, npy_output

    if name == STDOUT:
        yield JsonLines()
    else:
        with npy_output(Path(name), dimension) as output:
            yield output


def _embed_all(
    embedder: "Embedder", job: Job, output: "Output", result: Stats, screen: "Screen"
) -> None:
    """Every text of the job to the output; counts into the result."""
    from app.cli.embed_input import STDIN, read_texts
    from app.cli.output import say
    from indexer.embedding.stream import embed_stream

    if job.source == STDIN and job.stream.isatty():
        say("One text a line; end with Ctrl-D (Windows: Ctrl-Z, Enter).")
    done = 0
    started = time.perf_counter()

    def on_batch(texts: int, tokens: int) -> None:
        nonlocal done
        done += texts
        result.tokens += tokens
        screen.on_texts(done, result.tokens / (time.perf_counter() - started))

    name = "stdin" if job.source == STDIN else job.source
    texts = read_texts(job.stream, job.form, name)
    for window, vectors in embed_stream(
        embedder, texts, lambda item: item.text, job.kind, job.instruction, on_batch
    ):
        output.write(window, vectors)
        result.texts += len(window)
    result.seconds = time.perf_counter() - started


def _show(result: Stats) -> None:
    """The statistics as one JSON object on stderr."""
    from indexer.embedding.footprint import peak_rss_bytes, peak_vram_bytes

    vram = peak_vram_bytes()
    shown = replace(
        result,
        seconds=round(result.seconds, 3),
        tokens_per_s=round(result.tokens / result.seconds, 1) if result.texts else 0.0,
        load_s=round(result.load_s, 3),
        peak_rss_mib=peak_rss_bytes() >> 20,
        peak_vram_mib=None if vram is None else vram >> 20,
    )
    sys.stderr.write(json.dumps(asdict(shown)) + "\n")
