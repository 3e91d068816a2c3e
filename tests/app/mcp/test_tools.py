"""The tools as an agent uses them, through the official client, in memory and over stdio."""

import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import anyio
import pytest
from mcp import StdioServerParameters
from mcp.client.client import Client
from mcp.client.stdio import stdio_client

from app.mcp.library import Library
from app.mcp.server import create_server
from app.search.collections import Collections
from app.search.models import Models
from app.search.service import SearchService
from app.settings import Settings
from indexer.errors import CorruptError
from tests_support import Indexed, clean_environment

Call = Callable[..., Any]


@pytest.fixture(scope="module")
def library(indexed: Indexed) -> Iterator[Library]:
    with clean_environment(indexed.home):
        settings = Settings.load()
    collections, models = Collections(settings), Models(settings)
    yield Library(settings, collections, SearchService(models.embedder_of, models.admit))
    collections.close()


@pytest.fixture(scope="module")
def call(library: Library) -> Call:
    """Call a tool through the official client; its result."""

    async def at_once(work: Callable[[], Any]) -> Any:
        return work()

    server = create_server(lambda _request: library, at_once)

    def asked(name: str, **arguments: Any) -> Any:
        async def ask() -> Any:
            async with Client(server) as client:
                return await client.call_tool(name, arguments)

        return anyio.run(ask)

    return asked


def text(result: Any) -> str:
    return "\n".join(block.text for block in result.content)


def test_every_tool_is_described_and_only_reads(library: Library) -> None:
    async def list_tools() -> Any:
        async with Client(create_server(lambda _request: library, None)) as client:  # type: ignore[arg-type]
            return (await client.list_tools()).tools

    tools = {tool.name: tool for tool in anyio.run(list_tools)}
    assert sorted(tools) == ["get", "multi_get", "query", "similar", "status"]
    for tool in tools.values():
        assert tool.description
        assert tool.annotations.read_only_hint
        assert not tool.annotations.open_world_hint
        assert tool.input_schema["additionalProperties"] is False


def test_query_finds_the_planted_document_first(call: Call, indexed: Indexed) -> None:
    result = call("query", query="why does dough get bigger?", limit=2)
    assert not result.is_error
    first, second = result.structured_content["results"]
    assert first["file"] == str(indexed.docs / "bread.md")
    assert first["title"] == "Bread"
    assert first["docid"].startswith("#")
    assert first["score"] > second["score"]
    assert f"{first['docid']} {first['file']}:{first['line']}" in text(result)
    assert result.structured_content["degraded"] is False


def test_query_pages_go_on(call: Call) -> None:
    whole = call("query", query="water", limit=4).structured_content["results"]
    first = call("query", query="water", limit=2).structured_content
    second = call("query", query="water", limit=2, cursor=first["next_cursor"]).structured_content
    assert [*first["results"], *second["results"]] == whole


def test_searches_are_put_together(call: Call, indexed: Indexed) -> None:
    searches = [
        {"type": "lex", "query": "yeast"},
        {"type": "vec", "query": "why does dough get bigger?"},
        {"type": "hyde", "query": "Yeast makes gas, and the dough rises."},
    ]
    found = call("query", searches=searches, limit=1).structured_content["results"]
    assert [one["file"] for one in found] == [str(indexed.docs / "bread.md")]
    assert found[0]["score"] == pytest.approx(3 / 61, abs=1e-4)


def test_query_with_a_filter_and_a_least_score(call: Call) -> None:
    found = call("query", query="water", where="type:md and not path:bread.md").structured_content
    assert {Path(one["file"]).name for one in found["results"]} == {"apple.md", "zh.md"}
    none = call("query", query="water", minScore=5.0)
    assert none.structured_content["results"] == []
    assert none.structured_content["next_cursor"] is None
    assert "Nothing found." in text(none)


def test_get_reads_lines_by_docid_and_by_path(call: Call, indexed: Indexed) -> None:
    lines = (indexed.docs / "bread.md").read_text().removesuffix("\n").split("\n")
    whole = call("get", file="bread.md").structured_content
    assert whole["text"].splitlines() == lines
    docid = whole["docid"]
    part = call("get", file=docid, fromLine=2, maxLines=1, lineNumbers=True)
    assert part.structured_content["text"] == f"2: {lines[1]}"
    beyond = call("get", file=docid, fromLine=99_999).structured_content
    assert (beyond["text"], beyond["lines"]) == ("", len(lines))


