"""The closing sentence for machines with and without a GPU."""

import pytest

from app.evaluation.advice import advice, milliseconds
from bench_rows import GIB, ran
from indexer.embedding.planning.candidates import Candidate
from indexer.embedding.planning.plan import MemoryNeed, Prediction, SmallerModel, Speed
from indexer.embedding.wishes import Engine
from indexer.modes import Mode


def smaller(name: str, passage_ms: float) -> SmallerModel:
    speed = Speed(1.0, passage_ms, 1000.0)
    prediction = Prediction(MemoryNeed(), MemoryNeed(), 512, speed=speed)
    return SmallerModel(name, Candidate(Mode.parse("cpu:fp32"), Engine.ONNX), prediction)


def test_advice_without_a_gpu_agrees_with_int8() -> None:
    rows = [ran("cpu:int8", 121, 446), ran("cpu:fp32", 322, 1217)]
    assert advice(rows[0], rows, 0, [smaller("minilm", 6)]) == (
        "Without a GPU the article advises int8 on the CPU or a smaller model, and so does the "
        "measurement: take cpu:int8, 121 ms for one text (p99 121 ms), 2.7x faster than cpu:fp32."
    )


def test_advice_for_a_slow_cpu_names_the_smaller_model_that_is_fast() -> None:
    rows = [ran("cpu:int8", 457, 1700)]
    models = [smaller("qwen3-0.6b", 300), smaller("minilm", 6.04), smaller("gte-tiny", 5)]
    assert advice(rows[0], rows, 0, models).endswith(
        "take cpu:int8, 457 ms for one text (p99 457 ms); a smaller model would be faster, minilm "
        "at a predicted 6.04 ms."
    )
    assert "smaller model would" not in advice(rows[0], rows, 8 * GIB, models)
    assert "smaller model would" not in advice(rows[0], rows, 0, models[:1])


@pytest.mark.parametrize(
    ("vram", "modes", "text"),
    [
        (0, ["cpu:fp32", "cpu:int8"], "but the measurement is for another: take cpu:fp32"),
        (0, ["cpu:fp32"], "which was not measured; of what was, take cpu:fp32"),
        (
            15 * GIB,
            ["gpu:bf16", "cpu:int8"],
            "With 15.0 GiB of free VRAM the article advises the GPU directly, and so does",
        ),
        (
            3 * GIB,
            ["gpu:fp16", "gpu:int8"],
            "With 3.0 GiB of free VRAM the article advises quantised weights on the GPU, but the",
        ),
        (GIB, ["cpu:int8", "offload:fp16"], "With 1.0 GiB of free VRAM the article advises int8"),
    ],
)
def test_advice_sets_the_rule_beside_the_measurement(
    vram: int, modes: list[str], text: str
) -> None:
    rows = [ran(mode, 10 * number, 30) for number, mode in enumerate(modes, 1)]
    assert text in advice(rows[0], rows, vram, [])


def test_advice_does_not_boast_of_a_tie() -> None:
    rows = [ran("cpu:int8", 100, 300), ran("cpu:fp32", 99, 300)]
    assert advice(rows[0], rows, 0, []).endswith(", no slower than cpu:fp32.")


@pytest.mark.parametrize(
    ("value", "text"), [(1119.6, "1120 ms"), (100, "100 ms"), (21.787, "21.8 ms"), (1.5, "1.5 ms")]
)
def test_milliseconds_have_three_digits(value: float, text: str) -> None:
    assert milliseconds(value) == text
