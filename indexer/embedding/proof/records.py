"""Small results kept between runs, one JSON file each, found again by all that they depend on."""

import hashlib
import json
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from indexer.embedding.proof.golden import write_whole

Key = Mapping[str, Any]  # JSON values only


@dataclass(frozen=True, slots=True)
class Record:
    """A result with what it holds for."""

    key: Key
    values: Mapping[str, Any]
    made: float  # seconds since the epoch


class Records:
    """Results of one kind in a folder. Damaged, missing or of another key: as if never made."""

    def __init__(self, folder: Path, kind: str) -> None:
        self._folder = folder
        self._kind = kind

    def get(self, key: Key) -> Record | None:
        """The result for exactly this key."""
        record = _read(self._path(key))
        return record if record is not None and record.key == key else None

    def put(self, key: Key, values: Mapping[str, Any]) -> None:
        """Keep a result; in a read-only folder it is made again next time."""
        content = {"key": key, "values": values, "made": time.time()}
        write_whole(self._path(key), json.dumps(content, indent=1).encode())

    def all(self) -> Iterator[Record]:
        """Every readable result, in no order."""
        for path in self._folder.glob(f"{self._kind}-*.json"):
            record = _read(path)
            if record is not None:
                yield record

    def _path(self, key: Key) -> Path:
        digest = hashlib.sha256(json.dumps(key, sort_keys=True).encode()).hexdigest()
        return self._folder / f"{self._kind}-{digest[:32]}.json"


def _read(path: Path) -> Record | None:
    try:
        content = json.loads(path.read_bytes())
        record = Record(content["key"], content["values"], float(content["made"]))
    except (OSError, ValueError, TypeError, KeyError):
        return None
    return record if isinstance(record.key, dict) and isinstance(record.values, dict) else None
