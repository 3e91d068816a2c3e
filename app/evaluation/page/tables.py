"""Results as tables of words, for the page and for Markdown alike."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from app.evaluation.page.looks import short_names
from app.evaluation.page.wording import (
    NOTHING,
    against_reference,
    interval,
    mebibytes,
    rounded,
)
from app.evaluation.results import Cell, Indexing, Results, Times


@dataclass(frozen=True)
class Table:
    """Rows of cells of text; the first column names the row."""

    title: str
    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    note: str = ""

    def without_empty_columns(self) -> "Table":
        """Only the columns in which a row says something."""
        kept = [i for i in range(len(self.head)) if any(row[i] != NOTHING for row in self.rows)]
        rows = tuple(tuple(row[i] for i in kept) for row in self.rows)
        return Table(self.title, tuple(self.head[i] for i in kept), rows, self.note)


def tables(results: Results) -> list[Table]:
    """All that was measured of the cells, by subject; what nothing fills is left out."""
    names = short_names(results.cells)
    made = [
        *_quality(results.cells, names),
        _vectors(results.cells, names),
        _answers(results.cells, names),
        _model(results.cells, names),
        _costs(results.cells, names),
    ]
    full = [table.without_empty_columns() for table in made]
    return [table for table in full if table.rows and len(table.head) > 1]


def _quality(cells: Sequence[Cell], names: dict[str, str]) -> Iterator[Table]:
    """A table for each way of searching."""
    for way in dict.fromkeys(way for cell in cells for way in cell.quality):
        of_way = [cell for cell in cells if way in cell.quality]
        measures = list(dict.fromkeys(name for cell in of_way for name in cell.quality[way]))
        rows = tuple(
            (
                names[cell.label],
                *(
                    against_reference(cell.quality[way][name])
                    if name in cell.quality[way]
                    else NOTHING
                    for name in measures
                ),
            )
            for cell in of_way
        )
        yield Table(
            f"Quality, {way}",
            ("cell", *measures),
            rows,
            "Mean over queries [95 % interval], difference from the reference cell, and p: how "
            "often chance alone gives so great a difference (paired randomisation, two-sided).",
        )


def _vectors(cells: Sequence[Cell], names: dict[str, str]) -> Table:
    rows = []
    for cell in cells:
        near, ann = cell.agreement, cell.ann
        if near is None and ann is None:
            continue
        row = [names[cell.label], *[NOTHING] * 7]
        if near is not None:
            row[1:5] = [
                f"{near.cosine_mean:.5f}",
                f"{near.cosine_min:.5f}",
                f"{near.overlap_10:.3f}",
                f"{near.kendall_tau:.3f}",
            ]
        if ann is not None:
            recall = ann.recall_10
            row[5:] = [
                f"{recall.value:.4f} [{recall.low:.4f}, {recall.high:.4f}]",
                NOTHING if ann.build_s is None else f"{rounded(ann.build_s)} s",
                f"{ann.index_bytes / (1 << 20):,.1f} MiB",
            ]
        rows.append(tuple(row))
    head = ("cell", "cosine, mean", "cosine, least", "overlap@10", "Kendall tau")
    return Table(
        "Agreement with the reference, and what the index finds",
        (*head, "index recall@10", "index built in", "index size"),
        tuple(rows),
        "Cosine of the same passage's vectors; share of the ten nearest documents that both give; "
        "order of the documents that both give. Recall of the index is against exact search.",
    )


def _answers(cells: Sequence[Cell], names: dict[str, str]) -> Table:
    rows = [
        (
            names[cell.label],
            str(clients),
            interval(found.p50),
            interval(found.p95),
            interval(found.p99),
            interval(found.ratio),
            interval(cell.speed.queries_per_s.get(clients)),
        )
        for cell in cells
        if cell.speed is not None
        for clients, found in sorted(cell.speed.search_ms.items())
    ]
    head = ("cell", "clients", "p50, ms", "p95, ms", "p99, ms", "p50 / reference's", "answers/s")
    note = "Embedding of the query included. [95 % interval], by drawing whole rounds."
    return Table("Answer times", head, tuple(rows), note)


def _model(cells: Sequence[Cell], names: dict[str, str]) -> Table:
    timed = [(cell, cell.speed) for cell in cells if cell.speed is not None]
    sizes = sorted({size for _, speed in timed for size in speed.embed_ms})
    rows = [
        (
            names[cell.label],
            interval(speed.load_s),
            interval(speed.cold_ms.p50),
            *(_median(speed.embed_ms.get(size)) for size in sizes),
            interval(speed.tokens_per_s),
            interval(speed.passages_per_s),
            interval(speed.joules_per_query),
        )
        for cell, speed in timed
    ]
    embeds = tuple(f"embed {size}, ms" for size in sizes)
    head = ("cell", "load, s", "first answer, ms", *embeds, "tokens/s", "passages/s", "J/query")
    note = (
        "Load: from nothing to a first text embedded. First answer: of a new process, median. "
        "Embed: so many queries in one call, median. Joules: of the whole machine."
    )
    return Table("The model", head, tuple(rows), note)


def _median(found: Times | None) -> str:
    return interval(None if found is None else found.p50)


def _costs(cells: Sequence[Cell], names: dict[str, str]) -> Table:
    rows = [
        (
            names[cell.label],
            cell.engine,
            mebibytes(cell.peak_ram_bytes),
            NOTHING if cell.peak_vram_bytes is None else mebibytes(cell.peak_vram_bytes),
            *_indexing(cell.indexing),
        )
        for cell in cells
    ]
    head = ("cell", "engine", "peak RAM", "peak VRAM", "documents", "passages", "tokens")
    return Table("Memory and indexing", (*head, "indexed in", "of it the model"), tuple(rows))


def _indexing(found: Indexing | None) -> tuple[str, ...]:
    """Nothing of a collection that was only asked."""
    if found is None:
        return (NOTHING,) * 5
    counts = (found.documents, found.passages, found.tokens)
    times = (found.seconds, found.model_s)
    part = "" if found.is_whole else ", a part of it"
    took = (f"{rounded(seconds)} s{part}" for seconds in times)
    return (*(f"{count:,}" for count in counts), *took)
