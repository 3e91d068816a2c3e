"""What Prometheus is told, read by its own parser."""

from pathlib import Path

import pytest
from fastapi.testclient import TestClient
from prometheus_client.parser import text_string_to_metric_families

from app.api.application import create_app
from app.api.metrics import Metrics
from app.search.stages import Stage, Stages
from app.settings import Settings

Samples = dict[tuple[str, tuple[tuple[str, str], ...]], float]


def samples_of(text: str) -> Samples:
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


@pytest.fixture
def client(home: Path) -> TestClient:
    return TestClient(create_app(Settings.load()), base_url="http://127.0.0.1:8765")


def scrape(client: TestClient) -> Samples:
    answer = client.get("/metrics")
    assert answer.headers["content-type"].startswith("text/plain; version=")
    return samples_of(answer.text)


def requests(samples: Samples) -> dict[tuple[str, ...], float]:
    """Counts by (method, route, status)."""
    return {
        tuple(value for _, value in labels): count
        for (name, labels), count in samples.items()
        if name == "semsearch_requests_total"
    }


def test_requests_are_counted_by_route_and_status(client: TestClient) -> None:
    client.get("/health")
    client.get("/health")
    client.get("/documents/7")
    client.get("/documents/8")
    client.post("/search", json={})
    client.get("/collections", headers={"host": "evil.example"})
    samples = scrape(client)
    assert requests(samples) == {
        ("GET", "/health", "200"): 2,
        ("GET", "/documents/{document_id}", "404"): 2,
        ("POST", "/search", "422"): 1,
        ("GET", "/collections", "403"): 1,
    }
    assert samples["semsearch_requests_in_flight", ()] == 1  # the one that asks
    key = "semsearch_request_duration_seconds_count", (("route", "/health"),)
    assert samples[key] == 2


def test_made_up_paths_and_methods_make_no_labels(client: TestClient) -> None:
    for number in range(20):
        client.get(f"/made-up/{number}")
        client.request(f"VERB{number}", "/search")
        client.get(f"/search?unknown={number}")
    samples = scrape(client)
    assert requests(samples) == {
        ("other", "other", "404"): 20,
        ("other", "/search", "405"): 20,
        ("GET", "/search", "422"): 20,
    }
    assert "made-up" not in str(samples)


def test_two_applications_do_not_mix(client: TestClient, home: Path) -> None:
    client.get("/health")
    other = TestClient(create_app(Settings.load()), base_url="http://127.0.0.1:8765")
    assert requests(scrape(other)) == {}


def test_stages_carry_model_and_mode() -> None:
    stages = Stages()
    stages.model, stages.mode = "minilm", "hybrid"
    for stage in Stage:
        stages.add(stage, 0.002)
    stages.add(Stage.EMBED, 0.004)
    metrics = Metrics()
    metrics.answered("/search", "POST", 200, 0.02, stages.result())
    samples = samples_of(metrics.exposition().decode())
    for stage in Stage:
        labels = (("mode", "hybrid"), ("model", "minilm"), ("stage", str(stage)))
        name = "semsearch_stage_duration_seconds"
        assert samples[f"{name}_count", labels] == 1
        seconds = 0.006 if stage is Stage.EMBED else 0.002
        assert samples[f"{name}_sum", labels] == pytest.approx(seconds)


def test_numbers_that_others_keep_are_read_when_asked_for() -> None:
    metrics = Metrics()
    waiting = [3.0]
    metrics.watch_gauge("semsearch_queue_size", "Queries that wait", lambda: waiting[0])
    metrics.watch_count("semsearch_cache_hits", "Queries not embedded again", lambda: 41)
    metrics.observe_batch(100)
    metrics.observe_batch(5000)
    waiting[0] = 7
    samples = samples_of(metrics.exposition().decode())
    assert samples["semsearch_queue_size", ()] == 7
    assert samples["semsearch_cache_hits_total", ()] == 41
    assert samples["semsearch_batch_tokens_sum", ()] == 5100
    assert samples["semsearch_batch_tokens_bucket", (("le", "128.0"),)] == 1


def test_every_name_has_our_prefix_and_a_unit(client: TestClient) -> None:
    client.get("/health")
    families = list(text_string_to_metric_families(client.get("/metrics").text))
    names = [family.name for family in families if not family.name.startswith("process_")]
    assert "semsearch_requests" in names
    for name in names:
        assert name.startswith("semsearch_")


def test_recall_of_what_was_served_is_shown_for_each_collection() -> None:
    metrics = Metrics()
    metrics.watch_by_collection("semsearch_recall_ratio", "Found", lambda: {"a": 0.5, "b": 1.0})
    samples = samples_of(metrics.exposition().decode())
    assert samples["semsearch_recall_ratio", (("collection", "a"),)] == 0.5
    assert samples["semsearch_recall_ratio", (("collection", "b"),)] == 1.0
