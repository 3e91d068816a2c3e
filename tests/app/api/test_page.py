"""The page's files: types, policy, caching; nothing else is served from its folder."""

import re
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

import app.web
from app.api.guard.headers import PAGE_POLICY

FOLDER = Path(app.web.__file__).parent
PAGE = (FOLDER / "index.html").read_text(encoding="utf-8")


def test_page_is_served_with_a_policy_that_lets_nothing_else_load(client: TestClient) -> None:
    answer = client.get("/?q=anything")
    assert (answer.status_code, answer.text) == (200, PAGE)
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert answer.headers["content-security-policy"] == PAGE_POLICY
    assert "default-src 'self'" in PAGE_POLICY
    assert "unsafe" not in PAGE_POLICY
    assert answer.headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("main.js", "text/javascript; charset=utf-8"),
        ("style.css", "text/css; charset=utf-8"),
        ("icon.svg", "image/svg+xml"),
    ],
)
def test_file_of_the_page_is_sent_once_per_version(
    client: TestClient, name: str, kind: str
) -> None:
    first = client.get(f"/web/{name}")
    assert (first.status_code, first.headers["content-type"]) == (200, kind)
    assert first.content == (FOLDER / name).read_bytes()
    again = client.get(f"/web/{name}", headers={"if-none-match": first.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
    assert again.headers["cache-control"] == "no-cache"


@pytest.mark.parametrize(
    "path", ["index.html", "files.py", "__init__.py", "..%2ffiles.py", "%2e%2e/files.py", "x" * 200]
)
def test_nothing_else_is_served_from_the_folder(client: TestClient, path: str) -> None:
    assert client.get(f"/web/{path}").status_code in (404, 422)


def test_everything_the_page_names_is_there(client: TestClient) -> None:
    """Files in index.html, and modules that modules import."""
    named = set(re.findall(r'(?:href|src)="(/web/[^"]+)"', PAGE))
    for module in FOLDER.glob("*.js"):
        text = module.read_text(encoding="utf-8")
        named |= {f"/web/{name}" for name in re.findall(r'from "\./([^"]+)"', text)}
    assert len(named) > 10
    assert {client.get(path).status_code for path in named} == {200}


def test_page_has_no_inline_script_or_style_and_makes_no_markup_from_strings() -> None:
    assert re.findall(r"<script(?![^>]* src=)|<style|\son\w+=|\sstyle=", PAGE) == []
    for module in FOLDER.glob("*.js"):
        text = module.read_text(encoding="utf-8")
        unsafe = (
            r"\.(inner|outer)HTML|insertAdjacentHTML|document\.write|DOMParser|\beval\(|Function\("
        )
        assert re.findall(unsafe, text) == [], module.name


def test_page_asks_no_other_site() -> None:
    for file in FOLDER.iterdir():
        if file.suffix in (".html", ".css", ".js"):
            urls = re.findall(r"(?:https?:)?//[a-z][\w.-]*\.[a-z]{2,}", file.read_text("utf-8"))
            assert urls == [], file.name
