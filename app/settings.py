"""The only reader of the environment: one frozen class, each value with its origin.

A flag beats the environment (`SEMSEARCH_*`), which beats the config file (`config.toml`), which
beats the default:

    Settings.load()                                  what `semsearch` starts from
    Settings.load(flags={"home": "/data/semsearch"}) a flag given on the command line
    SEMSEARCH_MODEL=minilm semsearch index docs      another model for one command
    echo 'threads = 4' >> ~/.config/semsearch/config.toml
"""

import os
import re
import sys
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    PrivateAttr,
    SecretStr,
    ValidationError,
)

from indexer.errors import UsageError
from indexer.modes import Placement, Precision

PREFIX = "SEMSEARCH_"
COLLECTION_NAME = r"^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$"
# Read under the names the Hugging Face tools use, so that one mirror setting serves all.
FOREIGN_NAMES = {
    "hf_endpoint": "HF_ENDPOINT",
    "hf_token": "HF_TOKEN",
    "hf_offline": "HF_HUB_OFFLINE",
}
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


def _usable_folder(path: Path) -> Path:
    """The folder with `~` expanded: no shell does so in a config file or after `--home=`."""
    if "\0" in str(path):
        raise ValueError("a path holds no NUL character")
    try:
        return path.expanduser()
    except RuntimeError as error:  # there is no such user
        raise ValueError(str(error)) from None


Folder = Annotated[Path, AfterValidator(_usable_folder)]


class Settings(BaseModel):
    """Every setting with its default and why; see the module for how to give one."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    home: Annotated[Folder, Field(description="Folder that holds the collections")]
    models_folder: Annotated[
        Folder, Field(description="Folder for downloaded models; may be emptied")
    ]
    collection: Annotated[
        str,
        Field(
            pattern=COLLECTION_NAME,
            description="Collection used when none is named",
        ),
    ] = "default"
    model: Annotated[
        str,
        Field(min_length=1, description="Model for new collections: short name, hub id or folder"),
    ] = "qwen3-0.6b"
    placement: Annotated[
        Placement | None,
        Field(description="Where the model runs; unset: gpu if there is one, else cpu"),
    ] = None
    precision: Annotated[
        Precision | None,
        Field(description="Number format of the weights; unset: the placement's best"),
    ] = None
    dimension: Annotated[
        int | None, Field(ge=8, description="Shorter vectors for new collections (MRL models only)")
    ] = None
    threads: Annotated[
        int | None, Field(ge=1, le=1024, description="CPU threads; unset: the physical cores")
    ] = None
    batch_tokens: Annotated[
        int | None,
        Field(ge=64, le=1 << 24, description="Tokens per forward pass; unset: the placement's own"),
    ] = None
    chunk_tokens: Annotated[
        int,
        Field(
            ge=32, le=32768, description="Longest chunk with its heading, at most the model's limit"
        ),
    ] = 512
    max_file_mib: Annotated[
        int, Field(ge=1, le=1 << 20, description="Larger files are skipped and named")
    ] = 64
    read_memory_mib: Annotated[
        int,
        Field(
            ge=128,
            le=1 << 20,
            description="Memory of the child process that parses PDF, office and HTML",
        ),
    ] = 512
    read_timeout_s: Annotated[
        float, Field(gt=0, le=86_400, description="Longest time one such file may take")
    ] = 30.0
    read_output_mib: Annotated[
        int, Field(ge=1, le=4096, description="Most text one such file may give")
    ] = 64
    k: Annotated[int, Field(ge=1, le=1000, description="Hits per answer")] = 10
    host: Annotated[str, Field(description="Address the service listens on")] = "127.0.0.1"
    port: Annotated[int, Field(ge=0, le=65535, description="Port of the service; 0 picks one")] = (
        8765
    )
    allow_remote: Annotated[
        bool,
        Field(description="Let the service listen beyond this machine although it has no keys yet"),
    ] = False
    hf_endpoint: Annotated[
        str | None, Field(pattern=r"^https?://", description="Mirror of the model hub")
    ] = None
    hf_token: Annotated[SecretStr | None, Field(description="Access token for the model hub")] = (
        None
    )
    hf_offline: Annotated[bool, Field(description="Never contact the model hub")] = False

    _origins: dict[str, str] = PrivateAttr(default_factory=dict)

    @classmethod
    def load(
        cls,
        flags: Mapping[str, Any] | None = None,
        environment: Mapping[str, str] | None = None,
    ) -> Self:
        """Settings from flags, environment, config file and defaults.

        Raises:
            UsageError: an unknown name or a value that does not fit, with its origin.
        """
        environment = os.environ if environment is None else environment
        file = _config_file(environment)
        layers = [
            ("default", _folder_defaults(environment)),
            (str(file), _read_config(file, required=bool(environment.get("SEMSEARCH_CONFIG")))),
            ("environment", _from_environment(environment)),
            ("flag", {name: value for name, value in (flags or {}).items() if value is not None}),
        ]
        values: dict[str, Any] = {}
        origins: dict[str, str] = {}
        for origin, layer in layers:
            for name, value in layer.items():
                if name not in cls.model_fields:
                    raise UsageError(
                        f"{origin}: there is no setting {name!r}. `semsearch config` lists all."
                    )
                values[name] = value
                origins[name] = origin
        try:
            settings = cls(**values)
        except ValidationError as error:
            raise UsageError(_explain(error, origins)) from None
        settings._origins.update(origins)
        return settings

    def origin(self, name: str) -> str:
        """Where a value came from: "default", "environment", "flag" or the config file's path."""
        return self._origins.get(name, "default")

    def shown(self, name: str) -> str | int | float | bool | None:
        """The value as a JSON scalar; a secret is masked."""
        value = getattr(self, name)
        return value if isinstance(value, str | int | float | None) else str(value)

    @property
    def collections_folder(self) -> Path:
        """Where the collections lie, one folder each."""
        return self.home / "collections"

    def collection_folder(self, name: str | None = None) -> Path:
        """Folder of a collection; the name is checked, so it never leads elsewhere."""
        name = self.collection if name is None else name
        if not re.fullmatch(COLLECTION_NAME, name):
            raise UsageError(
                f"{name!r} is no collection name. Use letters, digits, '.', '_', '-', at most 100."
            )
        return self.collections_folder / name


