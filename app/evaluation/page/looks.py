"""How a cell is named and drawn, the same in every picture of a page."""

from collections.abc import Sequence
from dataclasses import dataclass

from app.evaluation.page.svg import MARKS
from app.evaluation.page.wording import clean
from app.evaluation.results import Cell

COLOURS = 7  # --k0 ... of page.css, told apart by colour-blind people too (Okabe and Ito)
_LONGEST = 34  # letters of a label in a picture


def colour(number: int) -> str:
    """One of the palette, light or dark as the page is."""
    return f"var(--k{number % COLOURS})"


@dataclass(frozen=True)
class Look:
    """Colour and mark tell the mode; a hollow mark an index of codes."""

    name: str  # short: what all cells share is left out
    colour: str
    mark: str
    is_hollow: bool


def looks(cells: Sequence[Cell]) -> dict[str, Look]:
    """{label: look}."""
    modes = list(dict.fromkeys(cell.mode for cell in cells))
    names = short_names(cells)
    return {
        cell.label: Look(
            names[cell.label],
            colour(modes.index(cell.mode)),
            MARKS[modes.index(cell.mode) % len(MARKS)],
            cell.index == "codes",
        )
        for cell in cells
    }


def short_names(cells: Sequence[Cell]) -> dict[str, str]:
    """{label: what tells the cell from the others}; the mode always."""
    models = _short_models(cells)
    has_many = {
        "model": len(models) > 1,
        "dimension": len({cell.dimension for cell in cells}) > 1,
        "index": len({cell.index for cell in cells}) > 1,
    }
    names = {}
    for cell in cells:
        parts = [models[cell.model]] if has_many["model"] else []
        parts += [str(cell.dimension)] if has_many["dimension"] else []
        parts += [cell.mode]
        parts += [cell.index] if has_many["index"] else []
        names[cell.label] = _cut(clean(" ".join(parts)))
    return names


def _short_models(cells: Sequence[Cell]) -> dict[str, str]:
    """{model: its last part}, or whole where two end alike."""
    models = list(dict.fromkeys(cell.model for cell in cells))
    ends = [model.rstrip("/").rsplit("/", 1)[-1] for model in models]
    return {
        model: end if ends.count(end) == 1 else model
        for model, end in zip(models, ends, strict=True)
    }


def _cut(name: str) -> str:
    """The end of a name tells more than its middle."""
    return name if len(name) <= _LONGEST else f"{name[:12]}…{name[-(_LONGEST - 13) :]}"
