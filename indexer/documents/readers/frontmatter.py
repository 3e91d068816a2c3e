"""YAML or TOML between fences at the top of a Markdown file."""

import re
import tomllib
from typing import Any

from indexer.documents.readers.base import json_values

_FENCED = re.compile(r"(---|\+\+\+)[ \t]*\n(.*?\n)?(?:\1|\.\.\.)[ \t]*(?:\n|\Z)", re.DOTALL)
# YAML is parsed in-process by a slow, recursive parser: no real front matter is this long.
_MAX_CHARACTERS = 16_384


def split_front_matter(text: str) -> tuple[int, dict[str, Any]]:
    """(where the body starts, the values). 0 and nothing when there is no readable front matter."""
    if not text.startswith(("---", "+++")):
        return 0, {}
    fenced = _FENCED.match(text, 0, _MAX_CHARACTERS)
    if fenced is None:
        return 0, {}
    values = _load(fenced[1], fenced[2] or "")
    return (fenced.end(), json_values(values)) if isinstance(values, dict) else (0, {})


def _load(fence: str, source: str) -> Any:
    """The parsed values; None for what is no front matter after all."""
    if fence == "+++":
        try:
            return tomllib.loads(source)
        except (tomllib.TOMLDecodeError, RecursionError):
            return None
    import yaml

    try:
        # The pure Python loader: a C stack overflow from nested brackets could not be caught.
        return yaml.load(source, Loader=yaml.SafeLoader) or {}  # noqa: S506  (it is the safe one)
    except (yaml.YAMLError, RecursionError, ValueError):
        return None
