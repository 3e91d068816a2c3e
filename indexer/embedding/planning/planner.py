"""Choose a mode: model, hardware and wishes in, every mode with its reason out. Pure.

The rules are those of the article this project began with (a GPU directly from 4 GiB up, quantised
weights on 2-4 GiB, without a GPU int8 on the CPU or a smaller model), but predictions come first:
whatever fits is sorted by how a search feels, then by the article's advice to quantise, then by
indexing speed.
"""

from collections.abc import Sequence, Set
from dataclasses import replace

from indexer.embedding.hardware.cpu import threads_for
from indexer.embedding.hardware.machine import Gpu, Hardware
from indexer.embedding.planning import reasons
from indexer.embedding.planning.candidates import MODES, Candidate
from indexer.embedding.planning.evaluate import budget_of, choose_gpu, missing_hardware, predict
from indexer.embedding.planning.plan import Latency, Option, Plan, SmallerModel, Verdict
from indexer.embedding.planning.size import ModelSize
from indexer.embedding.wishes import Wishes
from indexer.modes import Mode, Placement

_CLASSES = list(Latency)
_VERDICTS = list(Verdict)


def make_plan(
    size: ModelSize,
    hardware: Hardware,
    wishes: Wishes,
    checked: Set[Mode] = frozenset(),
    smaller: Sequence[tuple[str, ModelSize]] = (),
    candidates: Sequence[Candidate] = MODES,
) -> Plan:
    """Every mode of a model on a machine, the recommended one first.

    Args:
        size: the model.
        hardware: the machine.
        wishes: narrow the choice.
        checked: quantised modes that passed their quality check on this model.
        smaller: (name, model) to fall back on, best first; used where this one is too large or
            slow.
        candidates: the modes there are.
    """
    gpu = choose_gpu(hardware, wishes)
    options = [_judge(size, c, hardware, gpu, wishes, checked) for c in candidates]
    options.sort(key=lambda option: _rank(option, gpu))
    best = options[0] if options and options[0].verdict is Verdict.FITS else None
    if best is not None:
        options = [_compared(option, best, gpu) for option in options]
    device = None
    if best is not None and gpu is not None and best.mode.placement is not Placement.CPU:
        device = wishes.device or (f"cuda:{gpu.index}" if len(hardware.gpus) > 1 else None)
    named: tuple[SmallerModel, ...] = ()
    if best is None or _is_slow(best):
        named = smaller_models(size, hardware, wishes, checked, smaller, candidates)
    threads = wishes.threads or threads_for(hardware.cpu)
    return Plan(size, hardware, tuple(options), threads, device, named)


def _judge(
    size: ModelSize,
    candidate: Candidate,
    hardware: Hardware,
    gpu: Gpu | None,
    wishes: Wishes,
    checked: Set[Mode],
) -> Option:
    """The verdict on one mode by itself."""
    prediction = predict(size, candidate, hardware, gpu, wishes)
    budget = budget_of(hardware, gpu, wishes)

    def option(verdict: Verdict, reason: str) -> Option:
        return Option(candidate, verdict, reason, prediction)

    if candidate.placement is Placement.REMOTE:
        return option(Verdict.NO_ENDPOINT, reasons.no_endpoint())
    if (unwished := reasons.unwished(candidate, wishes)) is not None:
        return option(Verdict.NOT_WISHED, unwished)
    if (lacking := reasons.unavailable(candidate, size)) is not None:
        return option(Verdict.UNAVAILABLE, lacking)
    if (missing := missing_hardware(hardware, gpu, candidate)) is not None:
        return option(Verdict.NO_HARDWARE, missing)
    if budget.shortage(prediction) > 0:
        return option(Verdict.TOO_LARGE, reasons.too_large(prediction, budget, wishes))
    asked = wishes.precision is candidate.precision
    if candidate.needs_check and candidate.mode not in checked and not asked:
        return option(Verdict.UNCHECKED, reasons.unchecked(candidate))
    return option(Verdict.FITS, reasons.fits(prediction, hardware, gpu))


def _rank(option: Option, gpu: Gpu | None) -> tuple[int, int, bool, float]:
    """Best first: verdict, how a search feels, the article's advice, indexing speed.

    Sorting keeps the order of MODES.
    """
    speed, verdict = option.prediction.speed, _VERDICTS.index(option.verdict)
    if speed is None:
        return verdict, len(_CLASSES), True, 0.0
    advised = option.mode.placement is Placement.GPU and option.candidate.needs_check
    other = not (advised and reasons.advises_quantising(gpu))
    return verdict, _CLASSES.index(speed.latency), other, -speed.tokens_per_s


def _is_slow(option: Option) -> bool:
    speed = option.prediction.speed
    return speed is not None and speed.latency is Latency.SLOW


def _compared(option: Option, best: Option, gpu: Gpu | None) -> Option:
    """The same option with its reason against the best."""
    if option is best:
        reason = f"{option.reason}; {reasons.recommended(option, gpu)}"
        return replace(option, verdict=Verdict.RECOMMENDED, reason=reason)
    if option.verdict is Verdict.FITS:
        return replace(option, reason=f"{option.reason}; {reasons.against(option, best)}")
    return option


def smaller_models(
    size: ModelSize,
    hardware: Hardware,
    wishes: Wishes,
    checked: Set[Mode],
    smaller: Sequence[tuple[str, ModelSize]],
    candidates: Sequence[Candidate] = MODES,
) -> tuple[SmallerModel, ...]:
    """Models below this one's size that fit, each in its best mode; see `make_plan`."""
    found = []
    for name, other in smaller:
        if other.values >= size.values:
            continue
        plan = make_plan(other, hardware, wishes, checked, candidates=candidates)
        best = plan.recommended
        if best is not None:
            found.append(SmallerModel(name, best.candidate, best.prediction))
    return tuple(found)
