"""`semsearch model`: list the models there are, fetch one ahead of time."""

from typing import Annotated

import typer

from app.cli.context import Context, JsonOption

app = typer.Typer(help="List models, download one.", no_args_is_help=True, rich_markup_mode=None)


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
                "default" if row["default"] else "",
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
    from app.search.models import Models
    from indexer.embedding.hub import enforced_hashes

    start: Context = context.obj
    settings = start.settings()
    with watch(as_json) as screen:
        models = Models(settings, screen.on_download)
        spec = models.named(model)
    models.remember(spec.weights_sha256, model)
    values = {
        "model": spec.model,
        "revision": spec.revision,
        "folder": str(spec.folder),
        "weights_sha256": spec.weights_sha256,
        "weights_bytes": spec.weights_bytes,
        "pooling": str(spec.pooling),
        "dimension": spec.hidden_size,
        "max_tokens": spec.max_tokens,
        "files": enforced_hashes(model, spec.folder),
    }
    if as_json:
        print_json(values)
        return
    rows = [[name, str(value)] for name, value in values.items() if name != "files"]
    rows += [
        [f"sha256 {name}", value] for name, value in enforced_hashes(model, spec.folder).items()
    ]
    for line in table(rows):
        print_line(line)
