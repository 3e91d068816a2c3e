"""Uploads beside a folder: stored, replaced, forgotten, and never mistaken for files."""

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from indexer.documents.chunk import ChunkOptions
from indexer.documents.read import ReadLimits
from indexer.embedding.embedder import Embedder
from indexer.errors import ContractError, ModelError, NotFoundError, ReadError, UsageError
from indexer.paths import upload_id, upload_path
from indexer.pipeline.put import Prepared, Put, Putter, forget
from indexer.pipeline.run import index
from indexer.pipeline.upload import MAX_METADATA_DEPTH, Upload, UploadFormat
from indexer.storage.collection import Collection
from indexer.storage.commit import Writer
from indexer.types import Contract

Send = Callable[..., list[Put]]

HOSTILE_IDS = [
    "../../etc/passwd",
    "/etc/passwd",
    "..",
    "C:\\windows\\system32",
    "a//b/./c/",
    "%2e%2e%2f",
    "'; DROP TABLE documents; --",
    "文档 👩‍👩‍👧 é",
    "x" * 512,
]


@pytest.fixture
def collection(tmp_path: Path) -> Path:
    return tmp_path / "collection"


@pytest.fixture
def putter(hash_embedder: Embedder, contract: Contract) -> Putter:
    return Putter(hash_embedder, contract, ChunkOptions(max_tokens=256), ReadLimits())


@pytest.fixture
def send(collection: Path, contract: Contract, putter: Putter) -> Send:
    def put(*uploads: Upload) -> list[Put]:
        with Writer.open(collection, contract) as writer:
            prepared = putter.prepare(uploads, writer.stamps, writer.known_keys)
            return putter.store(uploads, prepared, writer)

    return put


@pytest.fixture
def found(collection: Path) -> Iterator[Callable[[str], list[str]]]:
    """The ids of documents that hold these words, best first."""
    opened: list[Collection] = []

    def search(words: str) -> list[str]:
        if not opened:
            opened.append(Collection.open(collection))
        with opened[0].snapshot() as now:
            hits = now.lexical(words, 10)
            chunks = now.chunks([hit.chunk_id for hit in hits])
        return list(dict.fromkeys(upload_id(chunk.path) or "" for chunk in chunks.values()))

    yield search
    for one in opened:
        one.close()


def statuses(outcomes: Sequence[Put]) -> list[str]:
    return [str(outcome.status) for outcome in outcomes]


def test_upload_is_stored_with_title_metadata_and_text(send: Send, collection: Path) -> None:
    text = (
        "---\ntitle: Its own\nstatus: draft\ntags: [ops]\n---\n# Heading\n\nKettles boil water.\n"
    )
    upload = Upload("wiki/kettle", text, UploadFormat.MARKDOWN, metadata={"status": "final"})
    (outcome,) = send(upload)
    assert (outcome.id, outcome.status, outcome.chunks) == ("wiki/kettle", "added", 1)
    with Collection.open(collection) as opened:
        document = opened.document(outcome.document_id)
    assert document.path == b"api:/wiki/kettle"
    assert (document.title, document.format, document.text) == ("Its own", "markdown", text)
    assert document.metadata == {"title": "Its own", "status": "final", "tags": ["ops"]}


def test_same_upload_again_costs_nothing(
    send: Send, collection: Path, embedded_texts: Callable[[], int]
) -> None:
    first = send(Upload("a", "Kettles boil."), Upload("b", "Clocks tick."))
    before = embedded_texts(), Collection.open(collection).generation
    again = send(Upload("b", "Clocks tick."), Upload("a", "Kettles boil."))
    assert statuses(again) == ["unchanged", "unchanged"]
    assert [one.document_id for one in again] == [one.document_id for one in reversed(first)]
    assert (embedded_texts(), Collection.open(collection).generation) == before


@pytest.mark.parametrize(
    "change",
    [
        {"title": "New"},
        {"metadata": {"a": 1}},
        {"format": UploadFormat.MARKDOWN},
        {"modified_ns": 7},
    ],
)
def test_upload_that_differs_in_more_than_text_is_replaced_without_the_model(
    send: Send, embedded_texts: Callable[[], int], change: dict[str, Any]
) -> None:
    (first,) = send(Upload("a", "Kettles boil."))
    before = embedded_texts()
    (second,) = send(Upload("a", "Kettles boil.", **change))
    assert (second.status, second.document_id) == ("replaced", first.document_id)
    assert embedded_texts() - before == ("title" in change)  # which is embedded with the text


def test_replaced_text_is_gone_at_once_and_the_new_one_is_found(
    send: Send, found: Callable[[str], list[str]]
) -> None:
    send(Upload("a", "Zebras graze."), Upload("b", "Clocks tick."))
    assert found("zebras") == ["a"]
    (replaced,) = send(Upload("a", "Pelicans dive."))
    assert replaced.status == "replaced"
    assert (found("zebras"), found("pelicans")) == ([], ["a"])


