"""Models in the mode that is measured, or not at all."""

from collections.abc import Callable

from app.search.models import Models
from app.settings import Settings
from indexer.embedding.embedder import Embedder
from indexer.embedding.spec import ModelSpec
from indexer.errors import PlacementError
from indexer.modes import Mode, Placement


class StrictModels(Models):
    """Models that give the mode asked for or nothing.

    Elsewhere a mode that fails its quality check is replaced: here the other's figures would stand
    under its name.
    """

    def __init__(self, settings: Settings, mode: Mode, on_step: Callable[[str], None]) -> None:
        """See `Models`; `on_step` hears what it says."""
        self._said: list[str] = []
        self._on_step = on_step
        self.mode = mode
        super().__init__(settings, say=self._heard)

    def _heard(self, text: str) -> None:
        self._said.append(text)
        self._on_step(text)

    def embedder(self, spec: ModelSpec, dimension: int | None = None) -> Embedder:
        """See `Models.embedder`.

        Raises:
            PlacementError: also where the mode would be replaced; says why.
        """
        embedder = super().embedder(spec, dimension)
        # In what precision a server computes, only it knows.
        same = embedder.mode == self.mode or (
            self.mode.placement is embedder.mode.placement is Placement.REMOTE
        )
        if not same:
            # What ends with dots told what was being done, the rest tells why.
            raise PlacementError(" ".join(text for text in self._said if not text.endswith("...")))
        return embedder
