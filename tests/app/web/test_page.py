"""What people do on the page, in a real browser."""

import json
import re
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest

from app.judging.store import read_judgements
from page_support import Library, Watched, serving, watched_page

pytestmark = pytest.mark.browser


def ask(page: Any, origin: str, query: str, **more: str) -> None:
    """Open the page with this question and wait for its answer."""
    page.goto(f"{origin}/?{urlencode({'q': query, **more})}")
    page.wait_for_selector(".hit, #state h2")


def names(page: Any) -> list[str]:
    return page.locator(".path b").all_inner_texts()


def parameters(page: Any) -> dict[str, list[str]]:
    return parse_qs(urlsplit(page.url).query)


def change_answers(page: Any, path: str, change: Any) -> None:
    """Let the real service answer, and change what it says."""

    def handle(route: Any) -> None:
        from playwright.sync_api import Error

        with suppress(Error):  # asked anew meanwhile: nobody waits for this answer
            answer = route.fetch()
            route.fulfill(response=answer, json=change(answer.json()))

    page.route(path, handle)


def refuse(page: Any, path: str, status: int, message: str, **headers: str) -> None:
    error = {"message": message, "type": "x", "param": None, "code": None}
    page.route(path, lambda r: r.fulfill(status=status, json={"error": error}, headers=headers))


def test_typing_searches_once_somebody_pauses(watched: Watched) -> None:
    page = watched.page
    bodies: list[dict[str, Any]] = []
    page.on(
        "request", lambda r: bodies.append(r.post_data_json) if r.url.endswith("/search") else None
    )
    page.goto(watched.origin)
    page.wait_for_selector("#state h2")
    assert page.locator("#state h2").inner_text() == "22 documents in 2 collections"
    page.keyboard.type("why does yeast make bread rise?", delay=10)
    page.wait_for_selector(".hit")
    assert bodies == [{"query": "why does yeast make bread rise?", "mode": "hybrid"}]
    assert names(page)[0] == "bread.md"
    assert parameters(page) == {"q": ["why does yeast make bread rise?"]}
    assert re.fullmatch(
        r"The best 10 documents, by meaning and words, in [\d.]+ m?s", page.inner_text("#summary")
    )
    assert page.title() == "why does yeast make bread rise? – semsearch"
    page.fill("#query", "")
    page.wait_for_selector("#state h2")
    assert page.locator(".hit").count() == 0


def test_slow_answer_to_an_older_question_is_not_shown(watched: Watched) -> None:
    page, held = watched.page, []

    def handle(route: Any) -> None:
        if route.request.post_data_json["query"] == "apple":
            held.append(route)
        else:
            route.continue_()

    page.route("**/search", handle)
    page.goto(watched.origin)
    page.fill("#query", "apple")
    watched.until("document.body.classList.contains('busy')")
    page.fill("#query", "yeast")
    page.wait_for_selector(".hit")
    assert names(page)[0] == "bread.md"
    assert held[0].request.failure  # cancelled: the service can stop working on it
    assert page.get_attribute("#results", "aria-busy") == "false"


def test_state_lies_in_the_address_and_back_undoes_it(watched: Watched) -> None:
    page = watched.page
    ask(page, watched.origin, "clock", mode="lexical", **{"in": "harbour"})
    assert names(page) == ["clock.txt"]
    assert page.is_checked("[value=lexical]")
    assert page.input_value("#collection") == "harbour"
    assert page.is_disabled("#instruction")
    page.check("[value=dense]")
    watched.until("document.querySelector('#summary').textContent.includes('by meaning')")
    page.select_option("#collection", "*")
    page.wait_for_selector(".where .tag")
    assert parameters(page) == {"q": ["clock"], "mode": ["dense"], "in": ["*"]}
    assert set(page.locator(".where .tag").all_inner_texts()) <= {"default", "harbour"}
    page.reload()
    page.wait_for_selector(".where .tag")
    page.go_back()
    watched.until("document.querySelectorAll('.where .tag').length === 0")
    page.go_back()
    watched.until("document.querySelector('#summary').textContent.includes('by words')")
    assert page.is_checked("[value=lexical]")


