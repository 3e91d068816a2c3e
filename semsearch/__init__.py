"""semsearch: index folders and search them by meaning.

    from semsearch import Collection

    with Collection("notes", model="minilm") as notes:
        notes.index("docs")
        for hit in notes.search("how is a backup restored?"):
            print(hit.score, hit.path, hit.start_line, hit.text)

`Client` and `AsyncClient` ask a running `semsearch serve` instead. This package is the public API;
`app` and `indexer` are private and change without notice.
"""

from typing import TYPE_CHECKING, Any

from indexer.version import __version__

if TYPE_CHECKING:
    from app.client.async_client import AsyncClient
    from app.client.client import Client
    from app.client.documents import Document, ListedDocument, SimilarDocument, StoredDocument
    from app.client.hits import Hit, Hits
    from semsearch import errors
    from semsearch.collection import Collection

__all__ = [
    "AsyncClient",
    "Client",
    "Collection",
    "Document",
    "Hit",
    "Hits",
    "ListedDocument",
    "SimilarDocument",
    "StoredDocument",
    "__version__",
    "errors",
]

_PLACES = {
    "AsyncClient": "app.client.async_client",
    "Client": "app.client.client",
    "Collection": "semsearch.collection",
    "Document": "app.client.documents",
    "Hit": "app.client.hits",
    "Hits": "app.client.hits",
    "ListedDocument": "app.client.documents",
    "SimilarDocument": "app.client.documents",
    "StoredDocument": "app.client.documents",
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
