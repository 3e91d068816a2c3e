"""Which torch is installed, by the text of its version file: the import would take a second."""

import importlib.util
import re
from pathlib import Path

from indexer.embedding.hardware.machine import TorchBuild

_ASSIGNMENT = re.compile(r"^(__version__|cuda|hip)\b[^=\n]*=\s*(['\"])(.*?)\2", re.MULTILINE)


def read_torch_build() -> TorchBuild | None:
    """The installed torch; None if there is none."""
    found = importlib.util.find_spec("torch")
    for place in (found.submodule_search_locations or ()) if found else ():
        try:
            text = (Path(place) / "version.py").read_text(encoding="utf-8")
        except OSError:
            continue
        return parse_version_file(text)
    return None


def parse_version_file(text: str) -> TorchBuild:
    """What torch/version.py says; `cuda = None` is a build without CUDA."""
    values = {name: value for name, _, value in _ASSIGNMENT.findall(text)}
    return TorchBuild(values.get("__version__", "unknown"), values.get("cuda"), values.get("hip"))