def test_matching_words_are_marked_behind_emoji(watched: Watched) -> None:
    page = watched.page
    ask(page, watched.origin, "lanterns midnight", mode="lexical")
    assert page.locator(".hit-link").first.inner_text() == "Party 🎉"
    assert page.locator(".snippet mark").all_inner_texts()[:2] == ["lanterns", "midnight"]
    page.click(".hit-link >> nth=0")
    page.wait_for_selector(".passage mark")
    assert page.locator(".passage.current mark").all_inner_texts() == ["lanterns", "midnight"]


def test_offsets_are_those_that_python_counts(watched: Watched) -> None:
    texts = ["", "plain", "é🎉x", "🎉🎉🎉", "a\u0301🏳️‍🌈b面", "\U0010ffff a \ufe0f"]
    cases = [[text, list(range(len(text), -1, -1)) + [len(text) + 3]] for text in texts]
    watched.page.goto(watched.origin)
    got = watched.page.evaluate(
        """async (cases) => {
          const { unitsOf } = await import("/web/text.js");
          return cases.map(([text, points]) => unitsOf(text, points));
        }""",
        cases,
    )
    assert got == [[len(text[:p].encode("utf-16-le")) // 2 for p in ps] for text, ps in cases]


def test_document_scrolls_to_the_passage_and_marks_it(watched: Watched, library: Library) -> None:
    page = watched.page
    ask(page, watched.origin, "lighthouse keeper lantern", mode="lexical")
    page.click("text=The harbour book")
    passage = page.wait_for_selector(".passage.current")
    assert "lighthouse keeper paints" in passage.inner_text()
    assert page.inner_text("#document-title") == "The harbour book"
    mark = page.locator(".passage.current mark").first
    box, frame = mark.bounding_box(), page.locator(".page").bounding_box()
    assert frame["y"] <= box["y"] <= frame["y"] + frame["height"]
    assert page.locator(".page").inner_text().count("number 3.") == 1  # the whole text is there
    assert page.evaluate("document.activeElement.className") == "page"
    assert "harbour.md" in page.inner_text("#document .path")
    page.click("text=2 properties")
    assert json.loads(page.inner_text("dt:has-text('tags') + dd")) == ["ships", "draft"]
    deep = page.url
    page.keyboard.press("Escape")
    watched.until("!location.search.includes('doc=')")
    assert parameters(page) == {"q": ["lighthouse keeper lantern"], "mode": ["lexical"]}
    page.goto(deep)  # a link to a passage works by itself
    page.wait_for_selector(".passage.current")


def test_long_document_is_shown_around_its_passage(watched: Watched) -> None:
    page = watched.page

    def lengthen(found: dict[str, Any]) -> dict[str, Any]:
        line = "A line of filling 🎉 text.\n"
        before = line * 1_200
        chunk = {**found["chunks"][0], "start": len(before), "end": len(before) + 6}
        return {**found, "text": f"{before}needle\n{line * 1_200}", "chunks": [chunk]}

    change_answers(page, "**/documents/*", lengthen)
    ask(page, watched.origin, "apples")
    page.click(".hit-link >> nth=0")
    page.wait_for_selector(".passage")
    assert page.inner_text(".passage") == "needle"

    def length() -> int:
        return page.evaluate("document.querySelector('.page').textContent.length")

    shown = length()
    assert 30_000 < shown < 60_000
    page.click("text=Show earlier text")
    page.click("text=Show later text")
    assert length() > shown + 15_000
    assert page.inner_text(".passage.current") == "needle"


def test_passage_that_is_gone_is_said_to_be(watched: Watched) -> None:
    page = watched.page
    page.goto(f"{watched.origin}/?q=apples&doc=1&chunk=99999&of=default")
    page.wait_for_selector("#document .notice")
    assert page.inner_text("#document .notice") == "The passage is not there any more."
    page.goto(f"{watched.origin}/?q=apples&doc=99999&of=default")
    page.wait_for_selector("#document [role=alert]")
    assert "99999" in page.inner_text("#document [role=alert]")


def test_similar_documents_lead_on(watched: Watched) -> None:
    page = watched.page
    ask(page, watched.origin, "bread and tea")
    page.click(".hit-link >> nth=0")
    page.wait_for_selector(".similar a")
    second = page.locator(".similar a").first.inner_text()
    page.click(".similar a >> nth=0")
    watched.until("t => document.querySelector('#document-title').innerText === t", second)
    page.go_back()
    watched.until("t => document.querySelector('#document-title').innerText !== t", second)


def test_everything_can_be_done_with_keys(watched: Watched, library: Library) -> None:
    page = watched.page
    ask(page, watched.origin, "yeast")
    page.keyboard.press("ArrowDown")

    def focused() -> str:
        return page.evaluate("document.activeElement.closest('.hit')?.dataset.rank ?? 'none'")

    assert focused() == "1"
    page.keyboard.press("j")
    assert focused() == "2"
    page.keyboard.press("k")
    page.keyboard.press("g")
    assert page.get_attribute("[data-rank='1'] [data-grade='1']", "aria-pressed") == "true"
    page.keyboard.press("g")
    page.keyboard.press("Enter")
    page.wait_for_selector(".passage")
    page.keyboard.press("n")
    page.keyboard.press("Escape")
    watched.until("!document.querySelector('#document').open")
    assert focused() == "1"  # back where one was
    page.keyboard.press("m")
    watched.until("document.querySelector('#summary').textContent.includes('by meaning,')")
    page.keyboard.press("?")
    assert page.is_visible("#key-list")
    page.click("#single-keys")
    page.keyboard.press("Escape")
    page.locator(".hit-link").first.focus()
    page.keyboard.press("j")
    assert focused() == "1"  # single letters are off
    page.keyboard.press("Escape")
    assert page.evaluate("document.activeElement.id") == "query"


def test_judgements_are_kept_and_shown_again(watched: Watched, library: Library) -> None:
    page = watched.page
    ask(page, watched.origin, "espresso")
    with page.expect_response("**/judgements") as answered:
        page.click(".hit >> nth=0 >> text=Good")
    assert answered.value.status == 200
    kept = read_judgements(library.folder)
    (grades,) = [kept.qrels[of] for of, text in kept.queries.items() if text == "espresso"]
    assert list(grades.values()) == [1]
    page.reload()
    page.wait_for_selector("[data-rank='1'] [data-grade='1'][aria-pressed=true]")
    with page.expect_response("**/judgements"):
        page.click(".hit >> nth=0 >> text=Good")
    assert read_judgements(library.folder).count == 0
    refuse(page, "**/judgements", 403, "This needs the scope write")
    page.click(".hit >> nth=0 >> text=Bad")
    page.wait_for_selector("#toast:visible")
    assert page.inner_text("#toast") == "Not kept: This needs the scope write"
    assert page.get_attribute("[data-rank='1'] [data-grade='0']", "aria-pressed") == "false"


def test_more_results_go_on_where_the_page_ended(watched: Watched) -> None:
    page = watched.page
    ask(page, watched.origin, "pebble beach", mode="lexical")
    assert page.locator(".hit").count() == 10
    page.click("#more")
    page.wait_for_selector("[data-rank='11']")
    found = names(page)
    assert len(found) == len(set(found)) == 12
    assert page.is_hidden("#more")
    assert page.inner_text("#summary").startswith("12 documents, by words")
    assert page.evaluate("document.activeElement.closest('.hit').dataset.rank") == "11"


def test_filter_error_stands_under_the_field(watched: Watched) -> None:
    page = watched.page
    message = "Filter, character 1, 'langauge': there is no such field."
    refuse(page, "**/search", 422, message)
    ask_body: list[Any] = []
    page.on(
        "request",
        lambda r: ask_body.append(r.post_data_json) if r.url.endswith("/search") else None,
    )
    page.goto(f"{watched.origin}/?q=tea&where=langauge:de")
    page.wait_for_selector("#where-error:visible")
    assert page.inner_text("#where-error") == message
    assert page.get_attribute("#where", "aria-invalid") == "true"
    assert ask_body[0] == {"query": "tea", "mode": "hybrid", "where": "langauge:de"}
    page.unroute("**/search")
    change_answers(page, "**/search", lambda _: {"error": {"message": "x"}})
    page.fill("#where", "")
    page.click("text=Markdown")
    assert page.input_value("#where") == "type:md"
    page.click("text=No drafts")
    assert page.input_value("#where") == "type:md and not tag:draft"
    page.click("text=Markdown")
    assert page.input_value("#where") == "not tag:draft"
    assert page.inner_text("#options-toggle").startswith("Options (1)")


def test_field_that_an_older_service_does_not_know_is_an_error_one_can_read(
    watched: Watched,
) -> None:
    page = watched.page
    refuse(page, "**/search", 422, "where: Extra inputs are not permitted")
    page.goto(f"{watched.origin}/?q=tea&rerank=1")
    page.wait_for_selector("[role=alert] >> text=where: Extra inputs are not permitted")


def test_degraded_answer_says_why(watched: Watched) -> None:
    page = watched.page
    reason = "the hub is out of reach"
    change = {"degraded": True, "degraded_reason": reason, "mode": "lexical"}
    change_answers(page, "**/search", lambda answer: {**answer, **change})
    ask(page, watched.origin, "tea")
    assert page.inner_text("#notice") == f"Only words were searched: {reason}"
    assert "by words only" in page.inner_text("#summary")


def test_wish_to_rerank_that_was_not_met_says_why(watched: Watched) -> None:
    page = watched.page
    page.goto(f"{watched.origin}/?q=yeast&rerank=1")
    page.wait_for_selector("#rerank-error:visible")
    assert "eranker" in page.inner_text("#rerank-error")
    counts: dict[str, Any] = {"reranked": 5, "candidates": 20, "skipped": 15, "reason": None}

    def cut_short(answer: dict[str, Any]) -> dict[str, Any]:
        answer["hits"][0]["parts"]["rerank"] = 0.87
        return {**answer, "rerank": counts}

    change_answers(page, "**/search", cut_short)
    ask(page, watched.origin, "yeast")
    assert "best 5 of 20" in page.inner_text("#notice")
    assert page.inner_text(".rerank >> nth=0").split() == ["reranked", "0.87"]
    counts["reason"] = "the reranker is out of reach"
    ask(page, watched.origin, "yeast bread")
    assert page.inner_text("#notice") == "Not reranked: the reranker is out of reach"


def test_filter_is_obeyed_and_a_wrong_one_explained(watched: Watched) -> None:
    page = watched.page
    ask(page, watched.origin, "espresso or bread", where="type:jsonl")
    assert set(names(page)) == {"rows.jsonl"}
    page.fill("#where", "type:jsonl and")
    page.wait_for_selector("#where-error:visible")
    assert page.inner_text("#where-error").startswith("The filter ends too early")
    page.fill("#where", "")
    page.wait_for_selector("text=Bread")
    assert page.is_hidden("#where-error")


def test_nothing_found_offers_ways_on(watched: Watched) -> None:
    page = watched.page
    ask(page, watched.origin, "zzzzqqqq", mode="lexical")
    assert page.inner_text("#state h2") == "Nothing found"
    assert "zzzzqqqq" in page.inner_text("#state p")
    page.get_by_role("button", name="Search by both").click()
    page.wait_for_selector(".hit")
    assert parameters(page) == {"q": ["zzzzqqqq"]}


def test_service_that_is_away_or_busy_can_be_asked_again(watched: Watched) -> None:
    page = watched.page
    page.route("**/search", lambda route: route.abort())
    page.goto(f"{watched.origin}/?q=tea")
    page.wait_for_selector("#state [role=alert] >> text=does not answer")
    page.unroute("**/search")
    refuse(page, "**/search", 429, "Too much to do. Ask again in 5 s.")
    page.click("text=Try again")
    page.wait_for_selector("#state [role=alert] >> text=Not just now")
    page.unroute("**/search")
    page.click("text=Try again")
    page.wait_for_selector(".hit")
    assert page.locator("#state *").count() == 0


def test_service_that_wants_a_key_is_given_one(watched: Watched) -> None:
    page = watched.page
    error = {"message": "This service asks for a key.", "type": "x", "param": None, "code": None}

    def guard(route: Any) -> None:
        if route.request.headers.get("authorization") == "Bearer s3cret":
            route.continue_()
        else:
            route.fulfill(status=401, json={"error": error})

    for path in ("search", "collections", "status", "judgements*", "documents/*"):
        page.route(f"**/{path}", guard)
    page.goto(f"{watched.origin}/?q=tea")
    page.wait_for_selector("#key-value:visible")
    page.fill("#key-value", "wrong")
    page.keyboard.press("Enter")
    watched.until("document.querySelector('#key-value').value === ''")
    page.fill("#key-value", "s3cret")
    page.keyboard.press("Enter")
    page.wait_for_selector(".hit")
    assert page.evaluate("sessionStorage.getItem('semsearch-key')") == "s3cret"
    assert page.evaluate("localStorage.length") == 0
    assert "s3cret" not in page.url


def test_status_shows_collections_and_a_run_as_it_goes(watched: Watched, library: Library) -> None:
    page = watched.page
    page.goto(f"{watched.origin}/?view=status")
    page.wait_for_selector(".card")
    assert "20 documents" in page.inner_text(".card >> nth=0")
    assert "all-MiniLM-L6-v2" in page.inner_text(".card >> nth=0")
    done = 0

    def running(status: dict[str, Any]) -> dict[str, Any]:
        nonlocal done
        done += 1
        progress = {"files_done": done, "files_total": 12, "chunks": 40, "tokens_per_s": 300.0}
        progress |= {"elapsed_s": 3.0, "eta_s": 90.0}
        status["collections"][0]["indexing"] = {"pid": 7, "progress": progress}
        status["cache"] = {"hits": 3, "misses": 1, "size_bytes": 2048}
        return status

    change_answers(page, "**/status", running)
    page.wait_for_selector("progress")
    text = page.inner_text(".indexing")
    assert text == "Indexing: 1 of 12 files, 300 tokens/s, about 2 min left"
    watched.until("document.querySelector('progress')?.value > 1")
    assert "2.0 KiB, 75 % of 4 found there" in page.inner_text(".status-body")
    page.click("#status >> text=Close")
    watched.until("location.search === ''")
    assert parameters(page) == {}


def test_home_without_collections_says_how_to_make_one(browser: Any, tmp_path: Path) -> None:
    with serving(tmp_path, model="minilm") as url, watched_page(browser, url) as watched:
        watched.page.goto(url)
        watched.page.wait_for_selector("text=No collection yet")
        assert "semsearch index ./docs" in watched.page.inner_text("#state")


@pytest.mark.parametrize("width", [320, 390, 768])
def test_nothing_is_wider_than_the_screen(watched: Watched, width: int) -> None:
    page = watched.page
    page.set_viewport_size({"width": width, "height": 640})

    def excess() -> int:
        return page.evaluate(
            """Math.max(0, ...[document.documentElement, ...document.querySelectorAll('dialog')]
              .map((e) => e.scrollWidth - e.clientWidth))"""
        )

    page.goto(f"{watched.origin}/?q=harbour&where={'a' * 200}")
    page.wait_for_selector("#where-error:visible")
    assert excess() == 0
    ask(page, watched.origin, "lighthouse keeper in a harbour")
    assert excess() == 0
    page.click(".hit-link >> nth=0")
    page.wait_for_selector(".passage")
    assert excess() == 0
    page.goto(f"{watched.origin}/?view=status")
    page.wait_for_selector(".card")
    assert excess() == 0


def test_back_leads_to_the_question_before(watched: Watched) -> None:
    page = watched.page
    page.goto(watched.origin)
    page.fill("#query", "apples")
    watched.until("document.title.startsWith('apples')")
    page.evaluate("performance.now = () => 1e9")  # somebody read for a while
    page.fill("#query", "espresso")
    watched.until("document.title.startsWith('espresso')")
    page.go_back()
    watched.until("document.querySelector('#query').value === 'apples'")
    page.wait_for_selector("text=Apples grow on trees")
    page.go_back()
    page.wait_for_selector("text=22 documents in 2 collections")
