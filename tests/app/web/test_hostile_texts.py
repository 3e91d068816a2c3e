"""Texts, titles, paths, metadata and queries that want to be a script: none may run."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

import pytest

from page_support import Watched, index, serving, watched_page

pytestmark = pytest.mark.browser

COUNT = 200
RUN = "window.__xss=1"
MANY = COUNT + COUNT // 10  # documents
FOREIGN = "script, iframe, img, object, embed, form, base, meta, link, style, math, [onload]"
# Both run in the page: a round trip for each payload would take minutes.
OPEN_EACH = """async (addresses) => {
  const soon = () => new Promise((resolve) => setTimeout(resolve, 2));
  const panel = document.querySelector("#document");
  let opened = 0;
  for (const address of addresses) {
    history.pushState(null, "", address);
    dispatchEvent(new PopStateEvent("popstate"));
    for (let i = 0; i < 2000 && panel.querySelector(".passage") === null; i++) await soon();
    panel.querySelectorAll(".metadata").forEach((each) => { each.open = true; });
    opened += Number(panel.querySelector(".passage") !== null);
  }
  return opened;
}"""
ASK_EACH = """async (addresses) => {
  const soon = () => new Promise((resolve) => setTimeout(resolve, 2));
  const results = document.querySelector("#results");
  const asked = [];
  for (const address of addresses) {
    history.pushState(null, "", address);
    dispatchEvent(new PopStateEvent("popstate"));
    for (let i = 0; i < 2000 && results.getAttribute("aria-busy") === "true"; i++) await soon();
    asked.push(document.querySelector("#query").value);
  }
  return asked;
}"""
TAGS = ("script", "svg", "img", "iframe", "body", "math", "details", "video", "style", "object")
EVENTS = ("onload", "onerror", "onclick", "onfocus", "onmouseover", "ontoggle", "onanimationstart")
LINKS = (
    f"javascript:{RUN}",
    f"JaVaScRiPt:{RUN}",
    f"java\tscript:{RUN}",
    f"\x01javascript:{RUN}",
    f"javascript&colon;{RUN}",
    f"data:text/html,<script>{RUN}</script>",
    f"vbscript:{RUN}",
    "//evil.example/x.js",
)
WHOLE = (
    f"<script>{RUN}</script>",
    f"</script><script>{RUN}</script>",
    f"</title><script>{RUN}</script>",
    f"</textarea><script>{RUN}</script>",
    f"--><script>{RUN}</script><!--",
    f"]]><script>{RUN}</script>",
    f"<scr<script>ipt>{RUN}</scr</script>ipt>",
    f"<SCRIPT SRC=//evil.example/x.js></SCRIPT>{RUN}",
    f'"><script>{RUN}</script>',
    f"'><script>{RUN}</script>",
    f"`><script>{RUN}</script>",
    f"';{RUN};//",
    f'";{RUN};//',
    f"\\';{RUN};//",
    f"${{{RUN}}}",
    f"{{{{constructor.constructor('{RUN}')()}}}}",
    f"#{{{RUN}}}",
    f"<%= {RUN} %>",
    f"&lt;script&gt;{RUN}&lt;/script&gt;",
    f"\\u003cscript\\u003e{RUN}\\u003c/script\\u003e",
    f"%3Cscript%3E{RUN}%3C/script%3E",
    f"＜script＞{RUN}＜/script＞",
    f"<script>{RUN}</script>\u202e\u2066",
    f"\ufeff<script>{RUN}</script>",
    f"<\u200bscript>{RUN}</script>",
    f"🎉<img src=x onerror={RUN}>🎉",
    f"<svg><script>{RUN}</script></svg>",
    f"<svg><a xlink:href=javascript:{RUN}><text y=9>x</text></a></svg>",
    f"<math><mi xlink:href='data:x,<script>{RUN}</script>'>",
    f"<noscript><p title='</noscript><img src=x onerror={RUN}>'>",
    f"<template><script>{RUN}</script></template>",
    "<link rel=stylesheet href=//evil.example/x.css>",
    "<base href=//evil.example/>",
    "<meta http-equiv=refresh content='0;url=//evil.example/'>",
    "<form action=//evil.example/><button autofocus>x",
    "<style>@import '//evil.example/x.css';</style>",
    "<div style='background:url(//evil.example/x)'>",
    f"<iframe srcdoc='<script>parent.{RUN}</script>'>",
    f"<object data='data:text/html,<script>{RUN}</script>'>",
    f"<embed src=javascript:{RUN}>",
    f"<isindex type=image src=1 onerror={RUN}>",
    f"<input autofocus onfocus={RUN}>",
    f"<marquee onstart={RUN}>",
    f"<a href=javascript:{RUN}>click</a>",
    f"[click](javascript:{RUN})",
    f"![x](x' onerror='{RUN})",
    f"__proto__ constructor <img src=x onerror={RUN}>",
)


def payloads() -> list[str]:
    made = list(WHOLE)
    made += [f"<{tag} {event}={RUN} src=x autofocus>" for tag in TAGS for event in EVENTS]
    made += [f"<{tag}/{event}='{RUN}'/x" for tag in TAGS[:6] for event in EVENTS[:6]]
    made += [f'<a href="{link}">' for link in LINKS]
    made += [f'" {event}="{RUN}" x="' for event in EVENTS]
    made += [f"' {event}='{RUN}' x='" for event in EVENTS]
    made += [f"<img src=`x` {event}={RUN}//" for event in EVENTS]
    made += [f"<{tag}>{quote(RUN)}</{tag}>{link}" for tag in TAGS[:3] for link in LINKS]
    return list(dict.fromkeys(made))[:COUNT]


PAYLOADS = payloads()


def write_hostile(folder: Path) -> None:
    """Each payload as text, heading, title, metadata, name of a file, and id inside a file."""
    folder.mkdir()
    for number, payload in enumerate(PAYLOADS):
        name = payload.replace("/", "∕").replace("\0", "")  # a slash that is none
        written, key = json.dumps(payload), json.dumps(f"k{payload}")
        front = f"---\ntitle: {written}\n{key}: {written}\n---\n"
        text = f"{front}# {payload}\n\nmarker{number} anchor {payload}\n"
        (folder / f"{number:03} {name}.md").write_text(text, encoding="utf-8")
    rows = ({"_id": p, "title": p, "text": f"anchor {p}"} for p in PAYLOADS[::10])
    lines = "".join(json.dumps(row) + "\n" for row in rows)
    (folder / "<img src=x onerror=window.__xss=1>.jsonl").write_text(lines)


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The home of a collection of such documents."""
    root = tmp_path_factory.mktemp("hostile")
    write_hostile(root / "docs")
    index(root / "home", str(root / "docs"))
    return root / "home"


