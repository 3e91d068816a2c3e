"""`semsearch key`: who may use the HTTP service."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from app.cli.context import Context, JsonOption

if TYPE_CHECKING:
    from app.keys.key import Key, Scope
    from app.keys.store import KeyStore

app = typer.Typer(help="Make, list and revoke keys of the HTTP service.", no_args_is_help=True)


@app.command("create")
def create(
    context: typer.Context,
    name: Annotated[str, typer.Option(help="What you will know it by.")],
    scope: Annotated[
        list[str],
        typer.Option(
            help="search (all that reads), write (documents) or admin (metrics); may repeat."
        ),
    ],
    collection: Annotated[
        list[str] | None,
        typer.Option(
            "--collection",
            "-c",
            help="The only collection it may use; may repeat.",
            show_default="all",
        ),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Make a key and print it this once; from then on the service asks for one."""
    from app.cli.output import print_json, print_line, say

    collections = set(collection) if collection else None
    key, secret = _store(context).create(name, {_scope(word) for word in scope}, collections)
    if as_json:
        print_json({**_shown(key), "key": secret})
        return
    print_line(secret)
    say(f"Key {key.id} is shown this once. The service now answers only those who send a key.")


@app.command("list")
def list_keys(context: typer.Context, as_json: JsonOption = False) -> None:
    """Show all keys: ids, names and what they may do."""
    from app.cli.output import print_json, print_line, printable, say, table

    rows = [_shown(key) for key in _store(context).all()]
    if as_json:
        print_json(rows)
    elif not rows:
        say("There are no keys: the service answers whoever is on this machine.")
    else:
        for line in table(
            [
                [
                    row["id"],
                    printable(row["name"]),
                    ", ".join(row["scopes"]),
                    "all" if row["collections"] is None else ", ".join(row["collections"]),
                    row["created"],
                ]
                for row in rows
            ]
        ):
            print_line(line)


@app.command("revoke")
def revoke(
    context: typer.Context,
    key: Annotated[str, typer.Argument(metavar="ID", help="Its id or name.")],
    as_json: JsonOption = False,
) -> None:
    """Forget a key; running services refuse it from their next request on."""
    from app.cli.output import print_json, say

    store = _store(context)
    gone = store.revoke(key)
    if as_json:
        print_json(_shown(gone))
        return
    say(f"Revoked key {gone.id} ({gone.name}).")
    if not store.all():
        say(
            "No key is left. A service that is running lets nobody in; one that is started now, on "
            "this machine's own address, asks for none."
        )


def _store(context: typer.Context) -> "KeyStore":
    from app.keys.store import KeyStore

    start: Context = context.obj
    return KeyStore(start.settings().home)


def _scope(word: str) -> "Scope":
    from app.keys.key import Scope
    from indexer.errors import UsageError

    try:
        return Scope(word)
    except ValueError:
        raise UsageError(f"--scope {word!r}: there are {', '.join(Scope)}.") from None


def _shown(key: "Key") -> dict[str, Any]:
    """All but the hash, which nobody needs to see."""
    return {
        "id": key.id,
        "name": key.name,
        "scopes": sorted(key.scopes),
        "collections": None if key.collections is None else sorted(key.collections),
        "created": key.created,
    }
