"""Documents through the client: put, found, listed, compared and deleted."""

from collections.abc import Iterator

import pytest

from app.client.documents import StoredDocument
from semsearch import Client, errors
from tests_support import Indexed


@pytest.fixture(scope="module")
def client(service_url: str) -> Iterator[Client]:
    """For collections of their own: tests share the default one and only read it."""
    with Client(service_url) as client:
        yield client


def test_client_puts_finds_and_deletes(client: Client, indexed: Indexed) -> None:
    own = {"collection": "by-client"}
    texts = {"a": "Kettles boil water.", "b": "Tea needs hot water.", "c": "Clocks strike twelve."}
    documents = [{"id": id, "text": text, "metadata": {"n": id}} for id, text in texts.items()]
    with pytest.raises(errors.NotFoundError, match="by-client"):
        client.put(documents, **own)
    stored = client.put(documents, create=True, **own)
    assert [(one.external_id, one.status, one.chunks) for one in stored] == [
        (id, "added", 1) for id in texts
    ]
    ids = {one.external_id: one.document_id for one in stored}
    again = client.put(documents[:1], **own)
    assert again == [StoredDocument("a", ids["a"], "unchanged", 1)]
    assert client.search("boiling a kettle", **own)[0].document_id == ids["a"]
    assert [one.external_id for one in client.documents(under="api:/", **own)] == list(texts)
    assert [one.external_id for one in client.documents(where="n:b", **own)] == ["b"]
    document = client.document(ids["b"], **own)
    assert (document.text, document.metadata, document.external_id) == (
        texts["b"],
        {"n": "b"},
        "b",
    )
    near = client.similar(ids["a"], 2, **own)
    assert [(one.rank, one.document_id, one.text) for one in near] == [
        (1, ids["b"], texts["b"]),
        (2, ids["c"], texts["c"]),
    ]
    assert client.delete("c", "a", **own) == [ids["c"], ids["a"]]
    with pytest.raises(errors.NotFoundError):
        client.document(ids["a"], **own)
    with pytest.raises(errors.UsageError, match="text"):
        client.put([{"id": "a"}], **own)
    assert [one.path for one in client.documents(under=str(indexed.docs / "bread.md"))] == [
        str(indexed.docs / "bread.md")
    ]


def test_listing_goes_over_pages(client: Client) -> None:
    many = [{"id": f"{n:03}", "text": "Kettles boil."} for n in range(150)]
    client.put(many, collection="pages", create=True)
    found = [one.external_id for one in client.documents(collection="pages")]
    assert found == [one["id"] for one in many]
