"""What reading one file may cost."""

from dataclasses import dataclass

from indexer.errors import UsageError

MIB = 1 << 20


@dataclass(frozen=True, slots=True)
class ReadLimits:
    """Caps of one file's parsing. Formats parsed in the child process are cut off at all of them.

    Usage:
        ReadLimits()
        ReadLimits(timeout_s=120, memory_bytes=2 << 30)  # for large scanned books
    """

    memory_bytes: int = 512 * MIB  # of the child process
    timeout_s: float = 30.0
    text_bytes: int = 64 * MIB  # of extracted text, as UTF-8

    def __post_init__(self) -> None:
        if self.memory_bytes < 128 * MIB:
            raise UsageError(
                f"A parser needs more than {self.memory_bytes / MIB:.0f} MiB. Allow at least 128."
            )
        if self.timeout_s <= 0 or self.text_bytes <= 0:
            raise UsageError(
                f"Limits must be positive: {self.timeout_s} s, {self.text_bytes} bytes of text."
            )
