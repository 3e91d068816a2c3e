"""Documents through the API: stored, found, replaced, listed, deleted; and files left alone."""

import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient

from app.api.application import create_app
from app.settings import Settings
from indexer.errors import ModelError
from indexer.storage.commit import LOCK
from tests_support import clean_environment, run_cli

TEXTS = {
    "kettle": "A kettle boils water for tea; limescale makes it slower.",
    "zebra": "Zebras have black and white stripes and live in the savanna.",
    "clock": "The clock in the tower of the town hall strikes twelve at noon.",
    "../../etc/passwd": "Users and their shells are listed line by line.",
}


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("uploads")
    (root / "docs").mkdir()
    (root / "docs" / "bread.md").write_text("# Bread\n\nBread rises because yeast eats sugar.\n")
    with clean_environment(root / "home"):
        ran = run_cli("index", str(root / "docs"), "--model", "minilm")
        assert ran.code == 0, ran.err
    return root / "home"


@pytest.fixture(scope="module")
def service(home: Path) -> Iterator[TestClient]:
    with clean_environment(home):
        settings = Settings.load(flags={"model": "minilm"})
        with TestClient(create_app(settings), base_url="http://127.0.0.1:8765") as client:
            yield client


def put(service: TestClient, *documents: dict[str, Any], **options: Any) -> Any:
    answer = service.post("/documents", json={"documents": list(documents), **options})
    assert answer.status_code == 200, answer.text
    return answer.json()


@pytest.fixture
def stored(service: TestClient) -> dict[str, int]:
    """{external id: document id} of the texts, put there before each test."""
    answer = put(service, *({"id": id, "text": text} for id, text in TEXTS.items()))
    return {one["id"]: one["document_id"] for one in answer["documents"]}


def first(service: TestClient, query: str, mode: str = "hybrid") -> str:
    hits = service.post("/search", json={"query": query, "mode": mode}).json()["hits"]
    return str(hits[0]["document"]["path"]) if hits else ""


@pytest.mark.parametrize("mode", ["hybrid", "dense", "lexical"])
def test_planted_text_is_the_first_hit_as_soon_as_the_answer_is_here(
    service: TestClient, mode: str
) -> None:
    name = f"whale-{mode}"
    put(service, {"id": name, "text": "Whales sing under water.", "title": f"Whale {mode}"})
    assert first(service, "singing whales under water", mode) == f"api:/{name}"
    service.delete("/documents", params={"external_id": name})
    assert "whale" not in first(service, "singing whales under water", mode)


def test_replaced_text_is_out_of_all_answers_at_once(service: TestClient) -> None:
    put(service, {"id": "bird", "text": "Pelicans dive for fish."})
    replaced = put(service, {"id": "bird", "text": "Lathes turn metal."})["documents"][0]
    assert replaced["status"] == "replaced"
    for mode in ("hybrid", "dense", "lexical"):
        hits = service.post("/search", json={"query": "pelicans dive", "mode": mode, "k": 50})
        assert not [h for h in hits.json()["hits"] if "Pelican" in h["chunk"]["text"]]
    assert first(service, "turning metal on a lathe") == "api:/bird"
    assert (
        service.get(f"/documents/{replaced['document_id']}").json()["text"] == "Lathes turn metal."
    )
    service.delete(f"/documents/{replaced['document_id']}")


def test_put_again_is_unchanged(service: TestClient, stored: dict[str, int]) -> None:
    answer = put(service, {"id": "zebra", "text": TEXTS["zebra"]}, {"id": "new", "text": "Tea."})
    assert [(one["id"], one["status"], one["chunks"]) for one in answer["documents"]] == [
        ("zebra", "unchanged", 1),
        ("new", "added", 1),
    ]
    assert answer["documents"][0]["document_id"] == stored["zebra"]
    assert service.delete("/documents", params={"external_id": "new"}).status_code == 200


def test_document_has_its_title_metadata_and_external_id(service: TestClient) -> None:
    markdown = "---\nstatus: draft\n---\n# Deploying\n\nRun the pipeline.\n"
    metadata = {"tags": ["ops", "ß"], "status": "final", "n": 3}
    sent = {
        "id": "wiki/deploy",
        "text": markdown,
        "format": "markdown",
        "metadata": metadata,
        "modified": "2024-02-29T12:00:00.000001+02:00",
    }
    (one,) = put(service, sent)["documents"]
    document = service.get(f"/documents/{one['document_id']}").json()
    assert document["metadata"] == metadata
    assert (document["title"], document["external_id"]) == ("Deploying", "wiki/deploy")
    assert (document["path"], document["text"]) == ("api:/wiki/deploy", markdown)
    assert service.delete(f"/documents/{one['document_id']}").json()["deleted"] == [
        one["document_id"]
    ]
    assert service.get(f"/documents/{one['document_id']}").status_code == 404


