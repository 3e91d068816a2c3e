"""`semsearch`: the entry point. Commands import what they need when run: `--help` is fast."""

import os
import signal
import sys
from pathlib import Path
from types import FrameType
from typing import Annotated

import typer

from app.cli import (
    bench,
    config,
    embed,
    evaluate,
    index,
    judge,
    key,
    mcp,
    model,
    plan,
    report,
    rm,
    search,
    serve,
    status,
)
from app.cli.context import Context
from indexer.version import __version__

app = typer.Typer(
    name="semsearch",
    help="Index folders and search them by meaning, on the hardware you have.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
app.command("index")(index.index)
app.command("search")(search.search)
app.command("embed")(embed.embed)
app.command("serve")(serve.serve)
app.command("mcp")(mcp.mcp)
app.command("status")(status.status)
app.command("judge")(judge.judge)
app.command("bench")(bench.bench)
app.command("eval")(evaluate.evaluate)
app.command("plan")(plan.plan)
app.command("config")(config.config)
app.command("report")(report.report)
app.command("rm")(rm.rm)
app.add_typer(model.app, name="model")
app.add_typer(key.app, name="key")


def _version(wanted: bool) -> None:
    if wanted:
        sys.stdout.write(f"semsearch {__version__}\n")
        raise typer.Exit


@app.callback()
def root(
    context: typer.Context,
    home: Annotated[
        Path | None, typer.Option(help="Folder that holds the collections.", show_default=False)
    ] = None,
    version: Annotated[  # noqa: ARG001 - handled by its callback
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version.")
    ] = False,
) -> None:
    """Index folders and search them by meaning, on the hardware you have."""
    context.obj = Context(home=home)


def _end_on_term(_signal: int, _frame: FrameType | None) -> None:
    """SIGTERM unwinds like Ctrl-C, so that the transaction in hand is rolled back properly."""
    raise SystemExit(143)


def main() -> None:
    """Run the command line; every expected error becomes one line and an exit code."""
    from indexer.errors import SemsearchError, codes_of

    signal.signal(signal.SIGTERM, _end_on_term)
    try:
        app(prog_name="semsearch")
    except SemsearchError as error:
        from app.cli.output import say_error

        say_error(error)
        sys.exit(codes_of(error)[0])
    except KeyboardInterrupt:
        sys.stderr.write("semsearch: interrupted\n")
        sys.exit(130)
    except BrokenPipeError:
        # The reader of our output has gone (`| head`): say nothing, as other tools do.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(141)
