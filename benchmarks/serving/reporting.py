"""How the scripts here tell what they found: Markdown for people, JSON for programs."""

import argparse
import json
import signal
import statistics
import sys
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from machine import about, caption, versions_in


@dataclass(frozen=True)
class Goal:
    """What was promised of a figure, and whether it is so."""

    what: str
    promised: str
    measured: str
    kept: bool


def markdown(head: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """A table."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(str(cell) for cell in line)} |" for line in lines)


def goals_table(goals: Iterable[Goal]) -> str:
    """Which promises are kept; empty where none was made."""
    rows = [
        (goal.what, goal.promised, goal.measured, "kept" if goal.kept else "**missed**")
        for goal in goals
    ]
    return markdown(["Promise", "Limit", "Measured", ""], rows) if rows else ""


def medians(rows: Iterable[dict[str, float]]) -> dict[str, float]:
    """Of each figure over the rounds."""
    listed = list(rows)
    return {name: statistics.median(row[name] for row in listed) for name in listed[0]}


def parser_of(doc: str | None) -> argparse.ArgumentParser:
    """Options of every script here."""
    parser = argparse.ArgumentParser(
        description=doc, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("home", type=lambda given: Path(given).absolute())
    parser.add_argument("--collection", default="default")
    parser.add_argument(
        "--set", action="append", default=[], metavar="NAME=VALUE", help="a setting of the service"
    )
    parser.add_argument("--out", type=Path, help="JSON")
    return parser


def tell(what: str, figures: dict[str, Any]) -> None:
    """A line on stderr as soon as something was measured."""
    shown = ", ".join(
        f"{name} {value:.4g}" if isinstance(value, float) else f"{name} {value}"
        for name, value in figures.items()
    )
    print(f"{what}: {shown}", file=sys.stderr, flush=True)


def settings_of(given: argparse.Namespace) -> dict[str, str]:
    """Settings of the service that were given."""
    return dict(pair.split("=", 1) for pair in given.set)


def run(
    given: argparse.Namespace,
    measure: Callable[[argparse.Namespace], dict[str, Any]],
    show: Callable[[dict[str, Any]], str],
    peers: dict[str, tuple[Path, Sequence[str]]] | None = None,
) -> None:
    """Measure, print the table with its caption, write the file."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that the servers are ended too
    facts = about() | {"settings": settings_of(given)}
    facts["peers"] = {
        kind: versions_in(python, names) for kind, (python, names) in (peers or {}).items()
    }
    found = measure(given)
    print(f"{show(found)}\n\nsemsearch in {found['mode']}; {caption(facts)}")
    if given.out:
        given.out.write_text(json.dumps({"about": facts, **found}, indent=1) + "\n")
