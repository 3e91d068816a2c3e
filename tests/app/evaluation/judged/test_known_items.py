"""Queries made from headings: only those that name one document."""

import pytest

from app.evaluation.judged.known_items import _choose, _owners


def test_owners_drop_short_repeated_and_endless_headings() -> None:
    headings = [
        (1, "How to bake bread"),
        (1, "How to bake bread"),  # title and first heading of one document
        (1, "Yeast"),
        (1, "Two words"),
        (1, "1 2 3 4"),
        (1, "Table of all contents"),
        (2, "table  of all CONTENTS"),  # the same, whatever case and spacing
        (2, "  The clock\nin the tower "),
        (3, "面包为什么会发酵"),
        (3, "面包"),
        (3, " ".join(["far too long"] * 20)),
    ]
    assert _owners(headings) == {
        "How to bake bread": 1,
        "The clock in the tower": 2,
        "面包为什么会发酵": 3,
    }


OWNERS = {f"heading number {i} of one": 1 for i in range(20)} | {"the only one of two": 2}


@pytest.mark.parametrize("seed", range(5))
def test_choose_asks_for_every_document_before_any_twice(seed: int) -> None:
    assert set(_choose(OWNERS, 2, seed).values()) == {1, 2}


def test_choose_depends_on_the_seed_alone() -> None:
    turned = dict(reversed(OWNERS.items()))
    assert list(_choose(OWNERS, 9, 1)) == list(_choose(turned, 9, 1))
    assert set(_choose(OWNERS, 9, 1)) != set(_choose(OWNERS, 9, 2))
    assert len(_choose(OWNERS, 99, 1)) == 21
