"""`semsearch plan`: where should the model run?"""

from typing import TYPE_CHECKING, Annotated

import typer

from app.cli.context import Context, JsonOption

if TYPE_CHECKING:
    from app.settings import Settings
    from indexer.embedding.planning.plan import Plan


def plan(
    context: typer.Context,
    model: Annotated[
        str | None, typer.Option(help="Short name, hub id or folder.", show_default="qwen3-0.6b")
    ] = None,
    placement: Annotated[
        str | None, typer.Option(help="Only gpu, offload or cpu.", show_default="all")
    ] = None,
    precision: Annotated[
        str | None,
        typer.Option(help="Only fp32, bf16, fp16, fp8, int8 or int4.", show_default="all"),
    ] = None,
    engine: Annotated[
        str | None, typer.Option(help="On the CPU only onnx or torch.", show_default="both")
    ] = None,
    max_vram: Annotated[
        int | None, typer.Option(help="MiB of GPU memory to stay within.", show_default="free")
    ] = None,
    max_ram: Annotated[
        int | None, typer.Option(help="MiB of memory to stay within.", show_default="free")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Predict memory and speed of every mode on this machine, and recommend one."""
    from app.cli.output import print_json, print_line
    from app.cli.plan_table import plan_lines, plan_values
    from indexer.embedding.planning.reasons import refusal
    from indexer.errors import PlacementError

    start: Context = context.obj
    settings = start.settings(
        model=model,
        placement=placement,
        precision=precision,
        engine=engine,
        max_vram_mib=max_vram,
        max_ram_mib=max_ram,
    )
    found = _plan(settings)
    if as_json:
        print_json(plan_values(found))
    else:
        for line in plan_lines(found):
            print_line(line)
    if found.recommended is None:
        raise PlacementError(refusal(found))


def _plan(settings: "Settings") -> "Plan":
    from dataclasses import replace

    from app.search.models import Models
    from indexer.embedding.planning.choose import plan_for
    from indexer.modes import Placement

    models = Models(settings)
    wishes = models.wishes
    if wishes.placement is Placement.REMOTE:
        # Another machine runs it: what this one could do is still worth knowing.
        wishes = replace(wishes, placement=None)
    size, spec = models.size(settings.model)
    if spec is None:
        return plan_for(size, wishes, measure_speed=True)
    folder, checked = spec.transformer_folder, models.checked(spec)
    return plan_for(size, wishes, checked, folder, measure_speed=True)
