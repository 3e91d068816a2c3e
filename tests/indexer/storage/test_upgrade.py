"""A collection made under the first schema keeps all it holds, and says what is not known of it."""

import sqlite3
from typing import Any

import pytest

from indexer.errors import LockedError, StoreError
from indexer.storage.commit import CATALOG, LOCK
from indexer.storage.lock import WriterLock
from indexer.storage.upgrade import upgrade

# What revision 0002 added, taken away again.
DOWNGRADE = """
DROP TABLE embedding_runs;
ALTER TABLE staged_vectors DROP COLUMN mode;
UPDATE alembic_version SET version_num = '0001';
"""


@pytest.fixture
def old(world: Any) -> Any:
    world.add(world.file("/a", "alpha", "beta"))
    with world.writer() as writer:
        writer.stage({world.key_of("gamma"): world.vector_of("gamma")})
    catalog = sqlite3.connect(world.folder / CATALOG)
    catalog.executescript(DOWNGRADE)
    catalog.close()
    return world


def test_old_schema_is_refused_by_readers_with_the_way_out(old: Any) -> None:
    with pytest.raises(StoreError, match="schema 0001 is older.*Run `semsearch index` once"):
        old.reader()


def test_upgrade_keeps_what_there_is(old: Any) -> None:
    upgrade(old.folder)
    upgrade(old.folder)
    assert old.nearest("beta") == ["beta"]
    with old.reader() as reader:
        assert dict(reader.status().modes) == {"unknown": 2}
    with old.writer() as writer:
        assert list(writer.staged([old.key_of("gamma")])) == [old.key_of("gamma")]


def test_upgrade_waits_for_no_writer(old: Any) -> None:
    upgrade(old.folder)
    with old.writer():
        upgrade(old.folder)  # today's schema: no lock needed
    catalog = sqlite3.connect(old.folder / CATALOG)
    catalog.executescript(DOWNGRADE)
    catalog.close()
    lock = WriterLock(old.folder / LOCK)
    try:
        with pytest.raises(LockedError):
            upgrade(old.folder)
    finally:
        lock.release()


def test_upgrade_makes_nothing_where_there_is_nothing(world: Any) -> None:
    upgrade(world.folder)
    assert not world.folder.exists()
