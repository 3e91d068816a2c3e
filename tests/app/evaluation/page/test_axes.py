"""Scales: where values lie between the ends, and what is labelled."""

import pytest

from app.evaluation.page.axes import LinearScale, ListedScale, LogScale


@pytest.mark.parametrize(
    ("values", "labels"),
    [
        ((0.1, 0.35), ["0.1", "0.15", "0.2", "0.25", "0.3", "0.35"]),
        ((0, 1500), ["0", "500", "1k", "1.5k"]),
        ((0.42, 0.42), ["0.38", "0.4", "0.42", "0.44", "0.46"]),
    ],
)
def test_linear_scale_labels_round_numbers_within(
    values: tuple[float, ...], labels: list[str]
) -> None:
    scale = LinearScale.around(values)
    assert [label for _, label in scale.ticks()] == labels
    assert all(0 <= scale.share(value) <= 1 for value, _ in scale.ticks())
    assert 0 < scale.share(min(values)) <= scale.share(max(values)) < 1


def test_linear_scale_of_nothing_but_zero_has_a_length() -> None:
    scale = LinearScale.around([0.0])
    assert scale.share(0.0) == pytest.approx(0.5)


def test_logarithmic_scale_labels_more_the_closer_its_ends_are() -> None:
    def labels(low: float, high: float) -> list[str]:
        return [label for _, label in LogScale(low, high).ticks()]

    assert labels(1, 10_000) == ["1", "10", "100", "1k", "10k"]
    assert labels(1, 20) == ["1", "2", "5", "10", "20"]
    assert labels(8, 14) == ["8", "9", "10"]


def test_dimensions_are_labelled_as_they_are_and_halves_are_as_far_apart() -> None:
    scale = ListedScale((128, 256, 1024))
    assert [label for _, label in scale.ticks()] == ["128", "256", "1,024"]
    first, second, last = (scale.share(value) for value in (128, 256, 1024))
    assert (last - second) == pytest.approx(2 * (second - first))