def _config_file(environment: Mapping[str, str]) -> Path:
    if given := environment.get("SEMSEARCH_CONFIG"):
        return Path(given)
    return _base_folder("XDG_CONFIG_HOME", ".config", environment) / "semsearch" / "config.toml"


def _folder_defaults(environment: Mapping[str, str]) -> dict[str, Any]:
    return {
        "home": _base_folder("XDG_DATA_HOME", ".local/share", environment) / "semsearch",
        "models_folder": _base_folder("XDG_CACHE_HOME", ".cache", environment)
        / "semsearch"
        / "models",
    }


def _read_config(file: Path, *, required: bool) -> dict[str, Any]:
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


def _from_environment(environment: Mapping[str, str]) -> dict[str, Any]:
    values: dict[str, Any] = {
        name: environment[foreign]
        for name, foreign in FOREIGN_NAMES.items()
        if environment.get(foreign)
    }
    for variable, value in environment.items():
        if variable.startswith(PREFIX) and variable not in NOT_SETTINGS:
            values[variable.removeprefix(PREFIX).lower()] = value
    return values


def _explain(error: ValidationError, origins: Mapping[str, str]) -> str:
    lines = []
    for problem in error.errors(include_url=False):
        name = str(problem["loc"][0]) if problem["loc"] else "settings"
        shown = "(hidden)" if name.endswith("_token") else repr(problem.get("input"))
        lines.append(f"{name} = {shown} (from {origins.get(name, 'default')}): {problem['msg']}")
    return "; ".join(lines)