def test_upload_is_found_by_the_words_of_its_id(
    send: Send, found: Callable[[str], list[str]]
) -> None:
    send(Upload("handbook/v1.2/onboarding", "Welcome."), Upload("other", "Welcome."))
    assert found("onboarding") == ["handbook/v1.2/onboarding"]
    assert found("handbook") == ["handbook/v1.2/onboarding"]


def test_two_documents_of_one_text_share_a_vector(
    send: Send, collection: Path, embedded_texts: Callable[[], int]
) -> None:
    send(Upload("a", "Kettles boil."), Upload("b", "Kettles boil."))
    assert embedded_texts() == 1
    with Collection.open(collection) as opened:
        assert (opened.status().uploads, opened.status().vectors) == (2, 1)


def test_one_bad_upload_stores_none(send: Send, collection: Path) -> None:
    send(Upload("old", "Clocks tick."))
    with pytest.raises(ReadError, match="document 'empty' as text: empty"):
        send(Upload("good", "Kettles boil."), Upload("empty", " \n\t"))
    with pytest.raises(UsageError, match="'good': its id is there twice"):
        send(Upload("good", "One."), Upload("good", "Two."))
    with Collection.open(collection) as opened:
        assert [upload_id(d.path) for d in opened.documents()] == ["old"]


def test_model_that_fails_stores_nothing(
    send: Send, collection: Path, hash_embedder: Embedder, monkeypatch: pytest.MonkeyPatch
) -> None:
    send(Upload("old", "Clocks tick."))

    def fail(*_arguments: object, **_options: object) -> None:
        raise ModelError("no model today")

    monkeypatch.setattr(hash_embedder, "embed", fail)
    with pytest.raises(ModelError):
        send(Upload("old", "Kettles boil."))
    with Collection.open(collection) as opened:
        assert opened.document(1).text == "Clocks tick."


def test_what_another_writer_did_meanwhile_is_prepared_again(
    collection: Path, contract: Contract, putter: Putter, send: Send
) -> None:
    uploads = [Upload("a", "Kettles boil."), Upload("b", "Clocks tick.")]
    send(*uploads)
    with Collection.open(collection) as opened:
        prepared = putter.prepare(uploads, opened.stamps, opened.known_keys)
    assert prepared == Prepared()
    with Writer.open(collection, contract) as writer:
        forget(["a"], writer)
    with Writer.open(collection, contract) as writer:
        outcomes = putter.store(uploads, prepared, writer)
    assert statuses(outcomes) == ["added", "unchanged"]


def test_vector_that_went_meanwhile_is_made_again(
    collection: Path, contract: Contract, putter: Putter, send: Send
) -> None:
    send(Upload("a", "Kettles boil."))
    uploads = [Upload("b", "Kettles boil.")]
    with Collection.open(collection) as opened:
        prepared = putter.prepare(uploads, opened.stamps, opened.known_keys)
    assert not prepared.vectors
    with Writer.open(collection, contract) as writer:
        forget(["a"], writer)
        assert statuses(putter.store(uploads, prepared, writer)) == ["added"]


def test_forget_takes_all_or_none(
    send: Send, collection: Path, contract: Contract, found: Callable[[str], list[str]]
) -> None:
    first, second = send(Upload("a", "Kettles boil."), Upload("b", "Kettles whistle."))
    with Writer.open(collection, contract) as writer:
        with pytest.raises(NotFoundError, match="'nope'.*Nothing was deleted"):
            forget(["a", "nope"], writer)
        assert found("kettles") == ["a", "b"]
        assert forget(["b", "a"], writer) == [second.document_id, first.document_id]
    assert found("kettles") == []


def test_indexing_folders_leaves_uploads_alone_and_they_leave_files_alone(
    tmp_path: Path, collection: Path, contract: Contract, hash_embedder: Embedder, send: Send
) -> None:
    docs = tmp_path / "docs"
    docs.mkdir()
    (docs / "clock.md").write_text("Clocks tick.")
    send(Upload("clock.md", "Clocks tick."), Upload(str(docs / "clock.md"), "Kettles boil."))
    with Writer.open(collection, contract) as writer:
        added = index([docs], writer, hash_embedder, contract)
        (docs / "clock.md").unlink()
        removed = index([docs], writer, hash_embedder, contract)
        assert writer.remove(b"/") == 0
    assert (added.added, added.moved, removed.removed) == (1, 0, 1)
    with Collection.open(collection) as opened:
        assert [upload_id(d.path) for d in opened.documents()] == [
            "clock.md",
            str(docs / "clock.md"),
        ]
        assert opened.documents(under=b"/") == []
        assert len(opened.documents(under=b"api:")) == 2
        status = opened.status()
    assert (status.files, status.uploads) == (0, 2)


def test_embedding_anew_refuses_to_lose_uploads(
    send: Send, collection: Path, contract: Contract
) -> None:
    send(Upload("a", "Kettles boil."))
    other = replace(contract, chunker="1/64")
    with pytest.raises(ContractError, match=r"1 of its documents came through the API.*rm api:/"):
        Writer.open(collection, other, reembed=True)
    with Collection.open(collection) as opened:
        assert opened.document(1).text == "Kettles boil."
    with Writer.open(collection, contract) as writer:
        assert writer.remove(b"api:/") == 1
    Writer.open(collection, other, reembed=True).close()


