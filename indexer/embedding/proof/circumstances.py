"""All that may change a vector without changing the contract: software, processor, card."""

import platform
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from indexer.embedding.embedder import Embedder
from indexer.embedding.proof.golden import golden_key
from indexer.embedding.spec import ModelSpec
from indexer.modes import Placement
from indexer.version import __version__

_LIBRARIES = ("numpy", "onnxruntime", "tokenizers", "torch", "transformers")
_CPUINFO_BYTES = 8192  # the first core says it all; a server's file has a hundred of them


def circumstances(embedder: Embedder, cache_folder: Path | None = None) -> dict[str, Any]:
    """What a proof of this embedder holds for; JSON values, compared for equality."""
    placement = embedder.mode.placement
    return {
        **surroundings(embedder.spec, cache_folder),
        "dimension": embedder.dimension,
        "mode": str(embedder.mode),
        "engine": embedder.engine,
        "card": _card() if placement in (Placement.GPU, Placement.OFFLOAD) else None,
    }


def surroundings(spec: ModelSpec, cache_folder: Path | None = None) -> dict[str, Any]:
    """The part that is the same for every mode of a model."""
    return {
        "expected": golden_key(spec, cache_folder),
        "semsearch": __version__,
        "libraries": {name: _version(name) for name in _LIBRARIES},
        "processor": processor(),
    }


def processor() -> str:
    """Name and instruction sets of the CPU, as far as the system tells without a subprocess."""
    try:
        with open("/proc/cpuinfo", "rb") as file:
            head = file.read(_CPUINFO_BYTES).decode(errors="replace")
    except OSError:
        return f"{platform.system()} {platform.release()} {platform.machine()}"
    wanted = ("model name", "flags", "Features", "CPU part")
    fields: dict[str, str] = {}
    for line in head.splitlines():
        name, _, value = line.partition(":")
        if name.strip() in wanted:
            fields.setdefault(name.strip(), value.strip())
    return " ".join([platform.machine(), *fields.values()])


def _version(library: str) -> str | None:
    try:
        return version(library)
    except PackageNotFoundError:
        return None


def _card() -> str:
    import torch  # loaded already: the model runs on it

    return f"{torch.cuda.get_device_name()} CUDA {torch.version.cuda}"
