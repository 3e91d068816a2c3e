r"""Shell patterns for paths, matched in time linear in the path whatever the pattern.

    *.pdf            a file of that kind in any folder
    docs/*.md        in a folder docs anywhere; `*`, `?` and `[a-z]` stay inside one name
    docs/**/*.md     or in any folder inside it
    /home/me/docs    this file, or all in this folder; a leading slash is the root
    docs/            all in a folder docs

A backslash takes the next character as it is, and `\xe9` is that byte of a name that is not UTF-8,
as such names are shown. Patterns come from strangers: what stands between two stars is looked for
once and never again (atomic groups), where the usual translation lets `*a*a*a*a*b` run for hours.
"""

import os
import re
import unicodedata
from collections.abc import Callable

from indexer.errors import QueryError

_CLASS = re.compile(r"\[([!^]?+)(\]?+(?:\\.|[^\]\\])*+)\]", re.DOTALL)
_CHARACTER = r"\\x[0-9a-fA-F]{2}|\\.|[^\\]"
_RANGE = re.compile(f"({_CHARACTER})(?:-({_CHARACTER}))?", re.DOTALL)
_ESCAPE = re.compile(r"\\(?:x([0-9a-fA-F]{2})|(.))", re.DOTALL)
_WILD = re.compile(r"(?:\\.|[^\\*?\[])*[*?\[]", re.DOTALL)


def path_matcher(pattern: str) -> Callable[[str], bool]:
    """Whether a path, as `matchable` gives it, matches.

    Raises:
        QueryError: the pattern means nothing.
    """
    matches = re.compile(_expression(_composed(pattern)), re.DOTALL).fullmatch
    return lambda path: matches(path) is not None


def matchable(path: bytes) -> str:
    """An absolute path, as `os.fsencode` gives it, as patterns are matched against it."""
    return _composed(os.fsdecode(path)).removeprefix("/")


def _composed(text: str) -> str:
    """Accents as one character each: file systems differ in how they write them."""
    return unicodedata.normalize("NFC", text)


def _expression(pattern: str) -> str:
    """A regular expression for a path without its leading slash."""
    if not pattern:
        raise QueryError("the pattern is empty. Write for instance *.md or docs/**")
    names = [name for name in pattern.split("/") if name]
    if names and (names[0] == "~" or not {".", ".."}.isdisjoint(names)):
        raise QueryError(
            "patterns are matched against absolute paths: there is no ~, . or .. in them. "
            "Write for instance docs/*.md, or /home/me/docs/*.md"
        )
    if pattern.endswith("/"):
        names.append("**")
    groups: list[list[str]] = [[]] if pattern.startswith("/") else [[], []]
    for name in names:
        if name == "**":
            groups.append([])
        else:
            groups[-1].append(_name(name))
    # A plain name at the end may be that of a folder.
    end = "" if _WILD.match(names[-1]) else "(?:/.+)?"
    return _joined(["/".join(group) for group in groups], end)


def _joined(fixed: list[str], end: str) -> str:
    """Groups of names with any number of folders between them."""
    *before, last = fixed
    if not before:
        return last + end
    first, *middle = before
    expression = f"{first}/" if first else ""
    # The first place where a group fits is as good as any other: never look back.
    expression += "".join(f"(?>(?:[^/]+/)*?{group}/)" for group in middle if group)
    return expression + (f"(?:[^/]+/)*{last}{end}" if last else ".+")


def _name(name: str) -> str:
    """A regular expression for one name."""
    pieces = [""]  # what stands between stars
    position = 0
    while position < len(name):
        if name[position] == "*":
            if name.startswith("**", position):
                raise QueryError(
                    "** stands alone between slashes, as in docs/**/*.md. "
                    "Use one * inside a name, or \\* for the character."
                )
            pieces.append("")
            position += 1
        else:
            piece, position = _character(name, position)
            pieces[-1] += piece
    if len(pieces) == 1:
        return pieces[0]
    first, *middle, last = pieces
    return first + "".join(f"(?>[^/]*?{piece})" for piece in middle) + f"[^/]*{last}"


def _character(name: str, position: int) -> tuple[str, int]:
    """(a regular expression for one character, the position after what says so)."""
    if name[position] == "?":
        return "[^/]", position + 1
    if name[position] == "[":
        found = _CLASS.match(name, position)
        if found is None:
            raise QueryError("[ is not closed. Write [a-z], or \\[ for the character itself.")
        return _class(found), found.end()
    if name[position] == "\\":
        found = _ESCAPE.match(name, position)
        if found is None:
            raise QueryError("a name ends in a backslash. Write \\\\ for the character itself.")
        return re.escape(_plain(found[0])), found.end()
    return re.escape(name[position]), position + 1


def _class(found: re.Match[str]) -> str:
    members = ""
    for low, high in _RANGE.findall(found[2]):
        first, last = _plain(low), _plain(high or low)
        if first > last:
            raise QueryError(
                f"the range {low + '-' + high!r} is empty. Write it the other way round."
            )
        members += f"{re.escape(first)}-{re.escape(last)}"
    return f"(?!/)[{'^' if found[1] else ''}{members}]"


def _plain(written: str) -> str:
    """The character that is meant."""
    found = _ESCAPE.fullmatch(written)
    if found is None:
        return written
    if found[1] is None:
        return found[2]
    byte = int(found[1], 16)
    return chr(byte) if byte < 0x80 else chr(0xDC00 + byte)  # as os.fsdecode has it
