"""Sizes from config.json in both its forms; whatever the packed forward lacks is named."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from indexer.embedding.local import LocalEmbedder
from indexer.embedding.qwen3_config import Qwen3Config, read_config, reason_against
from indexer.embedding.spec import load_spec
from indexer.errors import ModelError
from indexer.types import Pooling
from make_tiny_qwen3 import CONFIG

Change = Callable[[dict[str, Any]], Path]


def test_sizes_are_those_of_the_file(tiny_folder: Path) -> None:
    config = read_config(tiny_folder)
    assert config == Qwen3Config(4, 64, 4, 2, 16, 192, 1e-6, 1_000_000)
    assert (config.query_size, config.key_size) == (64, 32)
    # q and o 64 x 64, k and v 32 x 64, three MLP matrices 192 x 64, two operations each.
    assert config.layer_flops == 2 * (2 * 64 * 64 + 2 * 32 * 64 + 3 * 192 * 64)


def test_form_of_transformers_5_is_the_same_model(changed: Change) -> None:
    new = {key: value for key, value in CONFIG.items() if not key.startswith("rope")}
    new |= {"rope_parameters": {"rope_theta": 1_000_000, "rope_type": "default"}}
    new |= {"layer_types": ["full_attention"] * 4}
    assert read_config(changed({"config.json": new})) == read_config(
        changed({"config.json": CONFIG})
    )


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"rope_scaling": {"type": "yarn", "factor": 4}}, "scaled ('yarn')"),
        ({"rope_parameters": {"rope_theta": 1e6, "rope_type": "linear"}}, "scaled ('linear')"),
        ({"use_sliding_window": True}, "slides a window"),
        ({"layer_types": ["full_attention", "sliding_attention"]}, "slides a window"),
        ({"attention_bias": True}, "has biases"),
        ({"hidden_act": "gelu"}, "activation is 'gelu'"),
        ({"quantization_config": {"bits": 4}}, "are quantised"),
    ],
)
def test_part_that_is_not_known_is_named(
    changed: Change, change: dict[str, Any], named: str
) -> None:
    folder = changed({"config.json": CONFIG | change})
    reason = reason_against(load_spec(folder))
    assert reason is not None
    assert named in reason
    with pytest.raises(ModelError, match="does not run this model"):
        read_config(folder)


@pytest.mark.parametrize("value", [None, 0, -4, "4", True, 1 << 30, 1.5])
def test_impossible_size_is_refused_by_name(changed: Change, value: object) -> None:
    folder = changed({"config.json": CONFIG | {"num_attention_heads": value}})
    with pytest.raises(ModelError, match=r"config\.json: num_attention_heads is .*not a size"):
        read_config(folder)


@pytest.mark.parametrize("change", [{"rope_theta": None}, {"rms_norm_eps": float("nan")}])
def test_impossible_constant_is_refused_by_name(changed: Change, change: dict[str, Any]) -> None:
    with pytest.raises(ModelError, match=f"{next(iter(change))} is .*not a number above 0"):
        read_config(changed({"config.json": CONFIG | change}))


def test_heads_that_do_not_divide_are_refused(changed: Change) -> None:
    folder = changed({"config.json": CONFIG | {"num_key_value_heads": 3}})
    with pytest.raises(ModelError, match="4 query heads over 3 key heads"):
        read_config(folder)


def test_other_architectures_and_poolings_go_another_way(
    tiny: LocalEmbedder, minilm: LocalEmbedder
) -> None:
    assert reason_against(tiny.spec) is None
    assert reason_against(minilm.spec) == "its architecture is bert, not qwen3"
    mean = replace(tiny.spec, pooling=Pooling.MEAN)
    assert reason_against(mean) == "it pools by mean, not by the last token"
