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
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Self

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    PrivateAttr,
    SecretStr,
    ValidationError,
)

from app.setting_sources import (
    config_file,
    explain,
    folder_defaults,
    from_environment,
    read_config,
)
from app.setting_values import Folder, Origins, PrefixDim, RedisUrl, Url, Urls
from indexer.embedding.wishes import Engine
from indexer.errors import UsageError
from indexer.modes import Placement, Precision

COLLECTION_NAME = r"^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$"


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
        Field(description="Where the model runs; unset: the best by `semsearch plan`"),
    ] = None
    precision: Annotated[
        Precision | None,
        Field(description="Number format of the weights; unset: the placement's best"),
    ] = None
    engine: Annotated[
        Engine | None, Field(description="What runs the model on a CPU; unset: the fastest")
    ] = None
    max_vram_mib: Annotated[
        int | None,
        Field(ge=1, le=1 << 24, description="GPU memory the model may take; unset: what is free"),
    ] = None
    max_ram_mib: Annotated[
        int | None,
        Field(ge=1, le=1 << 24, description="Memory a mode may take to be chosen; unset: free"),
    ] = None
    visible_gpus: Annotated[
        str | None, Field(description="GPUs that may be used, as CUDA reads it; unset: all")
    ] = None
    dimension: Annotated[
        int | None, Field(ge=8, description="Shorter vectors for new collections (MRL models only)")
    ] = None
    threads: Annotated[
        int | None,
        Field(ge=1, le=1024, description="CPU threads of all parts; unset: physical cores"),
    ] = None
    batch_tokens: Annotated[
        int | None,
        Field(ge=64, le=1 << 24, description="Tokens per forward pass; unset: the placement's own"),
    ] = None
    endpoints: Annotated[
        Urls,
        Field(description="Servers that embed: base URLs; with several, they share the load"),
    ] = ()
    endpoint_model: Annotated[
        str | None,
        Field(min_length=1, description="The servers' name for the model; unset: its hub id"),
    ] = None
    endpoint_key: Annotated[
        SecretStr | None, Field(description="Bearer token that all these servers are sent")
    ] = None
    endpoint_timeout_s: Annotated[
        float, Field(gt=0, le=3600, description="Longest time one request to a server may take")
    ] = 60.0
    endpoint_concurrency: Annotated[
        int, Field(ge=1, le=256, description="Requests under way at each server")
    ] = 4
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
    target_recall: Annotated[
        float | None,
        Field(
            ge=0.5,
            le=1,
            description="Share of the 10 nearest a large collection's index must find; unset: 0.99",
        ),
    ] = None
    ram_budget_mib: Annotated[
        int | None,
        Field(
            ge=1,
            le=1 << 24,
            description="What searches of a large collection may keep in use; unset: any",
        ),
    ] = None
    prefix_dim: Annotated[
        PrefixDim,
        Field(
            ge=0,
            description="Leading dimensions that a large collection's index codes (MRL models), or "
            "all; unset: as before",
        ),
    ] = None
    k: Annotated[int, Field(ge=1, le=1000, description="Hits per answer")] = 10
    host: Annotated[str, Field(description="Address the service listens on")] = "127.0.0.1"
    port: Annotated[int, Field(ge=0, le=65535, description="Port of the service; 0 picks one")] = (
        8765
    )
    live_recall_share: Annotated[
        float,
        Field(
            ge=0,
            le=1,
            description="Of one core's time: the service checks so much of what a large "
            "collection's index found against exact search; 0: none",
        ),
    ] = 0.01
    max_body_kib: Annotated[
        # 300,000 token ids, OpenAI's limit, are 2.1 million characters of JSON.
        int,
        Field(ge=1, le=1 << 20, description="Larger requests are refused before they are read"),
    ] = 4096
    allowed_origins: Annotated[
        Origins,
        Field(description="Web origins beside its own whose pages may use the service"),
    ] = ()
    reranker: Annotated[
        str | None,
        Field(
            min_length=1,
            description="Model that reorders the best hits: short name, hub id or folder; with "
            "reranker_endpoint the server's name for it; unset: none",
        ),
    ] = None
    rerank_depth: Annotated[
        int, Field(ge=1, le=1000, description="Hits it reads where a search brings no budget")
    ] = 20
    reranker_endpoint: Annotated[
        Url | None, Field(description="Server that reranks: its base URL, or the whole address")
    ] = None
    reranker_key: Annotated[
        SecretStr | None, Field(description="Bearer token that this server is sent")
    ] = None
    queue_requests: Annotated[
        int,
        Field(
            ge=1,
            le=1 << 16,
            description="Requests that may wait for their turn, in a flood fewer; 429 beyond",
        ),
    ] = 64
    queue_tokens: Annotated[
        int,
        Field(
            ge=1,
            le=1 << 24,
            description="Tokens that may wait for the model, of questions and of others each",
        ),
    ] = 65_536
    query_cache_mib: Annotated[
        int,
        Field(ge=0, le=1 << 20, description="Memory for vectors of earlier queries; 0: none"),
    ] = 32
    redis_url: Annotated[
        RedisUrl | None,
        Field(description="Redis that keeps vectors of queries as well: redis://HOST:6379/0"),
    ] = None
    redis_ttl_s: Annotated[
        int | None,
        Field(ge=1, le=1 << 31, description="How long Redis keeps one; unset: as long as it likes"),
    ] = None
    server: Annotated[
        str | None,
        Field(
            pattern=r"^(https?://.+|none)$",
            description="Service that `semsearch search` asks; unset: a running one of this home; "
            "none: none",
        ),
    ] = None
    server_key: Annotated[SecretStr | None, Field(description="Key that this service is sent")] = (
        None
    )
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
        file = config_file(environment)
        layers = [
            ("default", folder_defaults(environment)),
            (str(file), read_config(file, required=bool(environment.get("SEMSEARCH_CONFIG")))),
            ("environment", from_environment(environment)),
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
            raise UsageError(explain(error, origins)) from None
        settings._origins.update(origins)
        settings._check_endpoints()
        return settings

    def origin(self, name: str) -> str:
        """Where a value came from: "default", "environment", "flag" or the config file's path."""
        return self._origins.get(name, "default")

    def shown(self, name: str) -> str | int | float | bool | None:
        """The value as a JSON scalar; a secret is masked."""
        value = getattr(self, name)
        if isinstance(value, tuple):
            return ", ".join(value) or None
        return value if isinstance(value, str | int | float | None) else str(value)

    @property
    def runs_remote(self) -> bool:
        """Whether the model runs on the endpoints: asked for, or implied by naming one.

        Naming one on the command line beats a placement from a lower layer.
        """
        if self.placement in (None, Placement.REMOTE):
            return bool(self.endpoints) or self.placement is Placement.REMOTE
        return self.origin("endpoints") == "flag" and self.origin("placement") != "flag"

    @property
    def reranks(self) -> bool:
        """Whether there is a reranker to ask."""
        return self.reranker is not None or self.reranker_endpoint is not None

    def _check_endpoints(self) -> None:
        placement = self.placement
        if placement is None or placement is Placement.REMOTE or self.runs_remote:
            return
        if self.origin("endpoints") == "flag":
            raise UsageError(
                f"--endpoint goes with placement remote, not with --placement {placement}. Leave "
                "one of them out."
            )

    @property
    def prepared_folder(self) -> Path:
        """Where graphs built from models lie; like those it may be emptied."""
        return self.models_folder / "prepared"

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


def environment_of_server(model: str) -> dict[str, str]:
    """For a server of our own that serves this model on this machine, whatever is remote here."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith("SEMSEARCH_ENDPOINT") and name != "SEMSEARCH_PLACEMENT"
    }
    return {**kept, "SEMSEARCH_MODEL": model, "SEMSEARCH_HOST": "127.0.0.1"}
