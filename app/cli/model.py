"""`semsearch model`: list the models there are, fetch one or prepare one ahead of time."""

import time
from typing import TYPE_CHECKING, Annotated, Any

import typer

from app.cli.context import Context, JsonOption

if TYPE_CHECKING:
    from app.cli.progress import Screen
    from app.settings import Settings
    from indexer.embedding.spec import ModelSpec
    from indexer.modes import Precision

app = typer.Typer(
    help="List models, download one, prepare one.", no_args_is_help=True, rich_markup_mode=None
)


@app.command("list")
def list_models(context: typer.Context, as_json: JsonOption = False) -> None:
    """Show the short names, what they stand for, and which are on this machine."""
    from app.cli.output import mebibytes, print_json, print_line, table
    from app.search.models import Models

    start: Context = context.obj
    rows = Models(start.settings()).listing()
    if as_json:
        print_json(rows)
        return
    for line in table(
        [
            [
                str(row["name"]),
                str(row["id"]),
                f"here, {mebibytes(row['size_bytes'])}" if row["local"] else "not downloaded",
                "default" if row["default"] else "reranker" if row["reranks"] else "",
            ]
            for row in rows
        ]
    ):
        print_line(line)


@app.command()
def pull(
    context: typer.Context,
    model: Annotated[str, typer.Argument(help="Short name, hub id or folder.")],
    as_json: JsonOption = False,
) -> None:
    """Download and verify a model, and show the hashes that are enforced from then on."""
    from app.cli.output import print_json, print_line, table
    from app.cli.progress import watch
    from indexer.embedding.models import resolve

    start: Context = context.obj
    settings = start.settings()
    with watch(as_json) as screen:
        pull_one = _pull_reranker if resolve(model).reranks else _pull
        values, files = pull_one(settings, model, screen)
    if as_json:
        print_json({**values, "files": files})
        return
    rows = [[name, str(value)] for name, value in values.items()]
    rows += [[f"sha256 {name}", digest] for name, digest in files.items()]
    for line in table(rows):
        print_line(line)


def _pull(
    settings: "Settings", name: str, screen: "Screen"
) -> tuple[dict[str, Any], dict[str, str]]:
    """(what the model is, hashes of its files)."""
    from app.search.models import Models
    from indexer.embedding.hub import enforced_hashes

    models = Models(settings, screen.on_download)
    spec = models.named(name)
    models.remember(spec.weights_sha256, name)
    values = {
        "model": spec.model,
        "revision": spec.revision,
        "folder": str(spec.folder),
        "weights_sha256": spec.weights_sha256,
        "weights_bytes": spec.weights_bytes,
        "pooling": str(spec.pooling),
        "dimension": spec.hidden_size,
        "max_tokens": spec.max_tokens,
    }
    return values, enforced_hashes(name, spec.folder)


def _pull_reranker(
    settings: "Settings", name: str, screen: "Screen"
) -> tuple[dict[str, Any], dict[str, str]]:
    """The same of a reranker."""
    from app.search.rerankers import Rerankers
    from indexer.embedding.hub import enforced_hashes

    spec = Rerankers(settings, screen.on_download).named(name)
    values = {
        "model": spec.model,
        "revision": spec.revision,
        "folder": str(spec.folder),
        "weights_sha256": spec.weights_sha256,
        "weights_bytes": spec.weights_bytes,
        "recipe": str(spec.recipe),
        "max_tokens": spec.max_tokens,
    }
    return values, enforced_hashes(name, spec.folder)


@app.command()
def optimise(
    context: typer.Context,
    model: Annotated[str, typer.Argument(help="Short name, hub id or folder.")],
    precision: Annotated[str, typer.Option(help="int8 or fp32.")] = "int8",
    force: Annotated[bool, typer.Option("--force", help="Build it anew even if it is there.")] = (
        False
    ),
    as_json: JsonOption = False,
) -> None:
    """Prepare the copy of a model that runs on the CPU, which its first use would otherwise do."""
    from app.cli.output import duration, mebibytes, print_json, print_line, table
    from app.cli.progress import watch
    from app.search.models import Models

    start: Context = context.obj
    settings = start.settings(precision=precision)
    with watch(as_json) as screen:
        spec = Models(settings, screen.on_download).named(model)
        values = _prepare(settings, spec, screen, force=force)
    if as_json:
        print_json(values)
        return
    rows = [
        ["model", spec.model],
        ["precision", precision],
        ["folder", values["folder"]],
        ["size", f"{mebibytes(values['bytes'])} (weights: {mebibytes(spec.weights_bytes)})"],
        ["built", f"in {duration(values['seconds'])}" if values["built"] else "was there already"],
    ]
    for line in table(rows):
        print_line(line)


def _prepare(
    settings: "Settings", spec: "ModelSpec", screen: "Screen", *, force: bool
) -> dict[str, Any]:
    """Where the prepared copy lies, its size, and what it took."""
    from indexer.embedding.onnx import cache

    precision = _preparable(settings.precision, spec)
    place = settings.prepared_folder
    if force:
        cache.remove(spec, precision, place)
    intact = cache.is_intact(cache.folder_of(spec, precision, place), place)
    started = time.perf_counter()
    folder = cache.prepare(spec, precision, place, screen.on_written)
    return {
        "model": spec.model,
        "precision": precision,
        "folder": str(folder),
        "bytes": cache.size_bytes(folder),
        "weights_bytes": spec.weights_bytes,
        "built": not intact,
        "seconds": round(time.perf_counter() - started, 3),
    }


def _preparable(precision: "Precision | None", spec: "ModelSpec") -> "Precision":
    """The precision, if there is a prepared form of this model in it."""
    from indexer.embedding.onnx.encoder import reason_against
    from indexer.errors import PlacementError, UsageError
    from indexer.modes import Precision

    if precision not in (Precision.INT8, Precision.FP32):
        raise UsageError(f"--precision {precision}: the CPU's prepared copies are int8 and fp32.")
    if reason := reason_against(spec):
        raise PlacementError(
            f"{spec.model} runs without a prepared copy: {reason}. There is nothing to do for it."
        )
    return precision
