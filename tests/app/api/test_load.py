"""The service under many clients while a writer commits (make load)."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest
import uvicorn

from app.api.application import create_app
from app.settings import Settings
from tests_support import Cli, write_docs

CLIENTS = 16
SECONDS = 60


@pytest.mark.load
def test_clients_get_whole_answers_while_a_writer_commits(cli: Cli, tmp_path: Path) -> None:
    """Every answer is a 200 whose first hit is a document that was stored, not half of one."""
    docs = write_docs(tmp_path / "docs")
    assert cli("index", str(docs), "--model", "minilm").code == 0
    app = create_app(Settings.load())
    server = uvicorn.Server(uvicorn.Config(app, host="127.0.0.1", port=0, log_level="error"))
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        while not server.started:
            time.sleep(0.02)
        port = server.servers[0].sockets[0].getsockname()[1]
        until = time.monotonic() + SECONDS
        with ThreadPoolExecutor(CLIENTS) as pool:
            asked = [pool.submit(_ask_until, port, until, number) for number in range(CLIENTS)]
            commits = 0
            while time.monotonic() < until:
                (docs / "flip.md").write_text(f"# Flip\n\nRound {commits} of the flipping file.\n")
                assert cli("index", str(docs)).code == 0
                commits += 1
            counts = [future.result() for future in asked]
        assert commits >= 10
        assert min(counts) >= 10
    finally:
        server.should_exit = True
        thread.join()


def _ask_until(port: int, until: float, number: int) -> int:
    """Ask over and over; the number of right answers. Raises at the first wrong one."""
    questions = [("what makes dough rise?", "bread.md"), ("fruit harvest", "apple.md")]
    query, name = questions[number % 2]
    mode = "dense" if number % 4 < 2 else "lexical"
    query = query if mode == "dense" else name.removesuffix(".md")
    answered = 0
    with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=60) as client:
        while time.monotonic() < until:
            answer = client.post("/search", json={"query": query, "mode": mode})
            assert answer.status_code == 200, answer.text
            first = answer.json()["hits"][0]
            assert Path(first["document"]["path"]).name == name
            assert first["chunk"]["text"]
            answered += 1
    return answered
