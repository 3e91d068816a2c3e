"""Promises about the project as a whole: who imports what, versions, dependencies, commands."""

import ast
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

from indexer.version import __version__
from tests_support import run_cli

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = ("app", "indexer", "semsearch")
MODULES = sorted(path for package in PACKAGES for path in (ROOT / package).rglob("*.py"))
PROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))

# Where each heavy library may be imported, and only inside a function or under TYPE_CHECKING.
HEAVY = {
    "torch": ("indexer/embedding/", "indexer/reranking/"),
    "transformers": ("indexer/embedding/", "indexer/reranking/"),
    "faiss": ("indexer/storage/vectors",),
}
COMMANDS = [
    *(
        [name]
        for name in (
            "index",
            "search",
            "embed",
            "serve",
            "mcp",
            "judge",
            "bench",
            "eval",
            "plan",
            "report",
            "status",
            "config",
            "rm",
            "model",
            "key",
        )
    ),
    *(["model", name] for name in ("list", "pull", "optimise")),
    *(["key", name] for name in ("create", "list", "revoke")),
]


def named(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def imported(tree: ast.AST) -> Iterator[tuple[str, ast.stmt]]:
    """(top-level package, statement) of every absolute import below a node."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((alias.name.split(".")[0], node) for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.module.split(".")[0], node


def test_import_contract_is_kept() -> None:
    code = "import sys; from importlinter.cli import lint_imports; sys.exit(lint_imports())"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout
    assert "4 kept, 0 broken" in done.stdout


def test_import_contract_places_every_part() -> None:
    """A new package that no layer names would be free to import anything."""
    contract = PROJECT["tool"]["importlinter"]["contracts"][0]
    placed = {name for layer in contract["layers"] for name in layer.split(" | ")}
    placed |= {"indexer.version"}  # one constant that everything may read
    parts = {
        f"{package}.{path.stem}"
        for package in ("app", "indexer")
        for path in (ROOT / package).iterdir()
        if path.stem not in {"__init__", "__pycache__", "py"}
    }
    assert parts == placed - {"semsearch"}


@pytest.mark.parametrize("library", HEAVY)
def test_heavy_library_is_imported_late_and_in_its_place_only(library: str) -> None:
    users = []
    for path in MODULES:
        tree = ast.parse(path.read_text(encoding="utf-8"))
        at_import = {id(node) for node in tree.body}
        for name, statement in imported(tree):
            if name == library:
                users.append(named(path))
                assert id(statement) not in at_import, f"{named(path)} imports {library} at import"
    assert users
    assert [name for name in users if not name.startswith(HEAVY[library])] == []


def test_environment_is_read_by_the_settings_alone() -> None:
    users = {
        named(path)
        for path in MODULES
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Attribute) and node.attr in {"environ", "environb", "getenv"}
    }
    writers = {
        "app/threads.py"
    }  # for libraries that take their number of threads from nowhere else
    assert users == {"app/settings.py"} | writers


def test_nothing_that_runs_code_from_data_is_used() -> None:
    """No pickle, no `torch.load`, no remote code: models and collections are data, not programs."""
    for path in MODULES:
        tree = ast.parse(path.read_text(encoding="utf-8"))
        assert {name for name, _ in imported(tree)}.isdisjoint(
            {"pickle", "marshal", "shelve", "dill", "joblib", "cloudpickle"}
        ), named(path)
        for node in ast.walk(tree):
            if isinstance(node, ast.keyword) and node.arg in {"trust_remote_code", "allow_pickle"}:
                assert isinstance(node.value, ast.Constant), named(path)
                assert node.value.value is False, named(path)
            if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
                assert (node.value.id, node.attr) != ("torch", "load"), named(path)


def test_version_is_the_newest_in_the_changelog() -> None:
    text = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    headings = re.findall(r"^## (\S+)", text, re.MULTILINE)
    released = [heading for heading in headings if heading != "Unreleased"]
    assert headings[0] == "Unreleased"
    assert released[0] == __version__
    assert released == sorted(released, key=Version, reverse=True)


def direct_dependencies() -> dict[str, Requirement]:
    lists = [
        PROJECT["build-system"]["requires"],
        PROJECT["project"]["dependencies"],
        *PROJECT["project"]["optional-dependencies"].values(),
    ]
    found = [Requirement(text) for texts in lists for text in texts]
    return {canonicalize_name(item.name): item for item in found if item.name != "semsearch"}


def constraints() -> dict[str, Version]:
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    pairs = [line.split("==") for line in lines if not line.startswith("#")]
    assert len({canonicalize_name(name) for name, _ in pairs}) == len(pairs)
    return {canonicalize_name(name): Version(version) for name, version in pairs}


@pytest.mark.parametrize("name", direct_dependencies())
def test_constraints_pin_the_direct_dependency_inside_its_range(name: str) -> None:
    requirement, pinned = direct_dependencies()[name], constraints()
    assert name in pinned, f"constraints.txt has no version of {name}"
    assert pinned[name] in requirement.specifier


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_command_has_help_and_says_what_it_does(command: list[str]) -> None:
    ran = run_cli(*command, "--help")
    assert ran.code == 0
    usage, _, about = ran.out.strip().partition("\n")
    assert usage.startswith(f"Usage: semsearch {' '.join(command)} ")
    assert re.match(r"\s+[A-Z][^\n]{10,}", about)


def test_commands_listed_are_all_there_are() -> None:
    from typer.main import get_command

    from app.cli.main import app

    found: list[list[str]] = []

    def walk(command: Any, path: list[str]) -> None:
        for name, child in getattr(command, "commands", {}).items():
            found.append([*path, name])
            walk(child, found[-1])

    walk(get_command(app), [])
    assert sorted(found) == sorted(COMMANDS)
