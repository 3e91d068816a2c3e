"""Ready, or not, and why: while loading, while working, while stopping."""

import pytest

from gated_service import Serving, serving
from indexer.errors import ModelError
from tests_support import Indexed


def stopped(service: Serving, path: str) -> None:
    answer = service.client.get(path)
    assert answer.status_code == 503
    assert answer.json()["error"]["message"] == "The service is stopping."
    assert answer.headers["retry-after"] == "5"


def test_health_generate_embeds_though_the_queue_is_full(
    indexed: Indexed, monkeypatch: pytest.MonkeyPatch
) -> None:
    with serving(indexed, queue_requests=1) as service:
        assert service.client.get("/health_generate").json() == {"status": "ready"}
        assert service.inner.calls == [("a",)]
        monkeypatch.setattr(service.inner, "blames_texts", False)

        def broken(*_: object) -> None:
            raise ModelError("the card is gone")

        monkeypatch.setattr(service.inner, "_answer", broken)
        answer = service.client.get("/health_generate")
        assert (answer.status_code, answer.json()["error"]["code"]) == (503, "model")


def test_service_that_stops_says_so_and_answers_all_the_same(indexed: Indexed) -> None:
    with serving(indexed) as service:
        service.state.stop()
        stopped(service, "/ready")
        stopped(service, "/health_generate")
        assert service.client.get("/health").json() == {"status": "alive"}
        assert service.search("bread").status_code == 200
