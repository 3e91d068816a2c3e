"""Web pages: our own, listed ones, all others."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.api.application import create_app
from app.api.guard.origins import place_of
from app.settings import Settings
from guarded_service import Guarded
from indexer.errors import UsageError

FRIEND = "https://friend.example"
PREFLIGHT = {"Origin": FRIEND, "Access-Control-Request-Method": "POST"}


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Host": "localhost"},
        {"Host": "LocalHost:1234"},
        {"Host": "[::1]:8765"},
        {"Host": "friend.example"},  # a proxy that hands on the name it was called by
        {"Origin": "http://127.0.0.1:8765"},
        {"Host": "[::1]:8765", "Origin": "http://[::1]:8765"},
        {"Host": "localhost", "Origin": "http://localhost"},
        {"Host": "localhost:80", "Origin": "http://localhost"},
        {"Sec-Fetch-Site": "same-origin", "Sec-Fetch-Mode": "cors"},
        {"Sec-Fetch-Site": "none", "Sec-Fetch-Mode": "navigate"},
        {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate"},  # a link to the page
    ],
    ids=lambda headers: " ".join(headers.values()) or "none",
)
def test_our_own_pages_and_programs_are_answered(guarded: Guarded, headers: dict[str, str]) -> None:
    answer = guarded.ask("GET", "/health", headers=headers)
    assert answer.status_code == 200, answer.text
    assert not [name for name in answer.headers if name.startswith("access-control")]


@pytest.mark.parametrize(
    "headers",
    [
        {"Host": "evil.example"},
        {"Host": "evil.example:8765"},
        {"Host": "127.0.0.1.evil.example:8765"},
        {"Host": "127.0.0.1@evil.example"},
        {"Host": ""},
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Origin": "http://127.0.0.1:3000"},
        {"Origin": "https://127.0.0.1:8765"},
        {"Origin": "https://friend.example.evil.example"},
        {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "no-cors"},
        {"Sec-Fetch-Site": "same-site", "Sec-Fetch-Mode": "no-cors"},
    ],
    ids=lambda headers: " ".join(headers.values()),
)
def test_other_pages_and_names_are_turned_away(guarded: Guarded, headers: dict[str, str]) -> None:
    answer = guarded.ask("GET", "/collections", "search", headers=headers)
    assert (answer.status_code, answer.json()["error"]["code"]) in [(403, "host"), (403, "origin")]
    assert not [name for name in answer.headers if name.startswith("access-control")]


def test_listed_origin_may_read_answers_and_refusals(guarded: Guarded) -> None:
    for key, status in (("search", 200), (None, 401)):
        answer = guarded.ask("GET", "/collections", key, headers={"Origin": FRIEND})
        assert answer.status_code == status
        assert answer.headers["access-control-allow-origin"] == FRIEND
        assert answer.headers["vary"] == "Origin"
        assert "access-control-allow-credentials" not in answer.headers


def test_preflight_of_a_listed_origin_needs_no_key(guarded: Guarded) -> None:
    answer = guarded.ask("OPTIONS", "/search", headers=PREFLIGHT)
    assert (answer.status_code, answer.content) == (204, b"")
    assert answer.headers["access-control-allow-origin"] == FRIEND
    assert "Authorization" in answer.headers["access-control-allow-headers"]


def test_preflight_of_any_other_origin_is_refused(guarded: Guarded) -> None:
    for origin in ("https://evil.example", "null", FRIEND.upper(), FRIEND + "."):
        answer = guarded.ask("OPTIONS", "/search", headers={**PREFLIGHT, "Origin": origin})
        assert answer.status_code == 403
        assert "access-control-allow-origin" not in answer.headers


@pytest.mark.parametrize(
    ("origin", "place"),
    [
        ("https://a.example", ("a.example", 443)),
        ("http://A.example:8080", ("a.example", 8080)),
        ("http://[::1]", ("::1", 80)),
        ("null", None),
        ("file://", None),
        ("ftp://a.example", None),
        ("http://a.example/path", None),
        ("http://user@a.example", None),
        ("http://", None),
    ],
)
def test_place_of_an_origin(origin: str, place: tuple[str, int] | None) -> None:
    assert place_of(origin) == place


@given(st.text(alphabet=st.sampled_from("htps:/.@[]a1%\\\n*é"), max_size=30))
def test_place_of_any_text_is_a_place_or_none(text: str) -> None:
    for origin in (text, f"http://{text}", f"https://{text}"):
        place = place_of(origin)
        if place is not None:
            name, port = place
            assert origin.lower().split("://")[1].strip("[]").startswith(name)
            assert 0 <= port < 100_000


@pytest.mark.parametrize("wrong", ["*", "null", "a.example", "https://a.example/", "https://*.x"])
def test_setting_takes_exact_origins_only(home: object, wrong: str) -> None:
    with pytest.raises(UsageError, match="no origin as browsers send it"):
        Settings.load(flags={"allowed_origins": wrong})
    create_app(Settings.load(flags={"allowed_origins": "https://a.example"}))
