"""Compare what lies on disk with what the collection remembers, before anything is read."""

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from indexer.documents.discover import DiscoverOptions, discover
from indexer.pipeline.prepare import Job
from indexer.types import FileStamp, FoundFile, Skipped

KnownFiles = Callable[[bytes], dict[bytes, FileStamp]]  # what is remembered under a path


@dataclass
class Scan:
    """The work of one run. `vanished`: known files under the paths that are no longer chosen."""

    jobs: list[Job] = field(default_factory=list)
    unchanged: int = 0
    skipped: list[Skipped] = field(default_factory=list)
    vanished: dict[bytes, FileStamp] = field(default_factory=dict)

    @property
    def total_bytes(self) -> int:
        """Bytes of the files to look into."""
        return sum(job.file.size_bytes for job in self.jobs)


def scan(
    paths: Sequence[Path],
    known_files: KnownFiles,
    options: DiscoverOptions,
    on_found: Callable[[int], None] | None = None,
) -> Scan:
    """Walk the paths; `on_found` hears the number of files now and then.

    Raises:
        ReadError: one of the paths does not exist.
    """
    known: dict[bytes, FileStamp] = {}
    for path in paths:
        known.update(known_files(os.fsencode(path)))
    result = Scan(vanished=known)
    found = 0
    for item in discover(paths, options):
        if isinstance(item, Skipped):
            result.skipped.append(item)
            continue
        found += 1
        if on_found is not None and found % 500 == 0:
            on_found(found)
        _sort_in(item, result)
    _keep_what_may_return(result)
    return result


def _sort_in(file: FoundFile, result: Scan) -> None:
    """`vanished` starts as everything known and loses each file that is met."""
    stamp = result.vanished.pop(os.fsencode(file.path), None)
    if stamp and (stamp.size_bytes, stamp.mtime_ns) == (file.size_bytes, file.mtime_ns):
        result.unchanged += 1
    else:
        result.jobs.append(Job(file, stamp))


def _keep_what_may_return(result: Scan) -> None:
    """A file or folder that could not be looked at is no reason to forget what it held."""
    for item in result.skipped:
        if not item.reason.keeps_old:
            continue
        path = os.fsencode(item.path)
        inside = path + os.fsencode(os.sep)
        for known in [p for p in result.vanished if p == path or p.startswith(inside)]:
            del result.vanished[known]
