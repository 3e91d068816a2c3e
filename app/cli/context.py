"""What every command starts from, and the options that several commands share."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from app.settings import Settings

CollectionOption = Annotated[
    str | None,
    typer.Option("--collection", "-c", help="Collection to use.", show_default="default"),
]
EndpointOption = Annotated[
    list[str] | None,
    typer.Option(
        "--endpoint",
        help="Server that embeds, for example http://gpu:30000/v1; may repeat.",
        show_default=False,
    ),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON to stdout.")]


@dataclass(frozen=True)
class Context:
    """Options given before the command."""

    home: Path | None = None

    def settings(self, **flags: Any) -> "Settings":
        """Settings with these flags on top; None and [] mean the flag was not given.

        From here on the process keeps to the threads they allow.
        """
        from app.settings import Settings
        from app.threads import share_cores

        given = {name: value for name, value in flags.items() if value != []}
        settings = Settings.load(flags={"home": self.home, **given})
        share_cores(settings)
        return settings
