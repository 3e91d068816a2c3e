"""What was fetched: model, revision and file hashes, kept beside the model and enforced."""

import json
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeGuard

from indexer.embedding.file_hashes import sha256_of
from indexer.embedding.model_folder import read_json
from indexer.errors import ModelError

RECORD_NAME = "semsearch-model.json"
_SHA256 = re.compile("[0-9a-f]{64}")  # an absent file's enters the contract unseen


@dataclass(frozen=True, slots=True)
class Record:
    """The content of a record file."""

    model: str
    revision: str | None
    sha256: Mapping[str, str]  # {path in the folder: hex}
    absent: Mapping[str, str] = field(default_factory=dict)  # of weights that only a server holds


def read_record(folder: Path) -> Record | None:
    """The record beside a model, None when there is none.

    Raises:
        ModelError: the record is damaged.
    """
    path = folder / RECORD_NAME
    if not path.is_file():
        return None
    values = read_json(path)
    model, revision = values.get("model"), values.get("revision")
    files, absent = values.get("sha256"), values.get("absent", {})
    if (
        not isinstance(model, str)
        or not isinstance(revision, str | None)
        or not _are_hashes(files)
        or not _are_hashes(absent)
        or not all(_SHA256.fullmatch(digest) for digest in absent.values())
    ):
        raise ModelError(f"{path}: damaged. Delete the folder {folder} and fetch the model again.")
    return Record(model, revision, files, absent)


def _are_hashes(values: Any) -> TypeGuard[dict[str, str]]:
    """{path in the folder: text}."""
    return isinstance(values, dict) and all(
        isinstance(digest, str) and _stays_inside(name) for name, digest in values.items()
    )


def write_record(folder: Path, record: Record) -> None:
    """Write the record, whole or not at all."""
    values: dict[str, Any] = {
        "model": record.model,
        "revision": record.revision,
        "sha256": dict(record.sha256),
    }
    if record.absent:
        values["absent"] = dict(record.absent)
    draft = folder / f"{RECORD_NAME}.{os.getpid()}.tmp"
    draft.write_text(json.dumps(values, indent=2) + "\n", encoding="utf-8")
    draft.replace(folder / RECORD_NAME)


def check_files(folder: Path, sha256: Mapping[str, str], cache_folder: Path | None) -> None:
    """Compare files with their known hashes.

    Raises:
        ModelError: a file is missing or is not what it was.
    """
    for name, expected in sha256.items():
        path = folder / name
        if not path.is_file():
            raise ModelError(f"{path}: missing. {_again(folder)}")
        found = sha256_of(path, cache_folder)
        if found != expected:
            raise ModelError(
                f"{path}: sha256 is {found}, expected {expected}. The file is damaged or was "
                f"replaced. {_again(folder)}"
            )


def _again(folder: Path) -> str:
    return f"Delete the folder {folder} and fetch the model again."


def _stays_inside(name: str) -> bool:
    return not name.startswith(("/", "\\")) and ":" not in name and ".." not in name.split("/")
