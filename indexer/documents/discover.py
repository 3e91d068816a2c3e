"""Find the files to index below folders, without ever leaving them through a link."""

import os
import stat
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from indexer.documents import builtin
from indexer.documents.ignore import IGNORE_FILES, RuleSet, read_ignore_file, rule_set
from indexer.errors import ReadError
from indexer.types import FoundFile, Skipped, SkipReason

DEFAULT_MAX_FILE_BYTES = 64 << 20


@dataclass(frozen=True, slots=True)
class DiscoverOptions:
    """What to take. Globs are those of .gitignore, below the given folder.

    Usage:
        DiscoverOptions()
        DiscoverOptions(include=("*.md", "docs/**/*.rst"), exclude=("drafts/",))
    """

    include: Sequence[str] = ()  # empty: everything
    exclude: Sequence[str] = ()
    max_file_bytes: int = DEFAULT_MAX_FILE_BYTES


def resolve_root(path: Path | str) -> Path:
    """The real absolute path of a file or folder a user named; found files lie below it.

    Raises:
        ReadError: nothing is there, or it cannot be looked at.
    """
    try:
        return Path(os.path.realpath(path, strict=True))
    except OSError as error:
        raise ReadError(
            f"{path}: {_reason(error)}. Give a file or folder that exists and can be read."
        ) from error


def discover(
    paths: Iterable[Path | str], options: DiscoverOptions | None = None
) -> Iterator[FoundFile | Skipped]:
    """Every file below `paths`, found or skipped, none twice; sorted by name within each folder.

    A folder left out as a whole is one `Skipped` with `is_folder`. Links are never followed, except
    one given by name in `paths`.

    Raises:
        ReadError: one of `paths` does not exist; raised before anything is yielded.
    """
    roots = [os.fspath(resolve_root(path)) for path in paths]
    return _Walk(options or DiscoverOptions(), list(dict.fromkeys(roots))).run()


@dataclass(slots=True)
class _Walk:
    options: DiscoverOptions
    roots: list[str]
    seen: set[str] = field(default_factory=set)  # only kept when roots may overlap

    def run(self) -> Iterator[FoundFile | Skipped]:
        for root in self.roots:
            if not os.path.isdir(root):
                found = self._named_file(root)
            else:
                found = _Tree(root, self.roots, self.options).run()
            if len(self.roots) == 1:
                yield from found
            else:
                yield from self._unseen(found)

    def _unseen(self, found: Iterable[FoundFile | Skipped]) -> Iterator[FoundFile | Skipped]:
        for item in found:
            path = os.fspath(item.path)
            if path not in self.seen:
                self.seen.add(path)
                yield item

    def _named_file(self, path: str) -> Iterator[FoundFile | Skipped]:
        """A file given by name: no ignore rule applies to it."""
        try:
            status = os.lstat(path)
        except OSError as error:
            yield Skipped(Path(path), SkipReason.UNREADABLE, _reason(error))
            return
        yield _judge(path, os.path.basename(path), status, self.options.max_file_bytes)


