"""`semsearch key`: what is printed where, and that a secret is printed once."""

import json
from pathlib import Path

from app.keys.store import KeyStore
from tests_support import Cli


def test_created_key_is_on_stdout_alone_and_works(cli: Cli, home: Path) -> None:
    ran = cli("key", "create", "--name", "ci", "--scope", "search", "--scope", "write")
    assert ran.code == 0
    key = KeyStore(home).find(ran.out.strip().encode())
    assert key is not None
    assert (key.name, key.scopes, key.collections) == ("ci", {"search", "write"}, None)
    assert ran.out.strip() not in ran.err
    assert "shown this once" in ran.err


def test_key_as_json_has_all_but_the_hash(cli: Cli, home: Path) -> None:
    options = ("--scope", "search", "--collection", "notes", "-c", "letters", "--json")
    made = json.loads(cli("key", "create", "--name", "phone", *options).out)
    key = KeyStore(home).find(made.pop("key").encode())
    assert key is not None
    assert made == {
        "id": key.id,
        "name": "phone",
        "scopes": ["search"],
        "collections": ["letters", "notes"],
        "created": key.created,
    }
    listed = cli("key", "list", "--json").out
    assert json.loads(listed) == [made]
    assert key.digest not in listed


def test_settings_and_serving_beyond_this_machine_say_no_key(cli: Cli, home: Path) -> None:
    ran = cli("serve", "--host", "0.0.0.0")
    assert (ran.code, "semsearch key create" in ran.err) == (2, True)
    secret = cli("key", "create", "--name", "ci", "--scope", "search").out.strip()
    (key,) = KeyStore(home).all()
    shown = cli("config").out + cli("config", "--json").out + cli("key", "list").out
    assert "max_body_kib" in shown
    assert secret not in shown
    assert key.digest not in shown


def test_list_shows_what_each_key_may_do(cli: Cli) -> None:
    assert "no keys" in cli("key", "list").err
    cli("key", "create", "--name", "ci \u202e", "--scope", "admin")
    cli("key", "create", "--name", "phone", "--scope", "search", "-c", "notes")
    first, second = cli("key", "list").out.splitlines()
    assert "ci \\u202e" in first
    assert ("admin" in first, "all" in first) == (True, True)
    assert second.split()[1:4] == ["phone", "search", "notes"]


def test_revoked_key_is_gone_and_the_last_one_is_told(cli: Cli, home: Path) -> None:
    for name in ("one", "two"):
        cli("key", "create", "--name", name, "--scope", "search")
    ran = cli("key", "revoke", "one")
    assert (ran.code, "(one)" in ran.err, "No key is left" in ran.err) == (0, True, False)
    (two,) = KeyStore(home).all()
    assert json.loads(cli("key", "revoke", two.id, "--json").out)["name"] == "two"
    assert KeyStore(home).all() == ()
    assert cli("key", "revoke", "two").code == 2
    cli("key", "create", "--name", "three", "--scope", "search")
    assert "No key is left" in cli("key", "revoke", "three").err


def test_wrong_scope_and_missing_scope_are_usage_errors(cli: Cli) -> None:
    ran = cli("key", "create", "--name", "x", "--scope", "root")
    assert (ran.code, ran.out) == (2, "")
    assert "'root'" in ran.err
    assert "search, write, admin" in ran.err
    assert cli("key", "create", "--name", "x").code == 2
