"""The planner's sentences: one line for or against each mode, with the numbers."""

from indexer.embedding.hardware.machine import Gpu, Hardware
from indexer.embedding.planning.candidates import Candidate
from indexer.embedding.planning.evaluate import Budget
from indexer.embedding.planning.plan import Option, Plan, Prediction, Verdict
from indexer.embedding.planning.size import ModelSize
from indexer.embedding.wishes import Engine, Wishes
from indexer.modes import Placement

# The article's borders, in bytes of free VRAM.
ARTICLE_DIRECT, ARTICLE_QUANTISED = 4 << 30, 2 << 30


def amount(size_bytes: float) -> str:
    """Bytes for people."""
    if size_bytes >= 1 << 30:
        return f"{size_bytes / (1 << 30):.1f} GiB"
    return f"{size_bytes / (1 << 20):.0f} MiB"


def unwished(candidate: Candidate, wishes: Wishes) -> str | None:
    """Which wish excludes a mode; None: none does."""
    if wishes.placement not in (None, candidate.placement):
        return f"placement {wishes.placement} was asked for"
    if wishes.precision not in (None, candidate.precision):
        return f"precision {wishes.precision} was asked for"
    if wishes.engine not in (None, candidate.engine) and candidate.placement is Placement.CPU:
        return f"engine {wishes.engine} was asked for"
    return None


def unavailable(candidate: Candidate, size: ModelSize) -> str | None:
    """Why this version cannot run a mode with this model; None: it can."""
    if candidate.engine is Engine.ONNX and size.against_onnx is not None:
        return f"not for this model: {size.against_onnx}"
    quantised = candidate.needs_check and candidate.placement is not Placement.CPU
    if quantised and size.against_packed is not None:
        return f"not for this model: {size.against_packed}"
    return None


def unchecked(candidate: Candidate) -> str:
    """Why a quantised mode is not taken by itself."""
    return (
        f"fits, but its quality is not checked on this model yet; --precision "
        f"{candidate.precision} takes it"
    )


def no_endpoint() -> str:
    """Why another machine is never chosen unasked."""
    return "--endpoint URL names one; texts leave this machine only then"


def fits(prediction: Prediction, hardware: Hardware, gpu: Gpu | None) -> str:
    """What a mode takes of what is free."""
    if prediction.vram.peak and gpu is not None:
        text = f"{amount(prediction.vram.peak)} of {amount(gpu.free_bytes)} free VRAM"
        if prediction.resident_layers is not None:
            text += f", {prediction.resident_layers} layers resident"
        if prediction.disk_bytes:
            text += f", {amount(prediction.disk_bytes)} read from disk for every batch"
        return text
    return f"{amount(prediction.ram.peak)} of {amount(hardware.memory.usable_bytes)} free RAM"


def too_large(prediction: Prediction, budget: Budget, wishes: Wishes) -> str:
    """Which memory is too small."""
    ram, vram = prediction.ram.peak, prediction.vram.peak
    reserved = vram - prediction.vram.base
    if budget.wished_vram is not None and reserved > budget.wished_vram:
        return f"needs {amount(reserved)} VRAM, --max-vram is {amount(budget.wished_vram)}"
    if vram > budget.vram:
        return f"needs {amount(vram)} VRAM, {amount(budget.vram)} can be used"
    if budget.ram == wishes.max_ram_bytes:
        return f"needs {amount(ram)} RAM, --max-ram is {amount(budget.ram)}"
    return f"needs {amount(ram)} RAM, {amount(budget.ram)} can be used"


def recommended(option: Option, gpu: Gpu | None) -> str:
    """Why a mode comes first, beside the article's advice."""
    placement = option.mode.placement
    if gpu is None or placement is Placement.CPU:
        return "the fastest that fits"
    if placement is Placement.OFFLOAD:
        return "faster than the CPU although layers are copied for every batch"
    if gpu.free_bytes >= ARTICLE_DIRECT:
        return "direct, as the article advises from 4 GiB up"
    if not advises_quantising(gpu):
        return "the fastest that fits"
    if option.candidate.needs_check:
        return "quantised, as the article advises on 2-4 GiB"
    return "the whole model fits; the article quantises on 2-4 GiB, --precision int8 checks that"


def advises_quantising(gpu: Gpu | None) -> bool:
    """Whether the article's rule for a card is quantised weights."""
    return gpu is not None and ARTICLE_QUANTISED <= gpu.free_bytes < ARTICLE_DIRECT


def against(option: Option, best: Option) -> str:
    """How much slower a mode is than the best."""
    mine, theirs = option.prediction.speed, best.prediction.speed
    if mine is None or theirs is None:
        return "not the fastest"
    slower = theirs.tokens_per_s / mine.tokens_per_s
    if slower >= 1.05:
        return f"indexes {slower:.1f}x slower than {best.candidate.label}"
    if mine.query_ms > 1.05 * theirs.query_ms:
        return f"answers {mine.query_ms / theirs.query_ms:.1f}x slower than {best.candidate.label}"
    return f"no faster than {best.candidate.label}"


def refusal(plan: Plan) -> str:
    """The error's text where no mode is left: the nearest one, what it lacks, what to do."""
    model = plan.size.model
    unasked = (Verdict.NOT_WISHED, Verdict.NO_ENDPOINT)
    left = [option for option in plan.options if option.verdict not in unasked]
    if not left:
        return f"{model}: there is no such mode. `semsearch plan` shows all."
    nearest = min(left, key=_distance)
    text = f"{model}: no mode can be recommended. Nearest is {nearest.mode}: {nearest.reason}."
    if plan.smaller:
        text += f" Smaller models fit: {', '.join(model.name for model in plan.smaller)}."
    if nearest.verdict is Verdict.TOO_LARGE:
        placement, precision = nearest.mode.placement, nearest.mode.precision
        text += f" --placement {placement} with --precision {precision} tries it all the same."
    if nearest.verdict is Verdict.NO_HARDWARE:
        text += " Use placement cpu."
    return text + " `semsearch plan` shows every mode."


def _distance(option: Option) -> tuple[int, int]:
    """How far a mode is from running: its verdict, then its memory."""
    return list(Verdict).index(option.verdict), option.prediction.ram.peak
