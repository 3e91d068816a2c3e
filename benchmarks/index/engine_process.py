"""An engine in a process of its own, as its driver sees it: memory is a number of a process."""

import json
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent


class EngineProcess:
    """Runs one of the scripts here that `serve` an engine."""

    def __init__(self, name: str, script: str, *arguments: object) -> None:
        command = [sys.executable, "-W", "ignore", str(HERE / script)]
        command += [str(argument) for argument in arguments]
        self.name = name
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def ask(self, do: str, **values: Any) -> dict[str, Any]:
        """One command, one answer.

        Raises:
            RuntimeError: what the engine raised, or how its process ended.
        """
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        try:
            self._process.stdin.write(json.dumps({"do": do, **values}) + "\n")
            self._process.stdin.flush()
            line = self._process.stdout.readline()
        except BrokenPipeError:
            line = ""
        if not line:
            raise RuntimeError(f"{self.name} ended with {_status(self._process.wait())} in {do}")
        answer: dict[str, Any] = json.loads(line)
        if "error" in answer:
            raise RuntimeError(answer["error"])
        return answer

    def close(self) -> None:
        """End it."""
        self._process.communicate()  # closes its input, on which it ends


def _status(code: int) -> str:
    return f"status {code}" if code >= 0 else signal.Signals(-code).name
