"""How many layers stay on the GPU and how many tokens go into a batch: arithmetic, no device."""

from collections.abc import Sequence
from dataclasses import dataclass

from indexer.errors import PlacementError

BUFFERS = 2  # arrival buffers: one layer computes while the next arrives
MIN_TOKENS = 256  # below this a batch is too small to be worth a pass
MAX_TOKENS = 32_768  # beyond this a batch is not faster, only larger
# A batch that keeps a GPU busy and its launches worth while; rates are measured with this many.
FULL_TOKENS = 2048
# Time for the copies beyond the measured one: the bus is shared with the tokens and the answers.
_HEADROOM = 1.15


@dataclass(frozen=True, slots=True)
class Sizes:
    """Bytes on the device."""

    fixed: int  # whatever the plan: norms, working layer, libraries' workspace
    layer: int  # a layer that stays
    buffer: int  # a layer in its travelling form
    token: int  # activations of a token in a batch


@dataclass(frozen=True, slots=True)
class Rates:
    """Measured on this machine."""

    copy_s: float  # bringing one layer
    token_s: float  # computing one token in one layer


@dataclass(frozen=True, slots=True)
class StreamPlan:
    """What to keep and how much to compute at once."""

    resident: int  # layers on the device
    buffers: int  # arrival buffers; none when every layer stays
    max_tokens: int  # in one batch

    def vram_bytes(self, sizes: Sizes) -> int:
        """What the plan takes on the device."""
        held = sizes.fixed + self.resident * sizes.layer + self.buffers * sizes.buffer
        return held + self.max_tokens * sizes.token


def plan_stream(
    layers: int, vram_bytes: int, sizes: Sizes, rates: Rates, max_tokens: int | None = None
) -> StreamPlan:
    """The plan within `vram_bytes` that keeps most layers while computing still hides the copies.

    Larger batches hide the copies behind more computing, resident layers spare them; the memory
    is shared out so that the batch is just large enough, and the rest keeps layers. Where even
    a batch that takes all the memory cannot hide the copies, it takes all of it.

    Args:
        layers: of the model.
        vram_bytes: never exceeded.
        sizes: of this model on this device.
        rates: measured.
        max_tokens: the user's limit on a batch.

    Raises:
        PlacementError: two buffers and the smallest batch do not fit.
    """
    most = min(max_tokens or MAX_TOKENS, MAX_TOKENS)
    least = min(MIN_TOKENS, most)
    for resident in range(layers, -1, -1):
        # As many layers as buffers may as well stay in them.
        buffers = 0 if resident == layers else BUFFERS
        if buffers and layers - resident <= buffers:
            continue
        room = vram_bytes - StreamPlan(resident, buffers, 0).vram_bytes(sizes)
        tokens = min(most, room // sizes.token)
        hidden = tokens_to_hide(layers - resident, layers, rates)
        wanted = least if resident == layers else max(FULL_TOKENS, hidden)
        if tokens >= min(wanted, most):
            return StreamPlan(resident, buffers, tokens)
    smallest = StreamPlan(0, BUFFERS, 0) if layers > BUFFERS else StreamPlan(layers, 0, 0)
    tokens = min(most, (vram_bytes - smallest.vram_bytes(sizes)) // sizes.token)
    if tokens < least or layers <= BUFFERS:
        needed = smallest.vram_bytes(sizes) + least * sizes.token
        raise PlacementError(
            f"Placement offload: needs at least {-(-needed // (1 << 20))} MiB of GPU memory for "
            f"two layers and {least} tokens, {vram_bytes >> 20} MiB are allowed. Raise "
            "SEMSEARCH_MAX_VRAM_MIB, or use placement cpu."
        )
    return StreamPlan(0, BUFFERS, tokens)


def tokens_to_hide(travelling: int, layers: int, rates: Rates) -> int:
    """The smallest batch that computes `layers` layers while `travelling` of them are copied."""
    return int(_HEADROOM * travelling * rates.copy_s / (layers * rates.token_s)) + 1


def packed_batch_size(lengths: Sequence[int], max_tokens: int) -> int:
    """How many of the leading sequences fit into one packed batch: at least one."""
    total = 0
    for count, length in enumerate(lengths):
        total += length
        if total > max_tokens:
            return max(1, count)
    return len(lengths)
