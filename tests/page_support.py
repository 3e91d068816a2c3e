"""The page in a real Chromium, against a real service over small collections."""

import os
import shutil
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import uvicorn

from app.api.application import create_app
from app.search.models import Models
from app.settings import Settings
from hash_runtime import HashRuntime
from indexer.embedding.embedder import Embedder
from indexer.embedding.local import LocalEmbedder
from indexer.embedding.spec import ModelSpec
from indexer.embedding.tokenizer import load_tokenizer
from tests_support import clean_environment, run_cli, write_docs

NAMES = ("chromium", "chromium-browser", "google-chrome-stable", "google-chrome")
EMOJI = "# Party 🎉\n\n🥳🥳 Balloons 🎈 and lanterns hang over the 🎂 table until midnight.\n"
PARAGRAPH = "Ships wait in the harbour until the tide lifts them over the bar, number {}.\n\n"


def chromium() -> str | None:
    """A Chromium of this machine; None where there is only playwright's own, or none."""
    return next((path for name in NAMES if (path := shutil.which(name))), None)


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """One browser for a module: playwright holds an event loop, which other tests must not meet."""
    api = pytest.importorskip("playwright.sync_api", reason="PAGE NOT TESTED: no playwright")
    with api.sync_playwright() as playwright:
        path = chromium()
        if path is None and not Path(playwright.chromium.executable_path).exists():
            pytest.skip(
                "PAGE NOT TESTED: there is no Chromium. Install one: `apt-get install chromium`, "
                "or `playwright install chromium`."
            )
        # Chromium's own sandbox does not run under root; what it opens here is our page.
        as_root = hasattr(os, "geteuid") and os.geteuid() == 0
        started = playwright.chromium.launch(
            executable_path=path, args=["--no-sandbox"] if as_root else []
        )
        yield started
        started.close()


def _open(_models: Models, spec: ModelSpec, dimension: int | None, *_: object) -> Embedder:
    """In place of `Models._open`: the page is tested, not the model."""
    return LocalEmbedder(spec, load_tokenizer(spec), HashRuntime(spec.hidden_size), dimension)


def index(home: Path, *arguments: str) -> None:
    """`semsearch index` into this home, with vectors that mean nothing."""
    with clean_environment(home), pytest.MonkeyPatch.context() as patch:
        patch.setattr(Models, "_open", _open)
        ran = run_cli("index", *arguments, "--model", "minilm")
        assert ran.code == 0, ran.err


@contextmanager
def serving(home: Path, **flags: Any) -> Iterator[str]:
    """The service over a home; gives its address."""
    with clean_environment(home):
        app = create_app(Settings.load(flags=flags))
    models = app.state.semsearch.models
    models._open = partial(_open, models)
    server = uvicorn.Server(uvicorn.Config(app, host="127.0.0.1", port=0, log_level="error"))
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        while not server.started:
            time.sleep(0.02)
        yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join()


@dataclass(frozen=True)
class Library:
    """A home with the collections `default` and `harbour`. Tests share it."""

    home: Path
    docs: Path

    @property
    def folder(self) -> Path:
        """Of the default collection."""
        return self.home / "collections" / "default"


@pytest.fixture(scope="session")
def library(tmp_path_factory: pytest.TempPathFactory) -> Library:
    root = tmp_path_factory.mktemp("library")
    docs = write_docs(root / "docs")
    (docs / "party.md").write_text(EMOJI, encoding="utf-8")
    front = "---\ntitle: The harbour book\ntags: [ships, draft]\n---\n"
    middle = "A lighthouse keeper paints the lantern red every spring.\n\n"
    pages = [PARAGRAPH.format(number) for number in range(120)]
    pages[60] = middle
    (docs / "harbour.md").write_text(front + "".join(pages), encoding="utf-8")
    for number in range(12):
        (docs / f"note{number:02}.md").write_text(
            f"# Note {number}\n\nA pebble on a beach.{number}"
        )
    index(root / "home", str(docs))
    index(root / "home", str(docs / "sub"), "-c", "harbour")
    return Library(root / "home", docs)


@pytest.fixture(scope="session")
def address(library: Library) -> Iterator[str]:
    with serving(library.home) as url:
        yield url


WATCH = """
window.__seen = [];
addEventListener("securitypolicyviolation", (event) =>
  window.__seen.push(`policy: ${event.violatedDirective} ${event.blockedURI} ${event.sample}`));
"""


@dataclass
class Watched:
    """A page, and everything that must not happen on it."""

    page: Any
    origin: str
    faults: list[str] = field(default_factory=list)

    def until(self, expression: str, arg: Any = None) -> None:
        """Wait until this is true; playwright's own way needs eval, which the page forbids."""
        end = time.monotonic() + 10
        while not self.page.evaluate(expression, arg):
            assert time.monotonic() < end, expression
            time.sleep(0.01)

    def go(self, address: str) -> None:
        """Be at another address of the page without loading it anew, as Back and Forward do."""
        self.page.evaluate(
            """(address) => {
              history.pushState(null, "", address);
              dispatchEvent(new PopStateEvent("popstate"));
            }""",
            address,
        )

    def check(self) -> None:
        """No script of a stranger ran, nothing was asked of another site, nothing failed."""
        assert self.faults == []
        assert self.page.evaluate("window.__seen") == []
        assert self.page.evaluate("typeof window.__xss") == "undefined"


@contextmanager
def watched_page(browser: Any, origin: str, **options: Any) -> Iterator[Watched]:
    context = browser.new_context(**options)
    context.set_default_timeout(10_000)
    page = context.new_page()
    watched = Watched(page, origin)
    page.add_init_script(WATCH)

    def dialog(shown: Any) -> None:
        watched.faults.append(f"dialog: {shown.message}")
        shown.dismiss()

    def asked(request: Any) -> None:
        if not request.url.startswith(f"{origin}/"):
            watched.faults.append(f"request: {request.url}")

    page.on("dialog", dialog)
    page.on("popup", lambda popup: watched.faults.append(f"popup: {popup.url}"))
    page.on("pageerror", lambda error: watched.faults.append(f"error: {error}"))
    page.on("request", asked)
    try:
        yield watched
        watched.check()
    finally:
        context.close()


@pytest.fixture
def watched(browser: Any, address: str) -> Iterator[Watched]:
    with watched_page(browser, address) as page:
        yield page