def test_multi_get_by_pattern_and_by_names(call: Call) -> None:
    by_pattern = call("multi_get", pattern="docs/*.md").structured_content["documents"]
    assert {Path(one["file"]).name for one in by_pattern} == {"apple.md", "bread.md"}
    result = call("multi_get", pattern="bread.md, nothing.md", maxBytes=5)
    long, missing = result.structured_content["documents"]
    assert "more than maxBytes = 5: read it with get" in long["skipped"]
    assert "No document is named 'nothing.md'" in missing["error"]


def test_similar_leaves_the_document_itself_out(call: Call) -> None:
    found = call("similar", file="bread.md", limit=3).structured_content["results"]
    names = [Path(one["file"]).name for one in found]
    assert len(names) == 3
    assert "bread.md" not in names


def test_status_lists_collections(call: Call, indexed: Indexed) -> None:
    result = call("status")
    (one,) = result.structured_content["collections"]
    assert (one["collection"], one["default"], one["documents"]) == ("default", True, 6)
    assert one["folders"] == [str(indexed.docs)]


@pytest.mark.parametrize(
    ("name", "arguments", "words"),
    [
        ("query", {"query": "x", "limitt": 3}, "limitt: Extra inputs are not permitted"),
        ("query", {}, "give either query or searches"),
        ("query", {"query": "x", "searches": [{"type": "lex", "query": "x"}]}, "either query or"),
        ("query", {"query": "x", "limit": 0}, "limit: "),
        ("query", {"searches": [{"type": "lex", "query": "x"}], "minScore": 1}, "minScore goes"),
        ("query", {"query": "  "}, "query is empty"),
        ("query", {"query": "x", "collections": ["nope"]}, "'nope'"),
        ("query", {"query": "x", "collections": ["../etc"]}, "collections.0"),
        ("query", {"query": "x", "where": "langauge:de"}, "Did you mean language?"),
        ("query", {"query": "x", "intent": "Find recipes"}, "takes no instruction"),
        ("get", {"file": "nothing.md"}, "No document is named"),
        ("get", {"file": "#999"}, "no document 999"),
        ("get", {"file": ".md"}, "No document is named"),
        ("similar", {"file": "../../etc/passwd"}, "No document is named"),
        ("multi_get", {"pattern": "*.exe"}, "No document matches"),
        ("status", {"x": 1}, "Parameters: none"),
        ("nothing", {}, "There are query, get, multi_get, similar, status"),
    ],
)
def test_what_cannot_be_done_is_said_in_the_result(
    call: Call, name: str, arguments: dict[str, Any], words: str
) -> None:
    result = call(name, **arguments)
    assert result.is_error
    assert words in text(result)


def test_over_stdio_with_the_installed_command(indexed: Indexed) -> None:
    """Nothing but the protocol reaches stdout, or the client could not read it."""
    program = ["-c", "from app.cli.main import main; main()"]
    root = str(Path(__file__).parents[3])
    server = StdioServerParameters(
        command=sys.executable,
        args=[*program, "mcp"],
        env={"SEMSEARCH_HOME": str(indexed.home), "PYTHONPATH": root},
    )

    async def ask() -> Any:
        async with Client(stdio_client(server)) as client:
            return await client.call_tool("query", {"query": "酵母", "mode": "lexical"})

    found = anyio.run(ask).structured_content["results"]
    assert [Path(one["file"]).name for one in found] == ["zh.md"]
    assert json.dumps(found)


def test_lines_are_those_that_hits_name() -> None:
    """A form feed ends no line for the chunker, but would for `splitlines`."""
    from types import SimpleNamespace

    from app.mcp.tools import _lines

    text = "one\ftwo\nthree\u2028four\n"
    document: Any = SimpleNamespace(text=text)
    assert _lines(document) == ["one\ftwo", "three\u2028four"]


def test_status_tells_of_a_collection_that_cannot_be_read(
    call: Call, library: Library, monkeypatch: pytest.MonkeyPatch
) -> None:
    get = library.collections.get
    monkeypatch.setattr(library.collections, "names", lambda: ["broken", "default"])

    def damaged(name: str | None = None) -> Any:
        if name == "broken":
            raise CorruptError("damaged")
        return get(name)

    monkeypatch.setattr(library.collections, "get", damaged)
    broken, whole = call("status").structured_content["collections"]
    assert broken == {"collection": "broken", "error": "damaged"}
    assert whole["documents"] == 6