def test_list_goes_page_by_page(service: TestClient, stored: dict[str, int]) -> None:
    seen, after = [], 0
    while True:
        page = service.get("/documents", params={"after": after, "limit": 2, "under": "api:/"})
        seen += [document["external_id"] for document in page.json()["documents"]]
        if page.json()["next"] is None:
            break
        after = page.json()["next"]
    assert seen == [id for id, _ in sorted(stored.items(), key=lambda item: item[1])]
    everything = service.get("/documents").json()["documents"]
    assert [d["external_id"] for d in everything if d["path"].startswith("/")] == [None]
    by_id = service.get("/documents", params={"external_id": "../../etc/passwd"}).json()
    assert [document["id"] for document in by_id["documents"]] == [stored["../../etc/passwd"]]
    assert service.get("/documents", params={"external_id": "nope"}).json()["documents"] == []


def test_list_and_similar_take_filters(service: TestClient, stored: dict[str, int]) -> None:
    put(service, {"id": "lion", "text": "Lions hunt in the savanna.", "metadata": {"tags": "cat"}})
    put(service, {"id": "lynx", "text": "A lynx hunts in forests.", "metadata": {"tags": ["cat"]}})
    for where in ("tag:cat", "path:l*"):
        listed = service.get("/documents", params={"where": where, "limit": 1}).json()
        assert [one["external_id"] for one in listed["documents"]] == ["lion"]
        rest = service.get("/documents", params={"where": where, "after": listed["next"]}).json()
        assert [one["external_id"] for one in rest["documents"]] == ["lynx"]
        assert rest["next"] is None
    of = f"/documents/{stored['zebra']}/similar"
    hits = service.get(of, params={"where": "tag:cat"}).json()["hits"]
    assert [hit["document"]["path"] for hit in hits] == ["api:/lion", "api:/lynx"]
    assert service.get(of, params={"where": "tag:("}).status_code == 422
    assert service.get("/documents?external_id=lion&where=tag:cat").status_code == 422
    service.delete("/documents", params={"external_id": ["lion", "lynx"]})


def test_deleted_documents_go_together_or_not_at_all(
    service: TestClient, stored: dict[str, int]
) -> None:
    answer = service.delete("/documents", params={"external_id": ["zebra", "nope"]})
    assert answer.status_code == 404
    assert "'nope'" in answer.json()["error"]["message"]
    assert service.get(f"/documents/{stored['zebra']}").status_code == 200
    answer = service.delete("/documents", params={"external_id": ["zebra", "clock", "zebra"]})
    assert answer.json()["deleted"] == [stored["zebra"], stored["clock"]]
    assert first(service, "striped animals of the savanna") != "api:/zebra"


def test_document_of_a_file_is_not_deleted(service: TestClient, home: Path) -> None:
    (bread,) = service.get("/documents", params={"under": str(home.parent)}).json()["documents"]
    answer = service.delete(f"/documents/{bread['id']}")
    assert (answer.status_code, answer.json()["error"]["code"]) == (409, "lies_in_a_file")
    assert f"semsearch rm {bread['path']}" in answer.json()["error"]["message"]
    assert service.delete("/documents", params={"external_id": bread["path"]}).status_code == 404
    assert service.delete("/documents/999999").status_code == 404
    assert service.get(f"/documents/{bread['id']}").status_code == 200


def test_similar_documents_without_themselves(service: TestClient, stored: dict[str, int]) -> None:
    put(service, {"id": "horse", "text": "Wild horses and zebras graze in the savanna in herds."})
    answer = service.get(f"/documents/{stored['zebra']}/similar", params={"k": 2}).json()
    assert answer["document"]["path"] == "api:/zebra"
    assert [hit["rank"] for hit in answer["hits"]] == [1, 2]
    assert answer["hits"][0]["document"]["path"] == "api:/horse"
    assert "zebras graze" in answer["hits"][0]["chunk"]["text"]
    assert service.get("/documents/999999/similar").status_code == 404
    service.delete("/documents", params={"external_id": "horse"})


