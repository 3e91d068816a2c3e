"""The files of a sentence-transformers folder, read with suspicion."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from indexer.errors import ModelError
from indexer.types import Pooling

_MAX_JSON_BYTES = 8 << 20  # far above any configuration file or shard index

# Older folders: one boolean per mode. Newer ones: "pooling_mode", a name or a list of names.
_OLD_POOLING_KEYS = {
    "pooling_mode_cls_token": "cls",
    "pooling_mode_mean_tokens": "mean",
    "pooling_mode_max_tokens": "max",
    "pooling_mode_mean_sqrt_len_tokens": "mean_sqrt_len_tokens",
    "pooling_mode_weightedmean_tokens": "weightedmean",
    "pooling_mode_lasttoken": "lasttoken",
}


@dataclass(frozen=True, slots=True)
class Modules:
    """The steps modules.json lists, checked to be Transformer, Pooling and perhaps Normalize."""

    folder: Path
    transformer: Path
    pooling: Path
    normalises: bool


@dataclass(frozen=True, slots=True)
class Prompts:
    """Texts put before a query and before a document."""

    query: str
    document: str


def read_json(path: Path) -> dict[str, Any]:
    """A JSON object from a file.

    Raises:
        ModelError: missing, too large, not JSON, or not an object.
    """
    values = _read_json_value(path)
    if not isinstance(values, dict):
        raise ModelError(f"{path}: holds no JSON object. Fetch the model again.")
    return values


def _read_json_value(path: Path) -> Any:
    try:
        size = path.stat().st_size
        if size > _MAX_JSON_BYTES:
            raise ModelError(
                f"{path}: {size} bytes, limit {_MAX_JSON_BYTES} for a configuration file."
            )
        return json.loads(path.read_bytes())
    except FileNotFoundError as error:
        raise ModelError(
            f"{path}: missing. A model folder needs config.json, tokenizer.json, *.safetensors, "
            "modules.json "
            "and a pooling folder, as sentence-transformers saves them."
        ) from error
    except OSError as error:
        raise ModelError(f"{path}: cannot be read ({error.strerror or error}).") from error
    except (ValueError, RecursionError) as error:
        raise ModelError(f"{path}: not valid JSON ({error}). Fetch the model again.") from error


def read_modules(folder: Path) -> Modules:
    """The steps of the model, from modules.json.

    Raises:
        ModelError: no modules.json, no pooling step, or a step this program does not do.
    """
    path = folder / "modules.json"
    if folder.is_dir() and not path.is_file():
        raise ModelError(
            f"{path}: missing, so nothing says how this model pools. Use a folder saved by "
            "sentence-transformers, "
            "or add modules.json and 1_Pooling/config.json from the model's page."
        )
    entries = _read_json_value(path)
    if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
        raise ModelError(f"{path}: holds no list of modules. Fetch the model again.")
    names = [str(entry.get("type", "")).rsplit(".", 1)[-1] for entry in entries]
    for name in names:
        if name not in ("Transformer", "Pooling", "Normalize"):
            raise ModelError(
                f"{path}: module {name or '(unnamed)'} is not supported; only Transformer, "
                "Pooling and Normalize are. "
                "Choose another model."
            )
    if "Pooling" not in names:
        raise ModelError(
            f"{path}: no Pooling module, so nothing says how this model pools. Add one with its "
            "1_Pooling/config.json from the model's page, or choose another model."
        )
    if names not in (["Transformer", "Pooling"], ["Transformer", "Pooling", "Normalize"]):
        raise ModelError(
            f"{path}: modules {', '.join(names)} are in an order that is not supported."
        )
    places = [_inside(folder, entry.get("path", ""), path) for entry in entries]
    return Modules(folder, places[0], places[1], normalises=len(names) == 3)


def _inside(folder: Path, name: object, source: Path) -> Path:
    """A module's folder, which must lie inside the model's."""
    place = PurePosixPath(str(name))
    if (
        not isinstance(name, str)
        or place.is_absolute()
        or ".." in place.parts
        or "\\" in name
        or ":" in name
    ):
        raise ModelError(f"{source}: module path {name!r} leads out of the model folder.")
    return folder / name


def read_pooling(modules: Modules) -> tuple[Pooling, int]:
    """(how to pool, length of the vectors) from the pooling module's config.json.

    Raises:
        ModelError: missing, no mode, several modes, or a mode that is not supported.
    """
    path = modules.pooling / "config.json"
    if not path.is_file():
        raise ModelError(
            f"{path}: missing, so nothing says how this model pools. Copy it from the model's "
            "page; it is never guessed."
        )
    config = read_json(path)
    names = _pooling_names(config)
    if len(names) != 1 or names[0] not in list(Pooling):
        chosen = " + ".join(names) or "none"
        raise ModelError(
            f"{path}: pooling {chosen} is not supported; exactly one of {', '.join(Pooling)} is. "
            "Choose another model."
        )
    if config.get("include_prompt", True) is not True:
        raise ModelError(f"{path}: include_prompt false is not supported. Choose another model.")
    width = config.get("embedding_dimension", config.get("word_embedding_dimension"))
    if not isinstance(width, int) or isinstance(width, bool) or not 0 < width <= 1 << 16:
        raise ModelError(f"{path}: word_embedding_dimension is {width!r}, not a vector length.")
    return Pooling(names[0]), width


def _pooling_names(config: Mapping[str, Any]) -> list[str]:
    if "pooling_mode" in config:
        mode = config["pooling_mode"]
        return [str(name) for name in mode] if isinstance(mode, list) else [str(mode)]
    return [name for key, name in _OLD_POOLING_KEYS.items() if config.get(key)]


def read_prompts(modules: Modules) -> Prompts:
    """Query and document prompts from config_sentence_transformers.json; "" where it has none.

    Raises:
        ModelError: prompts are no texts, or vectors are meant to be compared unnormalised.
    """
    path = modules.folder / "config_sentence_transformers.json"
    config = read_json(path) if path.is_file() else {}
    similarity = config.get("similarity_fn_name") or "cosine"
    if similarity != "cosine" and not modules.normalises:
        raise ModelError(
            f"{path}: similarity {similarity!r} on unnormalised vectors; collections hold unit "
            "vectors. "
            "Choose another model."
        )
    prompts = config.get("prompts") or {}
    if not isinstance(prompts, dict) or not all(
        isinstance(p, str | None) for p in prompts.values()
    ):
        raise ModelError(f"{path}: prompts are not texts. Fetch the model again.")
    document = next(
        (prompts[name] for name in ("document", "passage", "corpus") if name in prompts), ""
    )
    return Prompts(prompts.get("query") or "", document or "")


def architecture_of(config: Mapping[str, Any], transformer: Path) -> str:
    """`model_type` of config.json.

    Raises:
        ModelError: not named, or the model needs code from its own repository.
    """
    path = transformer / "config.json"
    own_code = config.get("auto_map")
    if isinstance(own_code, dict) and "AutoModel" in own_code:
        raise ModelError(
            f"{path}: this model runs code of its own ({own_code['AutoModel']}), which semsearch "
            "never does. "
            "Choose a model of a standard architecture."
        )
    name = config.get("model_type")
    if not isinstance(name, str) or not name:
        raise ModelError(f"{path}: names no model_type. Fetch the model again.")
    if (transformer / "adapter_config.json").is_file():
        raise ModelError(
            f"{transformer}: an adapter (PEFT), not a whole model. Merge it into its base model "
            "first."
        )
    return name


def weight_files(transformer: Path) -> list[Path]:
    """The safetensors files that make up the model, by name.

    Raises:
        ModelError: none, or a shard named in the index is missing.
    """
    index = transformer / "model.safetensors.index.json"
    if (single := transformer / "model.safetensors").is_file():
        return [single]
    if not index.is_file():
        others = sorted(p.name for p in transformer.glob("*.bin"))
        found = f" ({', '.join(others)} are pickles, which are never loaded)" if others else ""
        raise ModelError(
            f"{single}: missing{found}. Use a folder with safetensors weights. Where only a remote "
            "endpoint holds them, the contract still needs to know which they are: put a file "
            'semsearch-model.json beside modules.json with {"model": NAME, "revision": null, '
            '"sha256": {}, "absent": {"model.safetensors": SHA256 OF THAT FILE}}.'
        )
    shards = read_json(index).get("weight_map")
    if not isinstance(shards, dict) or not shards:
        raise ModelError(f"{index}: lists no weights. Fetch the model again.")
    files = [
        _inside(transformer, name, index) for name in sorted({str(n) for n in shards.values()})
    ]
    for file in files:
        if not file.is_file():
            raise ModelError(f"{file}: missing, but listed in {index.name}. Fetch the model again.")
    return files
