"""`semsearch index`: make a collection mirror folders."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from app.cli.context import CollectionOption, Context, EndpointOption, JsonOption

if TYPE_CHECKING:
    from app.settings import Settings

# Beside the main process, which embeds and commits. One worker leaves half of two cores idle when
# there is no model work (see benchmarks/pipeline); each costs about 80 MiB.
WORKERS = 2


def index(
    context: typer.Context,
    paths: Annotated[
        list[Path] | None,
        typer.Argument(help="Files and folders; none: all roots of the collection again."),
    ] = None,
    collection: CollectionOption = None,
    model: Annotated[
        str | None, typer.Option(help="Short name, hub id or folder.", show_default="qwen3-0.6b")
    ] = None,
    dimension: Annotated[
        int | None, typer.Option(help="Shorter vectors (MRL models only).", show_default=False)
    ] = None,
    include: Annotated[
        list[str] | None, typer.Option(help="Only files that match this glob; may repeat.")
    ] = None,
    exclude: Annotated[
        list[str] | None, typer.Option(help="No files that match this glob; may repeat.")
    ] = None,
    placement: Annotated[
        str | None, typer.Option(help="gpu, cpu or remote.", show_default="auto")
    ] = None,
    endpoint: EndpointOption = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only predict: files, tokens, time, RAM and disk.")
    ] = False,
    reembed: Annotated[
        bool, typer.Option("--reembed", help="Empty the collection and embed all anew.")
    ] = False,
    target_recall: Annotated[
        float | None,
        typer.Option(
            help="Share of the true 10 nearest that a large collection's index must find; kept.",
            show_default="0.99",
        ),
    ] = None,
    ram_budget: Annotated[
        int | None,
        typer.Option(
            help="Memory in MiB for a large collection's vector index; kept.", show_default=False
        ),
    ] = None,
    prefix_dim: Annotated[
        str | None,
        typer.Option(
            metavar="INTEGER|all",
            help="Find candidates by so many leading dimensions (MRL models); kept.",
            show_default="all",
        ),
    ] = None,
    instruction: Annotated[
        str | None,
        typer.Option(
            "--instruct",
            help="Task of its queries: web, code, qa, duplicates (-zh for Chinese) or a sentence; "
            "kept. none: the model's own.",
            show_default=False,
        ),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Index files and folders, or bring a collection up to date."""
    start: Context = context.obj
    settings = start.settings(
        collection=collection,
        model=model,
        dimension=dimension,
        placement=placement,
        endpoints=endpoint,
        target_recall=target_recall,
        ram_budget_mib=ram_budget,
        prefix_dim=prefix_dim,
    )
    globs = (include or [], exclude or [])
    _run(
        settings, paths or [], globs, instruction, dry_run=dry_run, reembed=reembed, as_json=as_json
    )


def _run(
    settings: "Settings",
    paths: list[Path],
    globs: tuple[list[str], list[str]],
    instruction: str | None,
    *,
    dry_run: bool,
    reembed: bool,
    as_json: bool,
) -> None:
    from app.cli.progress import say_interrupted, show_dry_run, show_report, watch
    from app.indexing import (
        build_index,
        choose_model,
        foresee,
        index_options,
        index_wishes,
        is_collection,
        query_wishes,
        targets,
    )
    from app.search.models import Models
    from app.threads import thread_count
    from indexer.pipeline.run import index as run_index
    from indexer.storage.commit import Writer
    from indexer.storage.upgrade import upgrade

    folder = settings.collection_folder()
    if not dry_run:
        upgrade(folder)
    wanted = targets(paths, folder)
    with watch(as_json) as screen:
        models = Models(settings, screen.on_download, screen.note)
        name, spec, contract = choose_model(settings, models, folder, reembed=reembed)
        workers = min(WORKERS, thread_count(settings))
        options = index_options(settings, contract, *globs, workers=workers)
        wishes = index_wishes(settings, spec, contract, screen.note)
        asked = query_wishes(spec, instruction)
        if dry_run:
            show_dry_run(foresee(models, wanted, folder, spec, contract, options), as_json)
            return
        if name is not None:
            models.remember(spec.weights_sha256, name)
        screen.loading(spec)
        try:
            if reembed or not is_collection(folder):
                # A mode that cannot run must not empty a collection, nor leave an empty one that
                # is bound to its model. Otherwise the lock comes first, so that a second writer
                # learns of the first at once.
                models.embedder(spec, contract.dimension)
            with Writer.open(folder, contract, reembed=reembed) as writer:
                embedder = models.embedder(spec, contract.dimension)
                models.admit_to(folder, embedder)
                if asked is not None:
                    asked.keep(folder)
                report = run_index(wanted, writer, embedder, contract, options, screen.on_progress)
            built = build_index(folder, wishes, screen.on_build)
        except KeyboardInterrupt:
            say_interrupted()
            raise typer.Exit(130) from None
    show_report(report, settings.collection, built, as_json)
