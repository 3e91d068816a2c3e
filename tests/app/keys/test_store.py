"""Keys are kept as hashes, recognised, and forgotten at once."""

import hmac
import json
import os
import stat
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.keys.key import PREFIX, Key, Scope
from app.keys.store import KeyStore
from indexer.errors import CorruptError, LockedError, NotFoundError, StoreError, UsageError
from indexer.storage.lock import WriterLock

READ = {Scope.SEARCH}


@pytest.fixture
def store(tmp_path: Path) -> KeyStore:
    return KeyStore(tmp_path / "home")


def test_secret_finds_its_key_and_nothing_else_does(store: KeyStore) -> None:
    ci, secret = store.create("ci", {Scope.SEARCH, Scope.WRITE}, {"notes"})
    _, other = store.create("phone", READ, None)
    found = store.find(secret.encode())
    assert found == ci
    assert (found.scopes, found.collections) == ({"search", "write"}, {"notes"})
    for wrong in (secret[:-1], secret + "x", secret.upper(), other[:-1], PREFIX, "", ci.digest):
        assert store.find(wrong.encode()) is None


@given(st.binary(max_size=200))
def test_no_bytes_are_a_key_or_an_error(tmp_path_factory: pytest.TempPathFactory, x: bytes) -> None:
    store = KeyStore(tmp_path_factory.getbasetemp() / "guessed")
    if not store.all():
        store.create("only", READ, None)
    assert store.find(x) is None


def test_secrets_are_256_random_bits_and_only_their_hash_is_kept(tmp_path: Path) -> None:
    store = KeyStore(tmp_path)
    key, secret = store.create("ci", READ, None)
    assert secret.startswith("sk-sem-")
    assert len(secret) == len("sk-sem-") + 43  # 32 bytes in base64
    assert store.create("second", READ, None)[1] != secret
    kept = (tmp_path / "keys.json").read_text()
    assert secret not in kept
    assert secret.removeprefix(PREFIX) not in kept
    assert key.digest not in repr(key)
    assert secret not in repr(store)


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX modes")
def test_only_the_owner_may_read_the_file(tmp_path: Path) -> None:
    KeyStore(tmp_path).create("ci", READ, None)
    assert stat.S_IMODE((tmp_path / "keys.json").stat().st_mode) == 0o600


def test_another_process_changes_count_at_once(tmp_path: Path) -> None:
    serving, shell = KeyStore(tmp_path), KeyStore(tmp_path)
    assert serving.all() == ()
    key, secret = shell.create("ci", READ, None)
    assert serving.find(secret.encode()) == key
    shell.revoke(key.id)
    assert serving.find(secret.encode()) is None
    assert serving.all() == ()


def test_every_key_is_compared_whichever_it_is(
    store: KeyStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An early end would tell by its time which key was right."""
    secrets = [store.create(f"key {n}", READ, None)[1] for n in range(4)]
    compared = 0

    def counting(a: str, b: str) -> bool:
        nonlocal compared
        compared += 1
        return real(a, b)

    real = hmac.compare_digest
    monkeypatch.setattr("app.keys.store.hmac.compare_digest", counting)
    for secret in (*secrets, "wrong"):
        compared = 0
        store.find(secret.encode())
        assert compared == 4


def test_revoke_by_id_or_name_leaves_the_others(store: KeyStore) -> None:
    first, _ = store.create("first", READ, None)
    second, _ = store.create("second", READ, None)
    third, _ = store.create(first.id, READ, None)  # a name that is another's id
    assert store.revoke(first.id) == first
    assert store.revoke("second") == second
    assert store.all() == (third,)
    with pytest.raises(NotFoundError, match="'second'"):
        store.revoke("second")


@pytest.mark.parametrize(
    ("name", "scopes", "collections", "words"),
    [
        ("x", set(), None, "search, write, admin"),
        ("", READ, None, "name = ''"),
        ("  ", READ, None, "name = '  '"),
        ("a\nb", READ, None, "printable"),
        ("x" * 101, READ, None, "printable"),
        ("x", READ, {"../etc"}, "'../etc'"),
        ("x", {Scope.ADMIN, Scope.SEARCH}, {"notes"}, "whole service"),
        ("taken", READ, None, "'taken'"),
    ],
)
def test_key_that_makes_no_sense_is_refused(
    store: KeyStore, name: str, scopes: set[Scope], collections: set[str] | None, words: str
) -> None:
    taken, _ = store.create("taken", READ, None)
    with pytest.raises(UsageError, match=words):
        store.create(name, scopes, collections)
    assert store.all() == (taken,)


def entry(**changes: object) -> dict[str, object]:
    good = {"id": "1", "name": "n", "scopes": ["search"], "collections": None, "created": "now"}
    return {**good, "sha256": "0" * 64, **changes}


@pytest.mark.parametrize(
    "content",
    [
        "",
        "[]",
        "{",
        '{"version": 1}',
        '{"version": 2, "keys": []}',
        json.dumps({"version": 1, "keys": [entry(scopes=["root"])]}),
        json.dumps({"version": 1, "keys": [entry(scopes=[])]}),
        json.dumps({"version": 1, "keys": [entry(sha256="0" * 63)]}),
        json.dumps({"version": 1, "keys": [entry(collections=["../x"])]}),
        json.dumps({"version": 1, "keys": [entry(colections=["x"])]}),  # would mean all of them
    ],
)
def test_damaged_file_lets_nobody_in_and_is_not_repeated(tmp_path: Path, content: str) -> None:
    store = KeyStore(tmp_path)
    _, secret = store.create("ci", READ, None)
    (tmp_path / "keys.json").write_text(content)
    for _ in range(2):  # the failure is not remembered as a file without keys
        with pytest.raises(CorruptError, match=r"keys\.json") as caught:
            store.find(secret.encode())
    assert "0" * 63 not in str(caught.value)
    with pytest.raises(CorruptError):
        store.create("more", READ, None)
    assert (tmp_path / "keys.json").read_text() == content


def test_file_that_cannot_be_read_lets_nobody_in(tmp_path: Path) -> None:
    (tmp_path / "keys.json").mkdir()
    with pytest.raises(StoreError, match="cannot be read"):
        KeyStore(tmp_path).all()


def test_disk_that_is_full_keeps_the_old_keys(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = KeyStore(tmp_path)
    key, _ = store.create("ci", READ, None)

    def full(_fd: int) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        with pytest.raises(StoreError, match="No space left"):
            store.revoke("ci")
    assert store.all() == (key,)


def test_home_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match=r"keys\.json: cannot be written"):
        KeyStore(tmp_path / "file" / "home").create("ci", READ, None)


def test_keys_made_at_the_same_time_are_all_kept(tmp_path: Path) -> None:
    def make(number: int) -> Key:
        return KeyStore(tmp_path).create(f"key {number}", READ, None)[0]

    with ThreadPoolExecutor(8) as pool:
        made = set(pool.map(make, range(16)))
    assert set(KeyStore(tmp_path).all()) == made


def test_file_held_by_another_process_is_waited_for_and_then_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.keys.store._LOCK_WAIT_S", 0.05)
    lock = WriterLock(tmp_path / "keys.lock")
    with pytest.raises(LockedError, match=r"keys\.json: another process"):
        KeyStore(tmp_path).create("ci", READ, None)
    lock.release()
    KeyStore(tmp_path).create("ci", READ, None)
