"""Offload of models whose weights do not fit into RAM: planned with the rest on disk."""

from dataclasses import replace

import pytest
from planned_machines import GIB, card, machine

from indexer.embedding.hardware.machine import Disk, Hardware
from indexer.embedding.planning import memory
from indexer.embedding.planning.candidates import MODES
from indexer.embedding.planning.plan import Option, Verdict
from indexer.embedding.planning.planner import make_plan
from indexer.embedding.planning.published import PUBLISHED
from indexer.embedding.planning.size import ModelSize
from indexer.embedding.wishes import Wishes
from indexer.modes import Mode, Placement, Precision

# As large as Qwen3-4B, of an architecture that goes through transformers.
LARGE = replace(PUBLISHED["qwen3-4b"], against_packed="its architecture is gemma3_text, not qwen3")
BF16 = Mode(Placement.OFFLOAD, Precision.BF16)


def option(hardware: Hardware, size: ModelSize = LARGE) -> Option:
    plan = make_plan(size, hardware, Wishes(Placement.OFFLOAD, Precision.BF16))
    (found,) = [o for o in plan.options if o.mode == BF16]
    return found


SMALL_CARD = card("RTX 3050", 4, (8, 6))


def test_what_does_not_fit_into_ram_is_read_from_disk_for_every_batch() -> None:
    found = option(machine(10, SMALL_CARD))
    assert found.verdict is Verdict.RECOMMENDED
    weights = 2 * LARGE.values
    kept, left = found.prediction.ram.weights, found.prediction.disk_bytes
    assert kept + left == weights
    assert 0 < kept < weights
    assert f"{left / GIB:.1f} GiB read from disk for every batch" in found.reason
    assert found.prediction.ram.peak <= 10 * GIB * 0.8 * 0.95


def test_all_in_ram_where_it_fits() -> None:
    found = option(machine(64, SMALL_CARD))
    assert found.prediction.disk_bytes == 0
    assert "disk" not in found.reason


def test_no_disk_for_our_own_streaming() -> None:
    qwen = replace(LARGE, against_packed=None)
    assert option(machine(10, SMALL_CARD), qwen).verdict is Verdict.TOO_LARGE


def test_not_even_one_module_beside_the_program_is_too_large() -> None:
    found = option(machine(2.5, SMALL_CARD))
    assert found.verdict is Verdict.TOO_LARGE
    assert found.prediction.ram.weights == 0


@pytest.mark.parametrize(("rate", "assumed"), [(2e9, 2e9), (None, 500e6)])
def test_reading_is_waited_for(rate: float | None, assumed: float) -> None:
    hardware = replace(machine(10, SMALL_CARD), disk=Disk(GIB, rate))
    found = option(hardware).prediction
    assert found.speed is not None
    assert found.speed.query_ms > 1e3 * found.disk_bytes / assumed
    assert found.speed.query_ms < 1e3 * found.disk_bytes / assumed + 3000


def test_more_ram_leaves_less_on_disk() -> None:
    (candidate,) = [c for c in MODES if c.mode == BF16]
    left = [memory.disk_need(LARGE, candidate, gib * GIB)[1] for gib in range(2, 14)]
    assert left == sorted(left, reverse=True)
    assert left[0] == 2 * LARGE.values
    assert left[-1] == 0
