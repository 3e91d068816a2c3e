"""Which lanes an evaluation runs: models, dimensions and modes, as far as this machine has them."""

from collections.abc import Sequence
from dataclasses import dataclass

from app.evaluation.lanes.lane import Lane
from app.evaluation.lanes.own_server import free_port
from app.evaluation.results import NotRun
from app.search.models import Models
from app.settings import Settings
from indexer.embedding.planning.choose import plan_for
from indexer.embedding.planning.plan import Verdict
from indexer.embedding.planning.size import read_size
from indexer.embedding.spec import ModelSpec
from indexer.embedding.wishes import Wishes
from indexer.modes import Mode, Placement, Precision

ALL = "all"
_REMOTE = Mode(Placement.REMOTE, Precision.FP32)  # of the server only it knows the precision
_CPU_BF16 = Mode(Placement.CPU, Precision.BF16)
_BF16 = {"avx512_bf16", "amx_bf16", "bf16"}
_NOT_NATIVE = (
    "not native: this CPU has no bf16 instructions, so fp32 is faster; "
    "name the mode to measure it nevertheless"
)
_RUNS = (Verdict.RECOMMENDED, Verdict.FITS, Verdict.UNCHECKED, Verdict.NO_ENDPOINT)


@dataclass(frozen=True, slots=True)
class Chosen:
    """What to run, and what cannot be."""

    lanes: tuple[Lane, ...]
    not_run: tuple[NotRun, ...]


def choose_lanes(
    settings: Settings,
    models: Models,
    names: Sequence[str],
    dimensions: Sequence[int],
    modes: str | None,
) -> Chosen:
    """Every combination.

    Without a mode named, the one that the settings ask for or the plan recommends.

    Args:
        settings: where models run.
        models: to look them up; downloads what is missing.
        names: of models.
        dimensions: shorter vectors as well as, or instead of, the model's own; []: its own.
        modes: "all", or modes with commas; "remote" alone will do.

    Raises:
        UsageError: no such mode, or a dimension that a model cannot give.
        ModelError: no such model.
    """
    specs = {name: models.named(name) for name in names}
    for spec in specs.values():
        for dimension in dimensions:
            spec.check_dimension(dimension)
    port = None if settings.endpoints else free_port()
    lanes: list[Lane] = []
    not_run: list[NotRun] = []
    for name, spec in specs.items():
        wanted, missing = _modes_of(settings, models, spec, modes)
        not_run += [NotRun(label=f"{name} {mode}", reason=reason) for mode, reason in missing]
        for mode in wanted:
            own_port = port if mode.placement is Placement.REMOTE else None
            lanes += [Lane(name, dimension, mode, own_port) for dimension in dimensions or (None,)]
    return Chosen(tuple(lanes), tuple(not_run))


def parse_modes(text: str) -> list[Mode]:
    """Modes with commas; each once.

    Raises:
        UsageError: no such mode.
    """
    parts = [part.strip() for part in text.split(",")]
    found = [_REMOTE if part == Placement.REMOTE else Mode.parse(part) for part in parts]
    return list(dict.fromkeys(found))


def _modes_of(
    settings: Settings, models: Models, spec: ModelSpec, modes: str | None
) -> tuple[list[Mode], list[tuple[Mode, str]]]:
    """(modes to run, those that cannot with the reason)."""
    if modes is not None and modes != ALL:
        return parse_modes(modes), []
    wishes = models.wishes if modes is None else Wishes(visible_gpus=settings.visible_gpus)
    if wishes.placement is Placement.REMOTE:
        return [_REMOTE], []
    plan = plan_for(read_size(spec), wishes, models.checked(spec), folder=spec.transformer_folder)
    if modes is None:
        first = plan.options[0].mode
        return [first], []
    wanted: dict[Mode, None] = {}
    missing: dict[Mode, str] = {}
    native = bool(plan.hardware.cpu.flags & _BF16)
    for option in plan.options:
        if option.mode == _CPU_BF16 and not native:
            missing[option.mode] = _NOT_NATIVE
        elif option.verdict in _RUNS:
            wanted[option.mode] = None
        else:
            missing.setdefault(option.mode, f"{option.verdict}: {option.reason}")
    return list(wanted), [(m, why) for m, why in missing.items() if m not in wanted]
