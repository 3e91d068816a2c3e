"""Where settings come from: the config file, the environment's variables, each platform's folders.

Nothing here reads the environment: it is handed in.
"""

import sys
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from indexer.errors import UsageError

PREFIX = "SEMSEARCH_"
# Read under the names the Hugging Face tools use, so that one mirror setting serves all.
FOREIGN_NAMES = {
    "hf_endpoint": "HF_ENDPOINT",
    "hf_token": "HF_TOKEN",
    "hf_offline": "HF_HUB_OFFLINE",
    "visible_gpus": "CUDA_VISIBLE_DEVICES",
}
_MAY_HOLD_SECRETS = frozenset({"endpoints", "redis_url"})
_MAY_BE_EMPTY = frozenset({"visible_gpus"})  # an empty list of GPUs hides all of them
# Ours, but not settings of the program: where the config file lies, where the tests' data lie.
NOT_SETTINGS = {"SEMSEARCH_CONFIG", "SEMSEARCH_TEST_DATA"}


def _base_folder(variable: str, fallback: str, environment: Mapping[str, str]) -> Path:
    """An XDG base folder, or the platform's own place for such files."""
    if value := environment.get(variable):
        return Path(value)
    if sys.platform == "win32":
        return Path(environment.get("LOCALAPPDATA", str(Path.home() / "AppData" / "Local")))
    if sys.platform == "darwin":
        folder = "Caches" if variable == "XDG_CACHE_HOME" else "Application Support"
        return Path.home() / "Library" / folder
    return Path.home() / fallback


def config_file(environment: Mapping[str, str]) -> Path:
    """The config file: named by SEMSEARCH_CONFIG, or in the platform's folder."""
    if given := environment.get("SEMSEARCH_CONFIG"):
        return Path(given)
    return _base_folder("XDG_CONFIG_HOME", ".config", environment) / "semsearch" / "config.toml"


def folder_defaults(environment: Mapping[str, str]) -> dict[str, Any]:
    """Where collections and models lie unless something else is said."""
    return {
        "home": _base_folder("XDG_DATA_HOME", ".local/share", environment) / "semsearch",
        "models_folder": _base_folder("XDG_CACHE_HOME", ".cache", environment)
        / "semsearch"
        / "models",
    }


def read_config(file: Path, *, required: bool) -> dict[str, Any]:
    """The file's values; none if it is not there and need not be.

    Raises:
        UsageError: it cannot be read.
    """
    try:
        return tomllib.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        if required:
            raise UsageError(
                f"{file}: named by SEMSEARCH_CONFIG, but there is no such file."
            ) from None
        return {}
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise UsageError(f"{file}: cannot be read as TOML: {error}") from None


def from_environment(environment: Mapping[str, str]) -> dict[str, Any]:
    """The values of our variables and of those we share with other tools."""
    values: dict[str, Any] = {
        name: environment[foreign]
        for name, foreign in FOREIGN_NAMES.items()
        if environment.get(foreign) or (name in _MAY_BE_EMPTY and foreign in environment)
    }
    for variable, value in environment.items():
        if variable.startswith(PREFIX) and variable not in NOT_SETTINGS:
            values[variable.removeprefix(PREFIX).lower()] = value
    return values


def explain(error: ValidationError, origins: Mapping[str, str]) -> str:
    """What is wrong with which value from where, on one line; secrets are not repeated."""
    lines = []
    for problem in error.errors(include_url=False):
        name = str(problem["loc"][0]) if problem["loc"] else "settings"
        secret = name.endswith(("_token", "_key")) or name in _MAY_HOLD_SECRETS
        shown = "(hidden)" if secret else repr(problem.get("input"))
        lines.append(f"{name} = {shown} (from {origins.get(name, 'default')}): {problem['msg']}")
    return "; ".join(lines)
