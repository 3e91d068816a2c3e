"""Which token sequences go through the model together: similar lengths, within a token budget."""

from collections.abc import Sequence


def by_length(lengths: Sequence[int]) -> list[int]:
    """Indices from the longest to the shortest sequence, ties in input order.

    Longest first, so that a run that will not fit in memory says so at once, and neighbours waste
    little padding.
    """
    return sorted(range(len(lengths)), key=lambda index: -lengths[index])


def next_batch(order: Sequence[int], lengths: Sequence[int], start: int, max_tokens: int) -> int:
    """End of the batch that begins at `order[start]`: as many as fit, at least one.

    Padded size (count x longest) stays within `max_tokens`, unless one sequence alone exceeds it.
    """
    assert start < len(order)
    longest = max(1, lengths[order[start]])
    end = start + 1
    while end < len(order):
        longest = max(longest, lengths[order[end]])
        if longest * (end + 1 - start) > max_tokens:
            break
        end += 1
    return end


def plan_batches(lengths: Sequence[int], max_tokens: int) -> list[list[int]]:
    """All sequences as batches of indices within the budget; every index exactly once."""
    order = by_length(lengths)
    batches = []
    start = 0
    while start < len(order):
        end = next_batch(order, lengths, start, max_tokens)
        batches.append(order[start:end])
        start = end
    return batches
