"""The wheel: what it holds, and that it works installed alone, away from the checkout."""

import json
import os
import subprocess
import sys
import sysconfig
import tarfile
import venv
import zipfile
from dataclasses import dataclass
from email.parser import Parser
from pathlib import Path

import pytest

from indexer.version import __version__

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = ("app", "indexer", "semsearch")
INFO = f"semsearch-{__version__}.dist-info"
METADATA = {f"{INFO}/{name}" for name in ("METADATA", "RECORD", "WHEEL", "entry_points.txt")}


def build(target: str, source: Path, out: Path) -> Path:
    """Build with the project's own backend; needs no network."""
    command = [sys.executable, "-m", "hatchling", "build", "-t", target, "-d", str(out)]
    subprocess.run(command, cwd=source, check=True, capture_output=True, text=True)
    (built,) = out.iterdir()
    return built


def names_in(wheel: Path) -> set[str]:
    with zipfile.ZipFile(wheel) as archive:
        return set(archive.namelist())


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build("wheel", ROOT, tmp_path_factory.mktemp("wheel"))


@dataclass(frozen=True)
class Installed:
    """An environment that holds the wheel and, read-only, the libraries of this one."""

    folder: Path
    home: Path
    empty: Path

    @property
    def scripts(self) -> Path:
        return self.folder / ("Scripts" if os.name == "nt" else "bin")

    def run(self, *command: str) -> subprocess.CompletedProcess[str]:
        ours = ("SEMSEARCH_", "HF_", "XDG_", "PYTHON")
        clean = {name: value for name, value in os.environ.items() if not name.startswith(ours)}
        return subprocess.run(
            [str(self.scripts / command[0]), *command[1:]],
            cwd=self.empty,
            env={**clean, "SEMSEARCH_HOME": str(self.home), "HF_HUB_OFFLINE": "1"},
            capture_output=True,
            text=True,
            check=False,
        )


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Installed:
    root = tmp_path_factory.mktemp("installed")
    folder, empty = root / "environment", root / "empty"
    empty.mkdir()
    venv.create(folder, symlinks=os.name != "nt", with_pip=False)
    new = Installed(folder, root / "home", empty)
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check"]
    target = ["--python", str(new.scripts / "python")]
    install = ["install", "--no-deps", "--no-index", str(wheel)]
    subprocess.run([*pip, *target, *install], check=True, capture_output=True, text=True)
    # A folder named in a .pth file is searched, but .pth files inside it are not obeyed: the
    # libraries are found, an editable install of the checkout is not.
    base = {"base": str(folder), "platbase": str(folder)}
    site = Path(sysconfig.get_path("purelib", "venv", base))
    libraries = {sysconfig.get_path("purelib"), sysconfig.get_path("platlib")}
    (site / "libraries.pth").write_text("\n".join(sorted(libraries)) + "\n")
    return new


def test_wheel_holds_exactly_the_packages_and_the_migrations(wheel: Path) -> None:
    expected = METADATA | {f"{INFO}/licenses/LICENSE"}
    for package in PACKAGES:
        files = (path for path in (ROOT / package).rglob("*") if path.is_file())
        expected |= {path.relative_to(ROOT).as_posix() for path in files}
    migrations = (path for path in (ROOT / "alembic").rglob("*") if path.is_file())
    expected |= {
        f"indexer/storage/migrations/{path.relative_to(ROOT / 'alembic').as_posix()}"
        for path in migrations
    }
    assert names_in(wheel) == {name for name in expected if "__pycache__" not in name}


def test_wheel_holds_what_must_never_be_missing(wheel: Path) -> None:
    """By name, so that a file lost from the checkout is noticed too."""
    names = names_in(wheel)
    migrations = "indexer/storage/migrations"
    assert {f"{package}/py.typed" for package in PACKAGES} <= names
    assert {f"{migrations}/env.py", f"{migrations}/versions/0001_first_schema.py"} <= names
    assert not [name for name in names if name.startswith(("tests/", "data/", "alembic/"))]


def test_wheel_metadata_names_command_license_and_extras(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        metadata = Parser().parsestr(archive.read(f"{INFO}/METADATA").decode())
        scripts = archive.read(f"{INFO}/entry_points.txt").decode()
        licence = archive.read(f"{INFO}/licenses/LICENSE").decode()
    assert (metadata["Name"], metadata["Version"]) == ("semsearch", __version__)
    assert metadata["License-Expression"] == "Apache-2.0"
    assert metadata["Requires-Python"] == "<3.14,>=3.11"
    for_users = {
        "all",
        "code",
        "eval",
        "html",
        "mcp",
        "minilm",
        "office",
        "offload",
        "pdf",
        "redis",
    }
    assert set(metadata.get_all("Provides-Extra", [])) == for_users | {"dev", "test"}
    assert "semsearch = app.cli.main:main" in scripts.splitlines()
    assert "Apache License" in licence


def test_wheel_from_source_archive_is_the_same(wheel: Path, tmp_path: Path) -> None:
    archive = build("sdist", ROOT, tmp_path / "sdist")
    with tarfile.open(archive) as opened:
        opened.extractall(tmp_path / "source", filter="data")
    (source,) = (tmp_path / "source").iterdir()
    assert (source / "tests" / "test_packaging.py").is_file()
    assert names_in(build("wheel", source, tmp_path / "again")) == names_in(wheel)


def test_wheel_installed_alone_imports_nothing_from_the_checkout(installed: Installed) -> None:
    code = (
        "import sys, json, app, indexer, semsearch\n"
        "from indexer.storage.migrate import migrations_folder\n"
        "places = [app.__file__, indexer.__file__, semsearch.__file__, str(migrations_folder())]\n"
        "print(json.dumps({'places': places, 'path': sys.path}))"
    )
    ran = installed.run("python", "-c", code)
    assert ran.returncode == 0, ran.stderr
    seen = json.loads(ran.stdout)
    assert all(Path(place).is_relative_to(installed.folder) for place in seen["places"])
    assert str(ROOT) not in seen["path"]


def test_wheel_installed_alone_indexes_and_searches(installed: Installed, tmp_path: Path) -> None:
    """Migrations, the parsing child and the entry point all travel with the wheel."""
    (tmp_path / "bread.md").write_text("# Bread\n\nBread rises because yeast eats sugar.\n")
    clock = "<html><body><h1>Clock</h1><p>The tower strikes twelve at noon.</p></body></html>"
    (tmp_path / "clock.html").write_text(clock)
    indexed = installed.run("semsearch", "index", str(tmp_path), "--model", "minilm", "--json")
    assert indexed.returncode == 0, indexed.stderr
    report = json.loads(indexed.stdout)
    assert (report["added"], report["skipped"]) == (2, [])
    found = installed.run("semsearch", "search", "tower", "--mode", "lexical", "--json")
    assert found.returncode == 0, found.stderr
    (hit,) = json.loads(found.stdout)["hits"]
    assert hit["document"]["path"] == str(tmp_path / "clock.html")
    assert hit["chunk"]["heading"] == "Clock"
    assert list(installed.empty.iterdir()) == []
