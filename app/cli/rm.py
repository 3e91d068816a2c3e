"""`semsearch rm`: forget documents, or a whole collection."""

import os
from pathlib import Path
from typing import Annotated

import typer

from app.cli.context import CollectionOption, Context, JsonOption


def rm(
    context: typer.Context,
    paths: Annotated[
        list[Path] | None, typer.Argument(help="Files and folders to forget; they stay on disk.")
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
        _confirm(name, status.documents, judgements, yes=yes)
        delete_collection(opened.folder(name))
        removed = status.files
    else:
        absolute = [os.fsencode(os.path.realpath(path)) for path in paths or []]
        with Writer.open(opened.folder(name), status.contract) as writer:
            removed = sum(writer.remove(path) for path in absolute)
            for path in absolute:
                writer.remove_root(path)
            writer.sync()
    if as_json:
        print_json({"collection": name, "removed": removed})
    else:
        say(f"Forgot {removed:,} files." if not everything else f"Deleted collection {name}.")
    if not removed and not everything:
        raise typer.Exit(1)


def _confirm(name: str, documents: int, judgements: int, *, yes: bool) -> None:
    """Ask before a whole collection goes.

    Raises:
        typer.Exit: the answer was no.
    """
    judged = f" and {judgements:,} judgements" if judgements else ""
    question = f"Delete collection {name} with {documents:,} documents{judged}? Your files stay."
    if not yes and not typer.confirm(question, err=True):
        raise typer.Exit(1)
