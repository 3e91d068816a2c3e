"""axe-core finds nothing on any view, light or dark, on a screen or a phone."""

from typing import Any

import pytest

from page_support import Watched, watched_page

pytestmark = pytest.mark.browser

VIEWS = {
    "start": ("/", "#state h2"),
    "results": ("/?q=yeast+sugar+bread", ".hit"),
    "options": (
        "/?q=yeast&instruct=Find+bread&where=type:md",
        "#where-error:visible, .hit, #state h2",
    ),
    "nothing": ("/?q=zzzzqqqq&mode=lexical", "#state h2"),
    "document": ("/?q=lighthouse&doc=3&chunk=7&of=default", "#document .page"),
    "status": ("/?view=status", ".card"),
}


@pytest.mark.parametrize(("scheme", "width"), [("light", 390), ("dark", 1100)])
def test_no_view_violates_a_rule(browser: Any, address: str, scheme: str, width: int) -> None:
    base = pytest.importorskip("axe_playwright_python.base", reason="PAGE NOT TESTED: no axe-core")
    # Reduced motion: colours are measured, and must not be half way.
    options = {"color_scheme": scheme, "reduced_motion": "reduce"}
    size = {"width": width, "height": 800}
    with watched_page(browser, address, viewport=size, **options) as watched:
        watched.page.goto(address)
        watched.page.evaluate(base.AXE_SCRIPT)
        found = {}
        for name, (path, ready) in VIEWS.items():
            watched.go(path)
            watched.page.wait_for_selector(ready)
            found[name] = violations(watched)
        watched.go("/")
        watched.page.click("#open-help")
        found["help"] = violations(watched)
        assert found == dict.fromkeys(found, [])


def violations(watched: Watched) -> list[str]:
    results = watched.page.evaluate("axe.run(document, { resultTypes: ['violations'] })")
    return [
        f"{one['id']}: {[node['html'][:200] for node in one['nodes']]}"
        for one in results["violations"]
    ]
