"""What is timed: the right number of calls, with the right texts, none twice."""

import json
from collections.abc import Sequence

import pytest

from app.evaluation.measurement import Measurement, measure
from indexer.embedding.embedder import Embedder
from indexer.types import Kind, Vectors


def test_measure_times_every_run_on_new_texts_after_a_warm_up(
    hash_embedder: Embedder, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[list[str]] = []
    embed = hash_embedder.embed

    def listen(texts: Sequence[str], kind: Kind) -> Vectors:
        assert kind is Kind.DOCUMENT
        calls.append(list(texts))
        return embed(texts, kind)

    monkeypatch.setattr(hash_embedder, "embed", listen)
    steps: list[str] = []
    found = measure(hash_embedder, 1.5, 3, steps.append)
    assert [len(texts) for texts in calls] == [1, 1, 1, 1, 4, 4, 4, 4]
    texts = [text for call in calls for text in call]
    assert len(set(texts)) == len(texts) == 20
    assert set(hash_embedder.tokenizer.count(texts)) == {found.tokens} == {128}
    assert (len(found.one_text_ms), len(found.four_texts_ms), found.load_s) == (3, 3, 1.5)
    assert min(found.one_text_ms) > 0
    assert (found.mode, found.engine) == ("cpu:fp32", "HashRuntime")
    assert found.peak_rss_bytes > 50 << 20
    assert steps[:2] == ["batch 1, warm-up", "batch 1, run 1 of 3"]
    assert steps[-1] == "batch 4, run 3 of 3"


def test_measurement_survives_json_and_gives_medians() -> None:
    found = Measurement(
        "cpu:int8", "OnnxModel", 128, (3.0, 1.0, 8.0), (9.0, 5.0), 0.5, 1 << 30, None, 7.5
    )
    assert Measurement.from_dict(json.loads(json.dumps(found.to_dict()))) == found
    assert (found.one_text, found.four_texts) == (3.0, 7.0)
