"""Which names to leave out: .gitignore and .semsearchignore as git reads them, and a built-in list.

Ignore files come with hostile folders too, so globs are translated with atomic groups: matching one
name is linear in its length, where the usual translation lets `*a*a*a*a*b` run for hours.
"""

import os
import re
import stat
from dataclasses import dataclass

IGNORE_FILES = (".semsearchignore", ".gitignore")  # the first that speaks of a path decides
_MAX_IGNORE_FILE_BYTES = 1 << 20

_CLASS = re.compile(r"\[([!^]?)(\]?(?:\[:\w+:\]|\\.|[^\]\\])*)\]")
_POSIX = {
    "alnum": "a-zA-Z0-9",
    "alpha": "a-zA-Z",
    "blank": r" \t",
    "digit": "0-9",
    "lower": "a-z",
    "punct": r"!-/:-@\[-`{-~",
    "space": r"\s",
    "upper": "A-Z",
    "xdigit": "0-9a-fA-F",
}


@dataclass(frozen=True, slots=True)
class Rule:
    """One line of an ignore file."""

    pattern: re.Pattern[str]
    ignored: bool  # False for a line that starts with "!"
    folders_only: bool
    whole_path: bool  # match the path below the ignore file's folder; else only the name


@dataclass(frozen=True, slots=True)
class RuleSet:
    """The rules of one ignore file, or of --include or --exclude, last line first."""

    base: str  # folder with a separator at its end; paths are matched below it
    rules: tuple[Rule, ...]

    def verdict(self, path: str, name: str, is_folder: bool) -> bool | None:
        """True: ignored, False: expressly not ignored, None: no rule speaks of this path."""
        below: str | None = None
        for rule in self.rules:
            if rule.folders_only and not is_folder:
                continue
            if not rule.whole_path:
                subject = name
            else:
                if below is None:
                    below = path[len(self.base) :].replace(os.sep, "/")
                subject = below
            if rule.pattern.fullmatch(subject):
                return rule.ignored
        return None


def rule_set(base: str, lines: list[str]) -> RuleSet:
    """The rules of these gitignore lines, applied below `base`."""
    rules = [rule for line in lines if (rule := parse_rule(line)) is not None]
    return RuleSet(os.path.join(base, ""), tuple(reversed(rules)))


def read_ignore_file(folder: str, name: str) -> RuleSet | None:
    """The rules of an ignore file, or None when it is missing, empty or no plain file."""
    path = os.path.join(folder, name)
    try:
        if not stat.S_ISREG(os.lstat(path).st_mode):
            return None
        with open(path, "rb") as file:
            data = file.read(_MAX_IGNORE_FILE_BYTES)
    except OSError:
        return None
    lines = os.fsdecode(data.removeprefix(b"\xef\xbb\xbf")).split("\n")
    rules = rule_set(folder, lines)
    return rules if rules.rules else None


def parse_rule(line: str) -> Rule | None:
    """One gitignore line; None for a comment, a blank line or a pattern that can match nothing."""
    line = line.rstrip("\r")
    while line.endswith(" ") and not line.endswith("\\ "):
        line = line[:-1]
    if not line or line.startswith("#"):
        return None
    ignored = not line.startswith("!")
    glob = line if ignored else line[1:]
    folders_only = glob.endswith("/")
    glob = glob.removesuffix("/")
    whole_path = "/" in glob
    glob = glob.removeprefix("/")
    expression = _translate(glob) if glob else None
    if expression is None:
        return None
    try:
        return Rule(re.compile(expression, re.DOTALL), ignored, folders_only, whole_path)
    except re.error:  # such as the range [z-a]: git lets it match nothing
        return None


def _translate(glob: str) -> str | None:
    """A regular expression for a whole path; "**" stands for any number of folders."""
    groups: list[list[str]] = [[]]
    segments = glob.split("/")
    for n, segment in enumerate(segments):
        if segment == "**" and n < len(segments) - 1:
            groups.append([])
        elif segment == "**":
            groups[-1].append("(?:.+)")
        else:
            part = _translate_segment(segment)
            if part is None:
                return None
            groups[-1].append(part)
    fixed = ["/".join(group) for group in groups]
    if len(fixed) == 1:
        return fixed[0]
    start = f"{fixed[0]}/" if fixed[0] else ""
    # Where two "**" surround a part, its first occurrence is as good as any other: never look back.
    middle = "".join(f"(?>(?:[^/]+/)*?{part}/)" for part in fixed[1:-1] if part)
    return f"{start}{middle}(?:[^/]+/)*{fixed[-1]}"


def _translate_segment(segment: str) -> str | None:
    """A regular expression for one name; None when a class is left open."""
    pieces = [""]  # the fixed parts between stars
    n = 0
    while n < len(segment):
        character = segment[n]
        if character == "*":
            pieces.append("")
        elif character == "?":
            pieces[-1] += "[^/]"
        elif character == "[":
            match = _CLASS.match(segment, n)
            if match is None:
                return None
            pieces[-1] += _translate_class(match)
            n = match.end() - 1
        elif character == "\\":
            n += 1
            if n == len(segment):
                return None
            pieces[-1] += re.escape(segment[n])
        else:
            pieces[-1] += re.escape(character)
        n += 1
    if len(pieces) == 1:
        return pieces[0]
    middle = "".join(f"(?>[^/]*?{piece})" for piece in pieces[1:-1] if piece)
    return f"{pieces[0]}{middle}[^/]*{pieces[-1]}"


def _translate_class(match: re.Match[str]) -> str:
    body = re.sub(r"\[:(\w+):\]", lambda posix: f"\0{posix[1]}\0", match[2])
    body = re.sub(r"\\(.)", r"\1", body).replace("\\", r"\\").replace("[", r"\[")
    body = body.replace("]", r"\]").replace("^", r"\^").replace("&", r"\&").replace("~", r"\~")
    body = re.sub("\0(\\w+)\0", lambda posix: _POSIX.get(posix[1], ""), body)
    return f"(?!/)[{'^' if match[1] else ''}{body}]"
