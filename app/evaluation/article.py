"""The figures this project began with: an article on CPU offload of Qwen3-Embedding-0.6B."""

from dataclasses import dataclass

from indexer.modes import Placement

MODEL = "Qwen3-Embedding-0.6B"
TOKENS = 128  # of each text


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the article's table."""

    name: str
    placement: Placement
    one_text_ms: float
    four_texts_ms: float | None  # None: not published
    vram_gb: float | None


ROWS = (
    Row("T4 GPU in fp16", Placement.GPU, 48, 62, 1.5),
    Row("layer-wise CPU offload", Placement.OFFLOAD, 210, 245, 0.6),
    Row("14-core CPU", Placement.CPU, 1120, None, None),
)


def row_of(placement: Placement) -> Row | None:
    """The article's line for a placement; it has none for remote."""
    return next((row for row in ROWS if row.placement is placement), None)