def test_passage_with_its_neighbours(service: TestClient) -> None:
    parts = [f"## Part {n}\n\n" + f"Sentence about number {n}. " * 60 for n in range(5)]
    (one,) = put(service, {"id": "long", "text": "\n\n".join(parts), "format": "markdown"})[
        "documents"
    ]
    chunks = service.get(f"/documents/{one['document_id']}").json()["chunks"]
    assert len(chunks) > 4
    of = f"/documents/{one['document_id']}/chunks"
    answer = service.get(f"{of}/{chunks[2]['id']}", params={"neighbours": 2}).json()
    assert (answer["before"], answer["chunk"], answer["after"]) == (
        chunks[:2],
        chunks[2],
        chunks[3:5],
    )
    edge = service.get(f"{of}/{chunks[0]['id']}").json()
    assert (edge["before"], edge["after"]) == ([], chunks[1:2])
    assert service.get(f"{of}/{chunks[0]['id']}", params={"neighbours": 0}).json()["after"] == []
    assert service.get(f"/documents/1/chunks/{chunks[0]['id']}").status_code == 404
    service.delete("/documents", params={"external_id": "long"})
    assert service.get(f"{of}/{chunks[0]['id']}").status_code == 404


def test_collection_is_made_only_when_asked(service: TestClient) -> None:
    body = {"documents": [{"id": "a", "text": "Kettles boil."}], "collection": "fresh"}
    refused = service.post("/documents", json=body)
    assert refused.status_code == 404
    assert "'fresh'" in refused.json()["error"]["message"]
    names = [one["name"] for one in service.get("/collections").json()]
    assert names == ["default"]
    made = service.post("/documents", json={**body, "create": True})
    assert made.json()["documents"][0]["status"] == "added"
    found = service.post("/search", json={"query": "boiling", "collection": "fresh"}).json()
    assert [hit["document"]["path"] for hit in found["hits"]] == ["api:/a"]
    assert found["hits"][0]["document"]["file"] is None


def test_command_line_shows_and_forgets_uploads(
    service: TestClient, home: Path, stored: dict[str, int]
) -> None:
    docs = home.parent / "docs"
    with clean_environment(home):
        assert "uploads" in run_cli("status").out
        assert run_cli("index", str(docs)).code == 0
        assert service.get(f"/documents/{stored['zebra']}").status_code == 200
        assert run_cli("rm", str(docs / "..")).code == 0
        assert run_cli("rm", "api:/zebra").code == 0
        assert run_cli("rm", "api:/zebra").code == 1
        assert run_cli("index", str(docs)).code == 0
    left = service.get("/documents", params={"under": "api:/"}).json()["documents"]
    assert {one["external_id"] for one in left} == TEXTS.keys() - {"zebra"}


