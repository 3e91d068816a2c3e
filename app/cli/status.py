"""`semsearch status`: what a collection holds, under which contract, and how large it is."""

from typing import TYPE_CHECKING, Any

import typer

from app.cli.context import CollectionOption, Context, JsonOption

if TYPE_CHECKING:
    from app.search.collections import Collections
    from indexer.storage.vectors.status import IndexStatus


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
    from indexer.paths import display_path

    status = opened.get(name).status()
    contract = status.contract
    return {
        "collection": name,
        "folder": str(opened.folder(name)),
        "files": status.files,
        "uploads": status.uploads,
        "documents": status.documents,
        "chunks": status.chunks,
        "vectors": status.vectors,
        "modes": dict(status.modes),
        "generation": status.generation,
        "created": status.created,
        "roots": [display_path(root) for root in status.roots],
        "contract": {**contract.to_dict(), "fingerprint": contract.fingerprint},
        "index": _index(status.index),
        "sizes": {
            "catalog": status.catalog_bytes,
            "vectors": status.vectors_bytes,
            "lexical": status.lexical_bytes,
        },
    }


def _index(index: "IndexStatus") -> dict[str, Any]:
    from dataclasses import asdict

    from app.cli.index_status import certificate_values

    found = index.certificate
    return {
        **asdict(index),
        "certificate": None if found is None else certificate_values(found),
    }


def _index_lines(index: dict[str, Any]) -> list[list[str]]:
    """How vectors are searched, and what that was measured to find."""
    from app.cli.index_status import certificate_line, wishes_line
    from app.cli.output import mebibytes
    from indexer.storage.vectors.certificate import Certificate

    if index["certificate"] is None:
        asked = wishes_line(index["wishes"])
        return [
            ["vector index", "exact: every vector is compared"],
            *([["", asked]] if asked else []),
        ]
    fresh, prefix = index["rows"] - index["covered"], index["prefix_dim"]
    part = "" if prefix is None else f" of the first {prefix:,} dimensions"
    return [
        [
            "vector index",
            f"{index['lists']:,} lists of {index['subquantizers'] // 2}-byte codes{part}, the best "
            f"scored exactly; {fresh:,} newer vectors exact; {mebibytes(index['ram_bytes'])} in "
            f"use, {mebibytes(index['own_bytes'])} of it not mapped",
        ],
        ["", certificate_line(Certificate.from_dict(index["certificate"]))],
    ]


def _show(values: dict[str, Any]) -> None:
    from app.cli.output import mebibytes, print_line, printable, table

    contract = values["contract"]
    sizes = ", ".join(f"{part} {mebibytes(size)}" for part, size in values["sizes"].items())
    rows = [
        ["collection", values["collection"]],
        ["folder", values["folder"]],
        ["files", f"{values['files']:,}"],
        *([["uploads", f"{values['uploads']:,}"]] if values["uploads"] else []),
        ["documents", f"{values['documents']:,}"],
        ["chunks", f"{values['chunks']:,}"],
        ["vectors", f"{values['vectors']:,} of {contract['dimension']} dimensions"],
        ["embedded by", ", ".join(f"{mode} ({n:,})" for mode, n in values["modes"].items())],
        ["generation", f"{values['generation']:,}"],
        ["model", f"{contract['model']} (weights {contract['weights_sha256'][:12]})"],
        ["contract", contract["fingerprint"][:12]],
        *_index_lines(values["index"]),
        ["sizes", sizes],
        *[["root", root] for root in values["roots"]],
        ["collections", ", ".join(values["collections"])],
    ]
    for line in table([[name, printable(text)] for name, text in rows]):
        print_line(line)
