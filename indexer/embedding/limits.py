"""How long a text may be, and what is done to it, by the rules of sentence-transformers."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from indexer.embedding.model_folder import read_json
from indexer.errors import ModelError

# The name that sentence-transformers looks for, then those that older versions wrote.
_TRANSFORMER_CONFIGS = tuple(
    f"sentence_{name}_config.json"
    for name in ("bert", "roberta", "distilbert", "camembert", "albert", "xlm-roberta", "xlnet")
)
# Settings that change what the model sees and that this program does not do: refused unless empty.
_REFUSED_SETTINGS = (
    "query_expansion",
    "query_length",
    "document_length",
    "processing_kwargs",
    "processor_kwargs",
    "tokenizer_args",
    "model_args",
    "model_kwargs",
    "config_args",
    "config_kwargs",
)
# Position ids of these start behind the padding id, so their table is that much longer than their
# longest text.
_OFFSET_POSITIONS = frozenset({"roberta", "xlm-roberta", "xlm-roberta-xl", "camembert", "mpnet"})


@dataclass(frozen=True, slots=True)
class Limits:
    """How a text is cut and cleaned before the model."""

    max_tokens: int
    lower_case: bool


def read_limits(
    transformer: Path,
    config: Mapping[str, Any],
    architecture: str,
    task: str = "feature-extraction",
) -> Limits:
    """Longest text and lower-casing, by the rules of sentence-transformers.

    `max_seq_length` of sentence_bert_config.json, else the smaller of the tokenizer's and the
    model's own limit. `task` is what sentence-transformers calls the model's use.

    Raises:
        ModelError: a setting that changes the input in a way this program does not do, or no limit
            anywhere.
    """
    path = next((p for n in _TRANSFORMER_CONFIGS if (p := transformer / n).is_file()), None)
    settings = read_json(path) if path else {}
    _refuse_settings(settings, path, task)
    positions = _positive(config.get("max_position_embeddings"))
    if positions is not None and architecture in _OFFSET_POSITIONS:
        pad_id = config.get("pad_token_id")
        positions -= (pad_id if isinstance(pad_id, int) else 1) + 1
    tokenizer_config = transformer / "tokenizer_config.json"
    declared = read_json(tokenizer_config) if tokenizer_config.is_file() else {}
    wished = _positive(settings.get("max_seq_length")) or _positive(
        declared.get("model_max_length")
    )
    known = [limit for limit in (wished, positions) if limit is not None]
    if not known:
        raise ModelError(
            f"{transformer}: no max_seq_length, model_max_length or max_position_embeddings says "
            "how long a text may be."
        )
    return Limits(min(known), lower_case=settings.get("do_lower_case") is True)


def _positive(value: object) -> int | None:
    """A limit, or None: transformers writes 1e30 for "none"."""
    if isinstance(value, int | float) and not isinstance(value, bool) and 0 < value < 1 << 31:
        return int(value)
    return None


def _refuse_settings(settings: Mapping[str, Any], path: Path | None, expected: str) -> None:
    for name in _REFUSED_SETTINGS:
        value = settings.get(name)
        if isinstance(value, dict):
            value = {key: inner for key, inner in value.items() if key != "trust_remote_code"}
        if value not in (None, {}, False):
            raise ModelError(
                f"{path}: setting {name} = {value!r} is not supported. Choose another model."
            )
    task = settings.get("transformer_task") or expected
    modalities = settings.get("modality_config") or {"text": {}}
    if task != expected or not isinstance(modalities, dict) or set(modalities) != {"text"}:
        raise ModelError(
            f"{path}: task {task!r} with inputs {', '.join(map(str, modalities))} is not "
            "supported; only plain text is. "
            "Choose another model."
        )