@pytest.fixture(scope="module")
def few(hostile: Path) -> Iterator[str]:
    """A service that shows few hits: many questions are asked of it."""
    with serving(hostile, k=3) as url:
        yield url


@pytest.fixture
def watched(browser: Any, few: str) -> Iterator[Watched]:
    with watched_page(browser, few) as page:
        yield page


def test_there_are_as_many_payloads_as_promised() -> None:
    assert len(PAYLOADS) == COUNT == len(set(PAYLOADS))


def test_hostile_documents_are_shown_as_what_they_are(browser: Any, hostile: Path) -> None:
    """All on one page, then each one opened with its metadata."""
    with serving(hostile, k=MANY) as url, watched_page(browser, url) as watched:
        page = watched.page
        page.goto(f"{url}/?q=anchor&mode=lexical")
        page.wait_for_selector(".hit")
        assert page.locator(".hit").count() == MANY
        assert page.evaluate("document.querySelector('#hits').innerText").count(RUN) > COUNT
        assert page.locator("#hits").locator(FOREIGN).count() == 0
        hrefs = page.evaluate("[...document.querySelectorAll('a')].map((a) => a.href)")
        assert [href for href in hrefs if not href.startswith(f"{url}/")] == []
        links = page.evaluate(
            "[...document.querySelectorAll('#hits .hit-link')].map((a) => a.getAttribute('href'))"
        )
        watched.go("/")
        assert page.evaluate(OPEN_EACH, [link.replace("q=anchor&", "") for link in links]) == MANY
        assert page.locator("#document").locator(FOREIGN).count() == 0


def test_hostile_queries_are_asked_and_shown_as_what_they_are(watched: Watched) -> None:
    """With hits, and repeated in the sentence that says that there are none."""
    watched.page.goto(watched.origin)
    for asked in (PAYLOADS, [f"{payload}zzqq" for payload in PAYLOADS[::4]]):
        addresses = [f"/?{urlencode({'q': query, 'mode': 'lexical'})}" for query in asked]
        assert watched.page.evaluate(ASK_EACH, addresses) == [query.strip() for query in asked]


def test_hostile_filters_collections_and_ids_come_back_as_text(watched: Watched) -> None:
    """What the service repeats in its errors, and what an address holds for every control."""
    page = watched.page
    page.goto(watched.origin)
    names = ("where", "instruct", "in", "mode", "doc", "chunk", "of", "view", "rerank")
    addresses = [
        f"/?{urlencode({'q': 'anchor', 'mode': 'lexical', name: payload})}"
        for number, payload in enumerate(PAYLOADS)
        for name in (names[number % len(names)],)
    ]
    page.evaluate(ASK_EACH, addresses)
    for payload in PAYLOADS[:COUNT:20]:
        page.goto(f"{watched.origin}/?{urlencode({'q': 'anchor', 'where': payload})}")
        page.wait_for_selector("#where-error:visible, .hit, #state h2")


def test_hostile_text_can_be_typed(watched: Watched) -> None:
    page = watched.page
    page.goto(watched.origin)
    for payload in PAYLOADS[::40]:
        page.fill("#query", payload)
        page.keyboard.press("Enter")
        watched.until("(payload) => document.title.startsWith(payload.slice(0, 5))", payload)
    assert page.title() == f"{PAYLOADS[160]} – semsearch"
