"""How a collection's queries are to be embedded, where a query does not say: kept beside it."""

from dataclasses import dataclass
from pathlib import Path

from indexer.storage.engine import store_errors
from indexer.storage.manifest import read_json, write_json

FILE = "query.json"
_FORMAT = 1


@dataclass(frozen=True, slots=True)
class QueryWishes:
    """What a collection keeps of them."""

    instruction: str | None = None  # the task, for models that take one; None: the model's own

    @classmethod
    def kept(cls, folder: Path) -> "QueryWishes":
        """What was asked before; nothing where that cannot be read."""
        values = read_json(folder / FILE)
        if values is None or values.get("format") != _FORMAT:
            return cls()
        instruction = values.get("instruction")
        return cls(instruction if isinstance(instruction, str) else None)

    def keep(self, folder: Path) -> None:
        """Have it hold from now on.

        Raises:
            StoreError: disk full or not writable; what was asked before stays.
        """
        with store_errors(folder):
            write_json(folder / FILE, {"format": _FORMAT, "instruction": self.instruction})
