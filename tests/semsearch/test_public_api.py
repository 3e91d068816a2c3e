"""What `import semsearch` gives, and what it does not load."""

import ast
import dataclasses
import json
import subprocess
import sys
from pathlib import Path

import pytest

import semsearch
from indexer import errors as all_errors
from indexer.version import __version__
from semsearch import errors

LISTED = [
    *("AsyncClient", "Client", "Collection", "Document", "Hit", "Hits", "ListedDocument"),
    *("SimilarDocument", "StoredDocument", "__version__", "errors"),
]


def test_exported_names_are_exactly_these() -> None:
    assert semsearch.__all__ == LISTED
    assert dir(semsearch) == sorted(LISTED)
    assert {
        name: getattr(semsearch, name).__module__
        for name in LISTED
        if name not in ("__version__", "errors")
    } == {
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
    assert semsearch.__version__ == __version__
    assert semsearch.errors is errors


def test_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="module 'semsearch' has no attribute 'Colection'"):
        semsearch.Colection  # noqa: B018 - the access is the test


def test_every_error_is_public() -> None:
    """A new error that users cannot catch by name would be half an API."""
    public = {name: getattr(errors, name) for name in errors.__all__}
    raised = {
        name: value
        for name, value in vars(all_errors).items()
        if isinstance(value, type) and issubclass(value, all_errors.SemsearchError)
    }
    assert public == raised
    assert errors.__all__ == sorted(errors.__all__)


def test_hit_has_exactly_the_documented_fields() -> None:
    assert [field.name for field in dataclasses.fields(semsearch.Hit)] == [
        *("rank", "score", "dense_score", "lexical_score", "collection", "document_id", "path"),
        *("member", "title", "chunk_id"),
        *("heading", "place", "text", "start_line", "end_line", "start", "end"),
        *("snippet", "file"),
    ]


@pytest.mark.parametrize(
    ("statement", "absent"),
    [
        ("import semsearch", ["torch", "transformers", "sqlalchemy", "numpy", "httpx", "pydantic"]),
        ("from semsearch import errors", ["torch", "transformers", "sqlalchemy", "numpy", "httpx"]),
        ("from semsearch import Client", ["torch", "transformers", "sqlalchemy", "faiss"]),
        ("from semsearch import Collection", ["torch", "transformers", "faiss", "fastapi"]),
    ],
)
def test_import_loads_no_more_than_it_needs(statement: str, absent: list[str]) -> None:
    code = f"import sys, json; {statement}; print(json.dumps(sorted(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert set(json.loads(done.stdout)) & set(absent) == set()


def test_package_is_marked_as_typed() -> None:
    assert (Path(semsearch.__file__).parent / "py.typed").is_file()


def test_type_checker_sees_every_lazy_name() -> None:
    """`__getattr__` alone would make each of them `Any`."""
    tree = ast.parse(Path(semsearch.__file__).read_text(encoding="utf-8"))
    guarded = [node for node in tree.body if isinstance(node, ast.If)]
    names = {
        alias.name
        for node in ast.walk(guarded[0])
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }
    assert names == set(LISTED) - {"__version__"}