class _Tree:
    """The walk below one folder."""

    def __init__(self, root: str, roots: Sequence[str], options: DiscoverOptions) -> None:
        self._root = root
        self._roots = [os.path.join(each, "") for each in roots]
        self._max_bytes = options.max_file_bytes
        self._include = rule_set(root, list(options.include)) if options.include else None
        self._exclude = rule_set(root, list(options.exclude)) if options.exclude else None

    def run(self) -> Iterator[FoundFile | Skipped]:
        above = _rules_above(self._root)
        pending: list[tuple[Iterator[os.DirEntry[str]], tuple[RuleSet, ...]]] = []
        listed = self._list(self._root, above)
        if isinstance(listed, Skipped):
            yield listed
            return
        pending.append(listed)
        while pending:
            entries, rules = pending[-1]
            entry = next(entries, None)
            if entry is None:
                pending.pop()
                continue
            item = self._look_at(entry, rules)
            if item is None:  # a folder to enter
                inner = self._list(entry.path, rules)
                if isinstance(inner, Skipped):
                    yield inner
                else:
                    pending.append(inner)
            else:
                yield item

    def _list(
        self, folder: str, rules: tuple[RuleSet, ...]
    ) -> tuple[Iterator[os.DirEntry[str]], tuple[RuleSet, ...]] | Skipped:
        """The sorted entries of a folder and the rules for them, nearest first."""
        try:
            with os.scandir(folder) as scan:
                entries = list(scan)
        except OSError as error:
            return Skipped(Path(folder), SkipReason.UNREADABLE, _reason(error), is_folder=True)
        entries.sort(key=_name_bytes)
        names = {entry.name for entry in entries}
        own = [read_ignore_file(folder, name) for name in IGNORE_FILES if name in names]
        return iter(entries), (*(found for found in own if found is not None), *rules)

    def _look_at(
        self, entry: os.DirEntry[str], rules: tuple[RuleSet, ...]
    ) -> FoundFile | Skipped | None:
        """The verdict on one entry; None for a folder to enter."""
        path, name = entry.path, entry.name
        try:
            if entry.is_symlink() or _is_junction(entry):
                return self._link(path)
            is_folder = entry.is_dir(follow_symlinks=False)
            left_out = self._left_out(path, name, is_folder, rules)
            if left_out is not None:
                return Skipped(Path(path), *left_out, is_folder=is_folder)
            if is_folder:
                return None
            return _judge(path, name, entry.stat(follow_symlinks=False), self._max_bytes)
        except OSError as error:
            return Skipped(Path(path), SkipReason.UNREADABLE, _reason(error))

    def _left_out(
        self, path: str, name: str, is_folder: bool, rules: tuple[RuleSet, ...]
    ) -> tuple[SkipReason, str] | None:
        """Why the rules leave this out, or None."""
        wanted = None
        for each in rules:
            wanted = each.verdict(path, name, is_folder)
            if wanted is not None:
                break
        if wanted is True:
            return SkipReason.IGNORED, "by an ignore file"
        if wanted is None:
            detail = _ignored_by_default(name, is_folder)
            if detail:
                return SkipReason.IGNORED, detail
        if self._exclude is not None and self._exclude.verdict(path, name, is_folder):
            return SkipReason.EXCLUDED, "by --exclude"
        if self._include is None or is_folder or self._include.verdict(path, name, is_folder):
            return None
        return SkipReason.EXCLUDED, "not in --include"

    def _link(self, path: str) -> Skipped:
        try:
            target = os.path.realpath(path, strict=True)
        except OSError as error:
            return Skipped(Path(path), SkipReason.LINK, f"leads nowhere: {_reason(error)}")
        inside = any(os.path.join(target, "").startswith(root) for root in self._roots)
        if inside:
            detail = f"indexed at {target}"
        else:
            detail = f"leads out of {self._root} to {target}. Give that path by name to index it."
        return Skipped(Path(path), SkipReason.LINK, detail)


def _judge(path: str, name: str, status: os.stat_result, max_bytes: int) -> FoundFile | Skipped:
    """The verdict on something that is no folder and no link."""
    if not stat.S_ISREG(status.st_mode):
        return Skipped(Path(path), SkipReason.SPECIAL, "")
    suffix = os.path.splitext(name)[1].lower()
    kind = builtin.unreadable_kind(suffix)
    if kind is not None:
        return Skipped(Path(path), SkipReason.BINARY, kind)
    if status.st_size == 0:
        return Skipped(Path(path), SkipReason.EMPTY, "")
    if status.st_size > max_bytes:
        size, limit = status.st_size / (1 << 20), max_bytes / (1 << 20)
        detail = f"{size:.1f} MiB, limit {limit:.1f} MiB. Raise the size limit to index it."
        return Skipped(Path(path), SkipReason.TOO_LARGE, detail)
    return FoundFile(Path(path), status.st_size, status.st_mtime_ns)


def _ignored_by_default(name: str, is_folder: bool) -> str:
    """Why the built-in list leaves this name out; "" if it does not."""
    if is_folder:
        return "a folder left out by default" if name in builtin.FOLDERS else ""
    if name in builtin.FILES:
        return "left out by default"
    lower = name.lower()
    if lower in builtin.SECRETS or os.path.splitext(lower)[1] in builtin.SECRET_SUFFIXES:
        return f"may hold secrets. Write !{name} into .semsearchignore to index it."
    return ""


def _rules_above(root: str) -> tuple[RuleSet, ...]:
    """Rules of the git checkout around `root`, nearest first, unless they ignore `root` itself."""
    folders: list[str] = []
    folder = root
    while not os.path.lexists(os.path.join(folder, ".git")):
        parent = os.path.dirname(folder)
        if parent == folder:
            return ()
        folders.append(folder := parent)
    if folder == root:
        folders = []
    found = [read_ignore_file(each, name) for each in folders for name in IGNORE_FILES]
    rules = tuple(each for each in found if each is not None)
    inner = root
    # The user named it: rules that hide it, or a folder on the way to it, do not count.
    while inner != folder:
        name = os.path.basename(inner)
        below = [each for each in rules if inner.startswith(each.base)]
        verdicts = (each.verdict(inner, name, True) for each in below)
        if next((verdict for verdict in verdicts if verdict is not None), False):
            return ()
        inner = os.path.dirname(inner)
    return rules


def _name_bytes(entry: os.DirEntry[str]) -> bytes:
    return os.fsencode(entry.name)


def _reason(error: OSError) -> str:
    return error.strerror or type(error).__name__


# Windows junctions are links under another name; os.DirEntry knows them from Python 3.12 on.
_is_junction: Callable[[os.DirEntry[str]], bool] = getattr(
    os.DirEntry, "is_junction", lambda _entry: False
)
