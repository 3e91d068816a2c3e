import os
import shutil
import sqlite3
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import create_engine

from indexer.errors import StoreError, TooNewError
from indexer.storage import migrate
from indexer.storage.commit import CATALOG
from indexer.storage.tables import REVISIONS, Base

ROOT = Path(__file__).parents[3]
CREATE = """
import json, sys
from pathlib import Path
sys.path.insert(0, sys.argv[1])
from indexer.storage import migrate
from sqlalchemy import create_engine
with create_engine("sqlite://").begin() as connection:
    migrate.migrate(connection, Path("x"))
    print(migrate.migrations_folder(), migrate.schema_revision(connection))
"""


def create_from(place: Path, cwd: Path) -> list[str]:
    """Run the migrations in a fresh process whose packages come from `place`."""
    done = subprocess.run(
        [sys.executable, "-c", CREATE, str(place)],
        cwd=cwd,
        env={**os.environ, "PYTHONSAFEPATH": "1", "PYTHONPATH": ""},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stderr == ""
    return done.stdout.split()


def copy_package(target: Path) -> None:
    ignore = shutil.ignore_patterns("__pycache__")
    shutil.copytree(ROOT / "indexer", target / "indexer", ignore=ignore)


def test_migrations_are_found_in_a_checkout(tmp_path: Path) -> None:
    assert create_from(ROOT, tmp_path) == [str(ROOT / "alembic"), REVISIONS[-1]]


def test_migrations_are_found_in_an_unpacked_wheel(tmp_path: Path) -> None:
    site = tmp_path / "100% site"  # a percent sign means something to Alembic's config
    copy_package(site)
    packaged = site / "indexer" / "storage" / "migrations"
    shutil.copytree(ROOT / "alembic", packaged, ignore=shutil.ignore_patterns("__pycache__"))
    (site / "alembic").mkdir()  # as the library's own folder lies beside us in site-packages
    assert create_from(site, tmp_path) == [*str(packaged).split(), REVISIONS[-1]]


def test_migrations_are_found_in_an_editable_install(tmp_path: Path) -> None:
    """A .pth file puts the checkout on the path; the working folder is elsewhere."""
    site = tmp_path / "site"
    site.mkdir()
    (site / "semsearch.pth").write_text(f"{ROOT}\n")
    script = CREATE.replace(
        "sys.path.insert(0, sys.argv[1])", "import site; site.addsitedir(sys.argv[1])"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, str(site)],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.split() == [str(ROOT / "alembic"), REVISIONS[-1]]


def test_missing_migrations_name_both_places(tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.setattr(migrate, "__file__", str(tmp_path / "a" / "b" / "c" / "migrate.py"))
    with pytest.raises(StoreError, match="no migrations in .*migrations or .*alembic: reinstall"):
        migrate.migrations_folder()


def test_one_head_and_every_revision_is_listed() -> None:
    scripts = ScriptDirectory(str(ROOT / "alembic"))
    assert scripts.get_heads() == [REVISIONS[-1]]
    assert [s.revision for s in reversed(list(scripts.walk_revisions()))] == list(REVISIONS)


def test_migrated_schema_equals_the_tables(tmp_path: Path) -> None:
    with create_engine("sqlite://").begin() as connection:
        migrate.migrate(connection, tmp_path)
        migrate.migrate(connection, tmp_path)  # the second time there is nothing to do
        assert compare_metadata(MigrationContext.configure(connection), Base.metadata) == []


def test_newer_schema_is_refused_by_reader_and_writer(world: Any) -> None:
    world.add(world.file("/a", "alpha"))
    with sqlite3.connect(world.folder / CATALOG) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
    connection.close()
    for attempt in (world.reader, world.writer):
        with pytest.raises(TooNewError, match=r"schema 9999; this one knows up to 0002"):
            attempt()


def test_catalog_without_schema_is_made_by_the_writer(world: Any) -> None:
    """As after a kill between creating the file and the first commit."""
    world.folder.mkdir()
    sqlite3.connect(world.folder / CATALOG).close()
    with pytest.raises(StoreError, match="no collection here"):
        world.reader()
    world.add(world.file("/a", "alpha"))
    assert world.nearest("alpha") == ["alpha"]
