"""`semsearch config`: every setting, its value and where it came from."""

from typing import Any

import typer

from app.cli.context import Context, JsonOption


def config(context: typer.Context, as_json: JsonOption = False) -> None:
    """Show every setting, its value and where it came from."""
    from app.cli.output import print_json, print_line, table
    from app.setting_sources import FOREIGN_NAMES, PREFIX

    start: Context = context.obj
    settings = start.settings()
    rows: list[dict[str, Any]] = [
        {
            "name": name,
            "value": settings.shown(name),
            "origin": settings.origin(name),
            "variable": FOREIGN_NAMES.get(name, PREFIX + name.upper()),
            "description": field.description,
        }
        for name, field in type(settings).model_fields.items()
    ]
    if as_json:
        print_json(rows)
        return
    for line in table(
        [
            [
                r["name"],
                "-" if r["value"] is None else str(r["value"]),
                r["origin"],
                r["description"],
            ]
            for r in rows
        ]
    ):
        print_line(line)
