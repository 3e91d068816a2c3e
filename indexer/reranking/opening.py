"""Load a reranker: the one place that chooses among the ways of running one in this process."""

from collections.abc import Set
from pathlib import Path

from indexer.embedding.wishes import Wishes
from indexer.modes import Mode
from indexer.reranking.base import Reranker
from indexer.reranking.spec import Recipe, RerankerSpec


def open_reranker(
    spec: RerankerSpec,
    wishes: Wishes | None = None,
    cache_folder: Path | None = None,
    checked: Set[Mode] = frozenset(),
) -> Reranker:
    """The model, loaded; the arguments are those of `open_embedder`.

    Raises:
        PlacementError: this machine or this version cannot run that mode.
        ModelError: the model cannot be loaded.
    """
    if spec.recipe is Recipe.CROSS_ENCODER:
        from indexer.reranking.cross_encoder import open_cross_encoder

        return open_cross_encoder(spec, wishes, cache_folder)
    from indexer.reranking.qwen3 import open_qwen3

    return open_qwen3(spec, wishes, cache_folder, checked)
