import pytest

from indexer.types import ParsedDocument

from ..conftest import Parse

PYTHON = '''"""Module."""
import os

# Says hello.
@decorated
def greet(name):
    return f"ü {name}"


class Duck:
    """A bird."""

    sound = "quack"

    def quack(self):
        def inner():
            pass
        return self.sound

    tail = 1


CONSTANT = 3
'''


def sections(document: ParsedDocument) -> list[tuple[int, str, str]]:
    return [
        (block.level, block.heading, document.text[block.start : block.end].strip().split("\n")[0])
        for block in document.blocks
    ]


def test_python_definitions_open_sections_with_comments_and_decorators(parse: Parse) -> None:
    (document,) = parse("a.py", PYTHON)
    assert document.text == PYTHON
    assert document.format == "python"
    assert sections(document) == [
        (1, "", '"""Module."""'),
        (1, "greet", "# Says hello."),
        (1, "Duck", "class Duck:"),
        (2, "quack", "def quack(self):"),
        (2, "", "tail = 1"),
        (1, "", "CONSTANT = 3"),
    ]


@pytest.mark.parametrize(
    ("name", "source", "expected"),
    [
        (
            "a.ts",
            "export class A<T> {\n  run(): void {}\n}\nexport const f = (x: T) => x;\nlet y = 1;\n",
            [(1, "A"), (2, "run"), (1, "f"), (1, "")],
        ),
        (
            "a.go",
            "package a\n\n// T is.\ntype T struct{}\n\nfunc (t T) M() {}\nfunc F() {}\n",
            [(1, ""), (1, "T"), (1, "M"), (1, "F")],
        ),
        (
            "A.java",
            "package a;\npublic class A {\n  int x;\n  A() {}\n  void m() {}\n}\n",
            [(1, ""), (1, "A"), (2, "A"), (2, "m")],
        ),
        (
            "a.rs",
            "/// Doc.\npub struct S;\nimpl S {\n    fn m(&self) {}\n}\nfn main() {}\n",
            [(1, "S"), (1, "S"), (2, "m"), (1, "main")],
        ),
        (
            "a.c",
            "#include <x.h>\nstruct p { int x; };\nstatic int f(int a) { return a; }\n",
            [(1, ""), (1, "p"), (1, "f")],
        ),
        (
            "a.cpp",
            "namespace n {\nclass C {\n  void m() {}\n};\ntemplate <class T> T g(T t) {}\n}\n",
            [(1, "n"), (2, "C"), (3, "m"), (2, "g")],
        ),
        ("a.rb", "def a\nend\n\nclass B\nend\n", [(1, "a"), (1, "B")]),
        ("a.sh", "#!/bin/sh\nf() {\n  :\n}\n", [(1, "f")]),
        ("a.toml", "x = 1\n[tool.a]\ny = 2\n", [(1, "tool.a")]),
        ("a.sql", "CREATE TABLE IF NOT EXISTS users (id int);\n", [(1, "users")]),
        ("a.yml", "on: push\njobs:\n  x: 1\n", [(1, "on"), (1, "jobs")]),
    ],
)
def test_code_definitions_by_language(
    parse: Parse, name: str, source: str, expected: list[tuple[int, str]]
) -> None:
    (document,) = parse(name, source)
    assert [(level, heading) for level, heading, _ in sections(document)] == expected


def test_code_with_syntax_errors_still_gives_its_text(parse: Parse) -> None:
    source = "def ok():\n    pass\n\ndef broken(:\n  ((((\nclass\n"
    (document,) = parse("a.py", source)
    assert document.text == source
    assert document.blocks[0].heading == "ok"


def test_code_without_the_grammars_falls_back_to_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    from indexer.documents.readers import code, grammars
    from indexer.documents.readers.base import Source

    monkeypatch.setattr(grammars, "find_spec", lambda _name: None)
    (document,) = code.parse(PYTHON.encode(), Source("python", 10_000))
    assert [block.heading for block in document.blocks] == ["greet", "Duck"]


def test_code_nested_thousands_deep_does_not_crash(parse: Parse) -> None:
    source = "".join(f"{' ' * n}class C{n}:\n" for n in range(900)) + " " * 900 + "pass\n"
    assert parse("a.py", source)[0].text == source
    assert parse("a.js", "(" * 20_000)[0].format == "javascript"


def test_code_without_any_definition_is_read_whole(parse: Parse) -> None:
    """A script of plain commands matched nothing, and the empty list was zipped with one end."""
    text = "#!/bin/sh\nset -e\necho done\n"
    (document,) = parse("deploy.sh", text)
    assert (document.text, document.blocks) == (text, ())


def test_shell_functions_of_both_spellings_open_sections(parse: Parse) -> None:
    (document,) = parse(
        "build.sh", "set -e\nfunction initialize {\n  true\n}\nupload () {\n  false\n}\necho x ()\n"
    )
    assert [heading for _, heading, _ in sections(document)] == ["initialize", "upload"]
