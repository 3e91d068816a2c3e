"""Where a service of this home is running, so that others on this machine can ask it.

A small file beside the collections names its address and process. A killed service leaves it
behind, so it is believed only while that very process lives.
"""

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from indexer.processes import is_writer

FILE = "serve.json"


@dataclass(frozen=True, slots=True)
class Running:
    """A service that runs on this machine."""

    url: str
    pid: int


def running(home: Path) -> Running | None:
    """The service of this home; None if there is none."""
    try:
        values: Any = json.loads((home / FILE).read_text("utf-8"))
        found = Running(str(values["url"]), int(values["pid"]))
        written = (home / FILE).stat().st_mtime
    except (OSError, ValueError, TypeError, KeyError):
        return None
    return found if is_writer(found.pid, written) else None


def announce(home: Path, url: str) -> None:
    """Tell others of the service in this process; the last one to say so is asked."""
    home.mkdir(parents=True, exist_ok=True)
    draft = home / f"{FILE}.{os.getpid()}"
    # Whoever could write here could lead queries elsewhere: only its owner may.
    with open(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        json.dump({"url": url, "pid": os.getpid()}, file)
    draft.replace(home / FILE)


def withdraw(home: Path) -> None:
    """Take it back, unless another service has said so since."""
    found = running(home)
    if found is not None and found.pid == os.getpid():
        (home / FILE).unlink(missing_ok=True)
