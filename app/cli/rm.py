"""`semsearch rm`: forget documents, or a whole collection."""

import os
from typing import Annotated

import typer

from app.cli.context import CollectionOption, Context, JsonOption


def rm(
    context: typer.Context,
    paths: Annotated[
        list[str] | None,
        typer.Argument(
            help="Files and folders to forget; they stay on disk. api:/ID names an uploaded "
            "document, api:/ all of them."
        ),
    ] = None,
    collection: CollectionOption = None,
    everything: Annotated[bool, typer.Option("--all", help="Delete the whole collection.")] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Forget documents; your files are never touched."""
    from app.cli.output import print_json, say
    from app.judging.store import read_judgements
    from app.search.collections import Collections
    from indexer.errors import UsageError
    from indexer.storage.commit import Writer
    from indexer.storage.remove import delete_collection

    start: Context = context.obj
    settings = start.settings()
    name = settings.collection if collection is None else collection
    if bool(paths) == everything:
        raise UsageError("Name the files or folders to forget, or --all for the whole collection.")
    opened = Collections(settings)
    status = opened.get(name).status()
    opened.close()
    if everything:
        judgements = read_judgements(opened.folder(name)).count
        _confirm(name, status.documents, status.uploads, judgements, yes=yes)
        delete_collection(opened.folder(name))
        removed = status.files + status.uploads
    else:
        absolute = [_absolute(path) for path in paths or []]
        with Writer.open(opened.folder(name), status.contract) as writer:
            removed = sum(writer.remove(path) for path in absolute)
            for path in absolute:
                writer.remove_root(path)
            writer.sync()
    if as_json:
        print_json({"collection": name, "removed": removed})
    else:
        what = "files and uploads" if status.uploads else "files"
        say(f"Forgot {removed:,} {what}." if not everything else f"Deleted collection {name}.")
    if not removed and not everything:
        raise typer.Exit(1)


def _absolute(path: str) -> bytes:
    """As the collection knows it: a real path, or the name of what lies in no file."""
    from indexer.paths import UPLOADED

    raw = os.fsencode(path)
    return raw if raw.startswith(UPLOADED) else os.path.realpath(raw)


def _confirm(name: str, documents: int, uploads: int, judgements: int, *, yes: bool) -> None:
    """Ask before a whole collection goes.

    Raises:
        typer.Exit: the answer was no.
    """
    judged = f" and {judgements:,} judgements" if judgements else ""
    lost = f" {uploads:,} of the documents lie in no file." if uploads else ""
    question = (
        f"Delete collection {name} with {documents:,} documents{judged}? Your files stay.{lost}"
    )
    if not yes and not typer.confirm(question, err=True):
        raise typer.Exit(1)
