"""What a person reads of an answer; hostile names and texts stay one harmless line each."""

from typing import Any

import pytest

from app.cli.hits import show


def chunk(number: int, text: str) -> dict[str, Any]:
    return {"id": number, "heading": "Part", "place": "", "text": text, "start_line": number}


def found(text: str, matches: list[list[int]], number: int = 7, start: int = 0) -> dict[str, Any]:
    cut = {"text": text[start:], "start": start, "matches": matches}
    return {"chunk": chunk(number, text), "snippet": cut}


def hit(**changed: Any) -> dict[str, Any]:
    document = {"path": "/docs/a.md", "member": "", "title": "A", "file": "same"}
    own = {"rank": 1, "score": 0.5, "collection": "one", "document": document, **found("text", [])}
    return own | {"before": [], "after": [], "more": [], "duplicates": []} | changed


def lines(capsys: pytest.CaptureFixture[str], *hits: Any, several: bool = False) -> list[str]:
    show(hits, several=several)
    return capsys.readouterr().out.splitlines()


def test_one_hit_is_two_lines(capsys: pytest.CaptureFixture[str]) -> None:
    shown = hit(**found("the heron  stands\nstill", [[4, 9]]))
    assert lines(capsys, shown) == [" 1. 0.500  /docs/a.md:7  Part", "    the *heron* stands still"]
    assert lines(capsys, hit(), several=True)[0] == " 1. 0.500  /docs/a.md:7  [one]  Part"


def test_neighbours_matches_and_duplicates_stand_below(capsys: pytest.CaptureFixture[str]) -> None:
    same = [{"id": i, "path": f"/docs/{i}.md", "member": "m" * (i == 1)} for i in range(5)]
    shown = hit(
        before=[chunk(6, "before")],
        after=[chunk(8, "after\nit")],
        more=[found("after\nit", [], 8), found("... far away", [], 90, start=4)],
        duplicates=same,
    )
    assert lines(capsys, shown)[1:] == [
        "    | before",
        "    text",
        "    | after it",
        "      :90  ... far away",
        "    same text: /docs/0.md, /docs/1.md#m, /docs/2.md, 2 more",
    ]


@pytest.mark.parametrize(
    ("state", "note"),
    [
        ("changed", "  (changed since it was indexed)"),
        ("missing", "  (no longer there)"),
        (None, ""),
    ],
)
def test_file_that_is_not_what_it_was_is_marked(
    capsys: pytest.CaptureFixture[str], state: str | None, note: str
) -> None:
    document = {"path": "/docs/a.md", "member": "", "title": "A", "file": state}
    assert lines(capsys, hit(document=document))[0].endswith(f"Part{note}")


def test_hostile_names_and_texts_are_escaped(capsys: pytest.CaptureFixture[str]) -> None:
    evil = "\x1b[2J\n9. 1.000 fake"
    document = {"path": f"/{evil}", "member": evil, "title": evil, "file": None}
    shown = lines(capsys, hit(document=document, **found(evil, [[0, 2]])))
    assert len(shown) == 2
    assert "\x1b" not in "".join(shown)
