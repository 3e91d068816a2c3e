"""`semsearch status`: what a collection holds, under which contract, and how large it is."""

from typing import TYPE_CHECKING, Any

import typer

from app.cli.context import CollectionOption, Context, JsonOption

if TYPE_CHECKING:
    from app.search.collections import Collections


def status(
    context: typer.Context, collection: CollectionOption = None, as_json: JsonOption = False
) -> None:
    """Show a collection's counts, contract and sizes; without a name, the default collection."""
    from app.cli.output import print_json
    from app.search.collections import Collections

    start: Context = context.obj
    settings = start.settings()
    opened = Collections(settings)
    try:
        values = _values(opened, settings.collection if collection is None else collection)
        values["collections"] = opened.names()
    finally:
        opened.close()
    if as_json:
        print_json(values)
    else:
        _show(values)


def _values(opened: "Collections", name: str) -> dict[str, Any]:
    from indexer.types import display_path

    status = opened.get(name).status()
    contract = status.contract
    return {
        "collection": name,
        "folder": str(opened.folder(name)),
        "files": status.files,
        "documents": status.documents,
        "chunks": status.chunks,
        "vectors": status.vectors,
        "modes": dict(status.modes),
        "generation": status.generation,
        "created": status.created,
        "roots": [display_path(root) for root in status.roots],
        "contract": {**contract.to_dict(), "fingerprint": contract.fingerprint},
        "sizes": {
            "catalog": status.catalog_bytes,
            "vectors": status.vectors_bytes,
            "lexical": status.lexical_bytes,
        },
    }


def _show(values: dict[str, Any]) -> None:
    from app.cli.output import mebibytes, print_line, printable, table

    contract = values["contract"]
    sizes = ", ".join(f"{part} {mebibytes(size)}" for part, size in values["sizes"].items())
    rows = [
        ["collection", values["collection"]],
        ["folder", values["folder"]],
        ["files", f"{values['files']:,}"],
        ["documents", f"{values['documents']:,}"],
        ["chunks", f"{values['chunks']:,}"],
        ["vectors", f"{values['vectors']:,} of {contract['dimension']} dimensions"],
        ["embedded by", ", ".join(f"{mode} ({n:,})" for mode, n in values["modes"].items())],
        ["generation", f"{values['generation']:,}"],
        ["model", f"{contract['model']} (weights {contract['weights_sha256'][:12]})"],
        ["contract", contract["fingerprint"][:12]],
        ["sizes", sizes],
        *[["root", root] for root in values["roots"]],
        ["collections", ", ".join(values["collections"])],
    ]
    for line in table([[name, printable(text)] for name, text in rows]):
        print_line(line)
