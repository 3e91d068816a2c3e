"""Labels neither cover each other nor a point, and stay in the frame."""

from itertools import combinations

import pytest

from app.evaluation.page.labels import Box, along, place_labels

FRAME = Box(0, 0, 400, 300)


@pytest.mark.parametrize(
    "points",
    [
        [(200.0, 150.0)] * 8,
        [(390.0, 10.0), (395.0, 12.0), (5.0, 295.0)],
        [(100.0 + i, 100.0 + i % 3) for i in range(12)],
    ],
    ids=["on one spot", "in corners", "crowded"],
)
def test_labels_of_crowded_points_do_not_overlap(points: list[tuple[float, float]]) -> None:
    words = [f"cpu:int8 exact {i}" for i in range(len(points))]
    placed = place_labels(points, words, FRAME)
    boxes = [box for box in placed if box is not None]
    assert len(boxes) == len(points)
    assert not any(one.meets(other) for one, other in combinations(boxes, 2))
    for x, y in points:
        assert not any(box.meets(Box(x - 3, y - 3, x + 3, y + 3)) for box in boxes)
    assert all(box.lies_in(FRAME) for box in boxes)


def test_label_without_any_room_is_left_out() -> None:
    assert place_labels([(10.0, 10.0)], ["a long name"], Box(0, 0, 20, 20)) == [None]


def test_label_keeps_off_a_line_to_the_right_of_its_point() -> None:
    line = along([((200.0, 150.0), (400.0, 150.0))])
    (box,) = place_labels([(200.0, 150.0)], ["name"], FRAME, line)
    assert box is not None
    assert not any(box.meets(part) for part in line)