def test_another_writer_is_503_with_its_pid(service: TestClient, home: Path) -> None:
    held = (
        "import sys, pathlib; from indexer.storage.lock import WriterLock; "
        "lock = WriterLock(pathlib.Path(sys.argv[1])); print('held', flush=True); input()"
    )
    lock = home / "collections" / "default" / LOCK
    with subprocess.Popen(
        [sys.executable, "-c", held, str(lock)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        cwd=Path(__file__).parents[3],
    ) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == b"held\n"
        for answer in (
            service.post("/documents", json={"documents": [{"id": "late", "text": "Late."}]}),
            service.delete("/documents", params={"external_id": "kettle"}),
        ):
            assert answer.status_code == 503
            assert answer.headers["retry-after"]
            assert f"process {other.pid} is writing" in answer.json()["error"]["message"]
        other.communicate(b"\n")
    assert service.get("/documents", params={"external_id": "late"}).json()["documents"] == []


def test_requests_at_once_wait_for_each_other(service: TestClient) -> None:
    answers: list[int] = []

    def send(number: int) -> None:
        body = {"documents": [{"id": f"at-once-{number}", "text": f"Number {number} of many."}]}
        answers.append(service.post("/documents", json=body).status_code)

    threads = [threading.Thread(target=send, args=(n,)) for n in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert answers == [200] * 6
    ids = [f"at-once-{n}" for n in range(6)]
    assert len(service.delete("/documents", params={"external_id": ids}).json()["deleted"]) == 6


def test_search_goes_on_while_documents_are_embedded(
    service: TestClient, stored: dict[str, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The event loop answers although a put has been in its thread for a while."""
    started, go_on = threading.Event(), threading.Event()

    def slow(*_arguments: object, **_options: object) -> None:
        started.set()
        assert go_on.wait(30)
        raise ModelError("slow, then broken")

    monkeypatch.setattr("app.uploads.Putter.prepare", slow)
    answers: list[int] = []
    body = {"documents": [{"id": "slow", "text": "Slow."}]}
    thread = threading.Thread(
        target=lambda: answers.append(service.post("/documents", json=body).status_code)
    )
    thread.start()
    assert started.wait(30)
    assert service.get("/health").status_code == 200
    go_on.set()
    thread.join()
    assert answers == [503]


DOCUMENT = {"id": "a", "text": "Kettles boil."}


@pytest.mark.parametrize(
    ("body", "status", "words"),
    [
        ({"documents": []}, 422, "documents"),
        ({"documents": [DOCUMENT] * 257}, 422, "documents"),
        ({"documents": [DOCUMENT, DOCUMENT]}, 422, "twice"),
        ({"documents": [{**DOCUMENT, "id": ""}]}, 422, "id"),
        ({"documents": [{**DOCUMENT, "id": "x" * 513}]}, 422, "id"),
        ({"documents": [{**DOCUMENT, "id": "a\0b"}]}, 422, "U+0000"),
        ({"documents": [{**DOCUMENT, "id": "a\x1b[2J"}]}, 422, "U+001B"),
        ({"documents": [{**DOCUMENT, "text": " \n"}]}, 422, "no text"),
        ({"documents": [{**DOCUMENT, "text": "x" * (1 << 20) + "x"}]}, 422, "text"),
        ({"documents": [{**DOCUMENT, "text": "\x01" * 99}]}, 422, "binary"),
        ({"documents": [{**DOCUMENT, "format": "pdf"}]}, 422, "format"),
        ({"documents": [{**DOCUMENT, "path": "/etc"}]}, 422, "path"),
        ({"documents": [{**DOCUMENT, "title": "x" * 1_001}]}, 422, "title"),
        ({"documents": [{**DOCUMENT, "metadata": [1]}]}, 422, "metadata"),
        ({"documents": [{**DOCUMENT, "metadata": {"a": 2**70}}]}, 422, "metadata.a"),
        ({"documents": [{**DOCUMENT, "modified": "yesterday"}]}, 422, "modified"),
        ({"documents": [{**DOCUMENT, "modified": "2024-01-01T00:00:00"}]}, 422, "modified"),
        ({"documents": [{**DOCUMENT, "modified": "9999-01-01T00:00:00Z"}]}, 422, "modified"),
        ({"documents": [DOCUMENT], "collection": "../etc"}, 422, "collection"),
        (
            {"documents": [{"id": n, "text": "x" * (1 << 20)} for n in "ab"]},
            413,
            "several requests",
        ),
    ],
)
def test_bad_put_says_what_is_wrong_and_stores_nothing(
    service: TestClient, body: dict[str, object], status: int, words: str
) -> None:
    answer = service.post("/documents", json=body)
    assert answer.status_code == status
    assert words in answer.json()["error"]["message"]
    assert service.get("/documents", params={"external_id": "a"}).json()["documents"] == []


NESTED = b'{"a":' * 900 + b"1" + b"}" * 900


@pytest.mark.parametrize(
    "raw",
    [
        b'{"documents": [{"id": "a", "text": "t", "metadata": {"a": NaN}}]}',
        b'{"documents": [{"id": "a", "text": "t", "metadata": {"a": 1e999}}]}',
        b'{"documents": [{"id": "a\\ud800", "text": "t"}]}',
        b'{"documents": [{"id": "a", "text": "t", "metadata": {"a": "\\ud800"}}]}',
        b'{"documents": [{"id": "a", "text": "t", "metadata": '
        + b'{"a":' * 900
        + b"1"
        + b"}" * 902,
    ],
)
def test_json_that_is_none_is_refused(service: TestClient, raw: bytes) -> None:
    answer = service.post("/documents", content=raw, headers={"content-type": "application/json"})
    assert answer.status_code in (400, 422), answer.text
    assert answer.json()["error"]["message"]


@pytest.mark.parametrize(
    "path",
    [
        "/documents/..%2f..%2fetc%2fpasswd",
        "/documents/%2e%2e/%2e%2e/etc/passwd",
        "/documents/api:%2fkettle",
        "/documents/1/chunks/..%2f1",
        "/documents/1%00/similar",
        "/documents/-1/similar",
        f"/documents/{2**64}/chunks/1",
    ],
)
def test_path_that_is_no_document_id_is_refused(service: TestClient, path: str) -> None:
    for method in ("GET", "DELETE"):
        answer = service.request(method, path)
        assert answer.status_code in (404, 405, 422)
        assert "root:" not in answer.text


@pytest.mark.parametrize(
    "query",
    [
        "limit=0",
        "limit=1001",
        "after=-1",
        "under=",
        "external_id=",
        "external_id=a%00b",
        f"external_id={'x' * 513}",
    ],
)
def test_bad_listing_is_refused(service: TestClient, query: str) -> None:
    assert service.get(f"/documents?{query}").status_code == 422