@pytest.mark.parametrize(
    ("format", "text", "stored"),
    [
        ("text", "%PDF-1.4 is how a PDF begins", None),
        ("text", "\ufeffmarked \ud83d twice\r\n", "marked \ufffd twice\n"),
        ("html", '<meta charset="iso-8859-1"><p>Käse für 5 €</p>', "Käse für 5 €\n"),
        ("xml", '<?xml version="1.0" encoding="iso-8859-1"?><a>Käse für 5 €</a>', "Käse für 5 €\n"),
        ("json", '{"a": ["Käse"]}', None),
    ],
)
def test_text_is_read_as_what_it_is_said_to_be(
    send: Send, collection: Path, format: str, text: str, stored: str | None
) -> None:
    (outcome,) = send(Upload("a", text, UploadFormat(format)))
    with Collection.open(collection) as opened:
        document = opened.document(outcome.document_id)
    assert (document.format, document.text) == (format, text if stored is None else stored)


@pytest.mark.parametrize("hostile", HOSTILE_IDS)
def test_hostile_id_is_a_name_like_any_other(
    send: Send, collection: Path, contract: Contract, hostile: str
) -> None:
    (outcome,) = send(Upload(hostile, "Kettles boil."))
    with Collection.open(collection) as opened:
        (listed,) = opened.documents()
    assert (listed.id, upload_id(listed.path)) == (outcome.document_id, hostile)
    with Writer.open(collection, contract) as writer:
        assert forget([hostile], writer) == [outcome.document_id]


@pytest.mark.parametrize(
    ("bad", "words"),
    [
        ("", "0 characters"),
        ("x" * 513, "513 characters"),
        ("a\0b", r"U\+0000"),
        ("a\nb", r"U\+000A"),
        ("a\x1b[31mb", r"U\+001B"),
        ("a\ud800", r"U\+D800"),
        ("a\u2028b", r"U\+2028"),
    ],
)
def test_id_that_cannot_be_shown_is_refused(send: Send, bad: str, words: str) -> None:
    with pytest.raises(UsageError, match=words):
        send(Upload(bad, "Kettles boil."))


PRINTABLE = st.text(
    st.characters(exclude_categories=("Cc", "Cs", "Zl", "Zp")), min_size=1, max_size=512
)


@given(PRINTABLE, PRINTABLE)
def test_ids_and_paths_are_one_to_one(one: str, other: str) -> None:
    assert upload_id(upload_path(one)) == one
    assert (upload_path(one) == upload_path(other)) == (one == other)


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63) + 1, 2**63 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=30),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=12), inner, max_size=4)
    ),
    max_leaves=12,
)


def depth(value: Any) -> int:
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else []
    return 1 + max(map(depth, inner), default=0) if isinstance(value, dict | list) else 0


FIELDS = st.dictionaries(st.text(max_size=12), JSON, max_size=5)


@settings(
    max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.dictionaries(PRINTABLE, FIELDS, max_size=30))
def test_metadata_comes_back_as_it_was_sent(
    send: Send, collection: Path, contract: Contract, fields: dict[str, dict[str, Any]]
) -> None:
    fits = {"one": {}} | {
        id: values for id, values in fields.items() if depth(values) <= MAX_METADATA_DEPTH
    }
    outcomes = send(*(Upload(id, "Kettles boil.", metadata=fits[id]) for id in fits))
    Writer.open(collection, contract).close()  # there is one even if nothing fits
    with Collection.open(collection) as opened:
        stored = {one.id: opened.document(one.document_id).metadata for one in outcomes}
    assert json.dumps(stored, sort_keys=True) == json.dumps(fits, sort_keys=True)


@pytest.mark.parametrize(
    ("metadata", "words"),
    [
        ({"a": float("nan")}, r"metadata\.a: nan"),
        ({"a": [1, float("inf")]}, r"metadata\.a\.1: inf"),
        ({"a": 2**63}, "9223372036854775808"),
        ({"a": "\ud800"}, r"metadata\.a"),
        ({"\ud800": 1}, "is no name"),
        ({1: 1}, "is no name"),
        ({"a": b"bytes"}, r"metadata\.a"),
        ({"a": [0] * 1_000}, "more than 1,000 values"),
        ({"a": "x" * 40_000}, "40,"),
    ],
)
def test_metadata_that_would_not_come_back_is_refused(
    send: Send, metadata: dict[Any, Any], words: str
) -> None:
    with pytest.raises(UsageError, match=words):
        send(Upload("a", "Kettles boil.", metadata=metadata))


def test_metadata_nested_without_end_is_refused(send: Send) -> None:
    nested: dict[str, Any] = {}
    for _ in range(50_000):
        nested = {"a": nested}
    with pytest.raises(UsageError, match="nested more than 8"):
        send(Upload("a", "Kettles boil.", metadata=nested))
    while nested:  # or its destructor recurses
        nested = nested["a"]
