"""semsearch: index folders and search them by meaning.

    from semsearch import Collection

    with Collection("notes", model="minilm") as notes:
        notes.index("docs")
        for hit in notes.search("how is a backup restored?"):
            print(hit.score, hit.path, hit.start_line, hit.text)

`Client` asks a running `semsearch serve` instead. This package is the public API; `app` and
`indexer` are private and change without notice.
"""

from typing import TYPE_CHECKING, Any

from indexer.version import __version__

if TYPE_CHECKING:
    from semsearch import errors
    from semsearch.client import Client
    from semsearch.collection import Collection
    from semsearch.hits import Hit, Hits

__all__ = ["Client", "Collection", "Hit", "Hits", "__version__", "errors"]

_PLACES = {
    "Client": "semsearch.client",
    "Collection": "semsearch.collection",
    "Hit": "semsearch.hits",
    "Hits": "semsearch.hits",
}


def __getattr__(name: str) -> Any:
    """Import what is asked for only then: `import semsearch` stays light."""
    from importlib import import_module

    if name == "errors":
        return import_module("semsearch.errors")
    if name in _PLACES:
        return getattr(import_module(_PLACES[name]), name)
    raise AttributeError(f"module 'semsearch' has no attribute {name!r}")


def __dir__() -> list[str]:
    """The public names, loaded or not, for completion."""
    return sorted(__all__)
