"""Documents by name: exact, by the end of the path, by id; ambiguity is said, not guessed."""

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from app.search.lookup import find_document
from indexer.errors import NotFoundError, QueryError

# tests/app/search/conftest.py, loaded under its own name: `conftest` is that of tests/.
Plant = Any

PATHS = {
    "/docs/a/b.md": [("first", 0.9)],
    "/docs/c/b.md": [("second", 0.8)],
    "/docs/c/d.md": [("third", 0.7)],
    "/docs/\udcff.md": [("fourth", 0.6)],
}


@pytest.fixture
def collection(plant: Plant) -> Any:
    return plant("one", PATHS)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("/docs/a/b.md", "first"),
        ("a/b.md", "first"),
        ("c/b.md", "second"),
        ("d.md", "third"),
        ("#3", "third"),
        ("\\xff.md", "fourth"),
        ("\udcff.md", "fourth"),
    ],
)
def test_name_stands_for_the_document(collection: Any, name: str, text: str) -> None:
    with collection.snapshot() as now:
        assert now.document(find_document(now, name)).text == text


@pytest.mark.parametrize("name", ["", ".md", "b", "/a/b.md/", "#99", "#0", f"#{10**18}", "../b.md"])
def test_name_of_nothing_is_not_found(collection: Any, name: str) -> None:
    with collection.snapshot() as now, pytest.raises(NotFoundError):
        now.document(find_document(now, name))


def test_name_of_several_names_them(collection: Any) -> None:
    words = "may be any of #1 /docs/a/b.md, #2 /docs/c/b.md. Give the docid"
    with collection.snapshot() as now, pytest.raises(QueryError, match=words):
        find_document(now, "b.md")


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.text(max_size=20))
def test_any_name_is_found_or_refused(collection: Any, name: str) -> None:
    with collection.snapshot() as now:
        try:
            assert now.document(find_document(now, name)).path
        except (NotFoundError, QueryError):
            return
