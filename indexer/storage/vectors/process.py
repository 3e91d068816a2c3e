"""Builds codes in a process of its own, at a low priority: searches and writers go first.

The child reads its task as JSON from stdin and writes a line of JSON for each step to stdout. If
it dies, or its parent does, nothing is half done: the old codes stay, or searches stay exact.
"""

import json
import os
import subprocess
import sys
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any

from indexer.errors import LockedError, StoreError
from indexer.storage.vectors.build import OnStage, build
from indexer.storage.vectors.certificate import Certificate
from indexer.storage.vectors.wishes import BuildWishes

# Searches and writers go first, yet on a busy machine the build still gets a tenth of a core: at 19
# it got so little that one of 20 s took over five minutes.
_NICENESS = 10


def build_apart(folder: Path, wishes: BuildWishes, on_stage: OnStage) -> Certificate | None:
    """`build` in a child process; see there.

    Raises:
        LockedError: another process is building.
        StoreError: the child failed, with its reason.
    """
    task = {"folder": os.fspath(folder.absolute()), "wishes": asdict(wishes)}
    command = [sys.executable, "-I", "-c", _START, *sys.path]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, encoding="utf-8"
    ) as child:
        assert child.stdin is not None
        assert child.stdout is not None
        try:
            json.dump(task, child.stdin)
            child.stdin.close()
            last: dict[str, Any] = {}
            for line in child.stdout:
                last = json.loads(line)
                if "stage" in last:
                    on_stage(last["stage"], last["done"])
        except BaseException:
            child.kill()
            raise
    return _outcome(folder, last, child.wait())


# As isolated as the readers' child: nothing is imported from the folder the user happens to be in.
_START = (
    "import sys; sys.path[:] = sys.argv[1:]; del sys.argv[1:]; "
    "from indexer.storage.vectors.process import main; main()"
)


def _outcome(folder: Path, last: dict[str, Any], code: int) -> Certificate | None:
    if "certificate" in last:
        found = last["certificate"]
        return None if found is None else Certificate.from_dict(found)
    if "locked" in last:
        raise LockedError(last["locked"], last["pid"])
    reason = last.get("error", f"its process ended with status {code}")
    raise StoreError(
        f"{folder}: the vector index was not built ({reason}). Searches stay exact, or go on with "
        "the old one; `semsearch index` tries again."
    )


def main() -> None:
    """The child: one task from stdin."""
    with suppress(OSError, AttributeError):  # AttributeError: Windows
        os.nice(_NICENESS)
    task = json.load(sys.stdin)

    def say(**values: object) -> None:
        sys.stdout.write(json.dumps(values) + "\n")
        sys.stdout.flush()

    try:
        certificate = build(
            Path(task["folder"]),
            BuildWishes(**task["wishes"]),
            lambda stage, done: say(stage=stage, done=done),
        )
    except LockedError as error:
        say(locked=str(error), pid=error.holder_pid)
    except (StoreError, OSError, MemoryError) as error:
        say(error=str(error) or type(error).__name__)
    else:
        say(certificate=None if certificate is None else certificate.to_dict())
