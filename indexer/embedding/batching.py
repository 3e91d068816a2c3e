"""Which token sequences go through the model together: similar lengths, within a token budget."""

from collections.abc import Sequence


def by_length(lengths: Sequence[int]) -> list[int]:
    """Indices from the longest to the shortest sequence, ties in input order.

    Longest first, so that a run that will not fit in memory says so at once, and neighbours waste
    little padding.
    """
    return sorted(range(len(lengths)), key=lambda index: -lengths[index])


def padded_batch_size(lengths: Sequence[int], max_tokens: int) -> int:
    """How many of the leading sequences fit into one padded batch: at least one.

    Padded size (count x longest) stays within `max_tokens`, unless the first alone exceeds it.

    Args:
        lengths: tokens of each sequence, longest first, not empty.
        max_tokens: padded tokens in one batch.
    """
    longest = max(1, lengths[0])
    return max(1, min(len(lengths), max_tokens // longest))
