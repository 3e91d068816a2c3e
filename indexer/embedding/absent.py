"""Weights that only a remote machine holds: their published hashes stand in for the files.

The record beside the model's configuration names them under "absent": {path: sha256}, taken from
the hub's own listing, from hashes this program knows, or written by the user who runs the server.
"""

from collections.abc import Mapping
from pathlib import Path

from indexer.embedding.model_folder import read_json
from indexer.errors import ModelError


def absent_hashes(absent: Mapping[str, str], folder: Path, transformer: Path) -> list[str]:
    """sha256 of each file that makes up the model, by the rule of `model_folder.weight_files`.

    Args:
        absent: {path in the folder: hex sha256} of weights that are not there.
        folder: the model's.
        transformer: its part with config.json, and the shard index where there is one.

    Raises:
        ModelError: the hash of one of the files is not known.
    """
    part = transformer.relative_to(folder).as_posix()
    prefix = "" if part == "." else f"{part}/"
    single = absent.get(f"{prefix}model.safetensors")
    if single is not None:
        return [single]
    index = transformer / "model.safetensors.index.json"
    shards = read_json(index).get("weight_map") if index.is_file() else None
    names = sorted({str(name) for name in shards.values()}) if isinstance(shards, dict) else []
    missing = [name for name in names if f"{prefix}{name}" not in absent]
    if missing or not names:
        raise ModelError(
            f"{folder}: no hash of {', '.join(missing) or 'model.safetensors'} is known, and its "
            "weights are not here. Fetch the model again."
        )
    return [absent[f"{prefix}{name}"] for name in names]
