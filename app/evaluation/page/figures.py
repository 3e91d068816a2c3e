"""All pictures of an evaluation that have something to show."""

from app.evaluation.page.effort_plot import recall_and_effort
from app.evaluation.page.figure import Figure
from app.evaluation.page.quality_plot import by_dimension, quality_and_latency
from app.evaluation.page.row_plots import latency, memory
from app.evaluation.results import Results


def figures(results: Results) -> list[Figure]:
    """In the order of the page."""
    counts = {
        clients
        for cell in results.cells
        if cell.speed is not None
        for clients in cell.speed.search_ms
    }
    drawn = [
        quality_and_latency(results),
        *(latency(results, clients) for clients in sorted(counts)),
        memory(results),
        recall_and_effort(results),
        *by_dimension(results),
    ]
    return [figure for figure in drawn if figure is not None]
