"""The parent's side of the parsing child: start it when needed, watch it, replace it."""

import contextlib
import json
import os
import subprocess
import sys
import threading
import time
from pathlib import Path
from types import TracebackType

import indexer
from indexer.documents import caps, protocol
from indexer.documents.limits import MIB, ReadLimits
from indexer.documents.readers.base import Rejected
from indexer.types import ParsedDocument, SkipReason

# The child gets the parent's module path as arguments and nothing else: no site hooks, no user
# settings of Python, none of the parent's threads, locks or imports.
_BOOT = (
    "import sys; sys.path[:] = sys.argv[1:]; del sys.argv[1:]; "
    "from indexer.documents.sandbox_child import main; main()"
)
# SIGILL, SIGTRAP, SIGABRT: how PDFium and other C libraries end when an allocation fails.
_GIVING_UP = (4, 5, 6)
_WATCH_EVERY_S = 0.05
_REPLY_OVERHEAD = 64 * MIB  # block lists and JSON escapes beside the text


class Sandbox:
    """Parses files in one child process that is reused, and replaced after a crash or a breach."""

    def __init__(self, limits: ReadLimits) -> None:
        self._limits = limits
        self._process: subprocess.Popen[bytes] | None = None
        self._served = 0  # requests answered by the process of now
        self._lock = threading.Lock()

    def __enter__(self) -> "Sandbox":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """End the child."""
        with self._lock:
            self._drop()

    def parse(self, reader: str, format: str, data: bytes) -> list[ParsedDocument]:
        """The documents of a file.

        Raises:
            Rejected: the parser's verdict, or what became of the parser.
        """
        head = {
            "reader": reader,
            "format": format,
            "max_text": self._limits.text_bytes,
            "memory_bytes": self._limits.memory_bytes,
            "timeout_s": self._limits.timeout_s,
        }
        request = protocol.frame(json.dumps(head).encode()) + protocol.frame(data)
        with self._lock:
            used = self._served > 0
            try:
                return self._ask(request)
            except Rejected as rejected:
                if rejected.reason is not SkipReason.MEMORY and not isinstance(rejected, _Crashed):
                    raise
                # An earlier file may be to blame (fragmented memory, damaged state): the verdict on
                # a file must not depend on what was read before it.
                self._drop()
                if not used:
                    raise
            try:
                return self._ask(request)
            except Rejected as rejected:
                if rejected.reason is SkipReason.MEMORY:
                    self._drop()
                raise

    def _ask(self, request: bytes) -> list[ParsedDocument]:
        process = self._running()
        assert process.stdin is not None
        assert process.stdout is not None
        with _Watch(process, self._limits) as watch:
            try:
                process.stdin.write(request)
                process.stdin.flush()
                most = 2 * self._limits.text_bytes + _REPLY_OVERHEAD
                reply = protocol.read_frame(process.stdout.read, most)
                problem = "its parser ended"
            except (OSError, protocol.ProtocolError) as error:
                reply, problem = None, str(error)
        if watch.verdict is not None or reply is None:
            code = self._drop(ending=reply is None)
            raise watch.verdict or _verdict_on_crash(code, problem, self._limits)
        self._served += 1
        try:
            return protocol.decode_reply(reply)
        except protocol.ProtocolError as error:
            self._drop()
            raise Rejected(SkipReason.BROKEN, f"its parser answered nonsense: {error}") from error
        except Rejected as rejected:
            if rejected.reason is SkipReason.MEMORY:
                raise _too_much_memory(self._limits) from rejected
            raise

    def _running(self) -> subprocess.Popen[bytes]:
        if self._process is None or self._process.poll() is not None:
            self._drop()
            self._process = subprocess.Popen(
                [sys.executable, "-I", "-S", "-c", _BOOT, *_module_path()],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
            )
        return self._process

    def _drop(self, ending: bool = False) -> int | None:
        """End the process; its exit code.

        Args:
            ending: it closed its pipe, so its own exit code, not our signal, tells what happened.
        """
        process, self._process, self._served = self._process, None, 0
        if process is None:
            return None
        try:
            code = process.wait(1.0 if ending else 0.0)
        except subprocess.TimeoutExpired:
            process.kill()  # it holds no state worth a farewell
            code = process.wait()
        for stream in (process.stdin, process.stdout):
            with contextlib.suppress(OSError):  # what could not be written to a dead child
                if stream is not None:
                    stream.close()
        return code


class _Crashed(Rejected):
    """The child died while it parsed."""


class _Watch(threading.Thread):
    """Kills the child at the time limit or when it holds too much memory."""

    def __init__(self, process: subprocess.Popen[bytes], limits: ReadLimits) -> None:
        super().__init__(daemon=True)
        self._process = process
        self._limits = limits
        self._done = threading.Event()
        self.verdict: Rejected | None = None

    def __enter__(self) -> "_Watch":
        self.start()
        return self

    def __exit__(self, *_args: object) -> None:
        self._done.set()
        self.join()

    def run(self) -> None:
        end = time.monotonic() + self._limits.timeout_s
        while not self._done.wait(max(0.0, min(_WATCH_EVERY_S, end - time.monotonic()))):
            held = caps.resident_bytes(self._process.pid) or 0
            if held > self._limits.memory_bytes:
                self.verdict = _too_much_memory(self._limits)
            elif time.monotonic() >= end:
                self.verdict = Rejected(
                    SkipReason.TIMEOUT,
                    f"not parsed within {self._limits.timeout_s:g} s. Raise the time limit.",
                )
            if self.verdict is not None:
                self._process.kill()
                return


def _too_much_memory(limits: ReadLimits) -> Rejected:
    return Rejected(
        SkipReason.MEMORY,
        f"needs more than {limits.memory_bytes / MIB:.0f} MiB to parse. Raise the memory limit to "
        f"allow it.",
    )


def _verdict_on_crash(code: int | None, problem: str, limits: ReadLimits) -> Rejected:
    if code is not None and -code in _GIVING_UP:
        return Rejected(
            SkipReason.MEMORY,
            f"crashed its parser (signal {-code}), as parsers do for want of memory; the limit is "
            f"{limits.memory_bytes / MIB:.0f} MiB.",
        )
    if code is not None and code < 0:
        return _Crashed(SkipReason.BROKEN, f"crashed its parser (signal {-code})")
    return _Crashed(SkipReason.BROKEN, f"crashed its parser ({problem}, exit code {code})")


def _module_path() -> list[str]:
    """Where the child finds the modules the parent finds."""
    home = str(Path(indexer.__file__).resolve().parent.parent)
    entries = [home, *(entry for entry in sys.path if os.path.isabs(entry))]
    return list(dict.fromkeys(entries))
