"""Measurements with chosen figures."""

from app.evaluation.measurement import Measurement
from indexer.embedding.peers.peer import Peer
from indexer.embedding.planning.candidates import Candidate
from indexer.embedding.planning.plan import MemoryNeed, Option, Prediction, Verdict
from indexer.embedding.wishes import Engine
from indexer.modes import Mode

GIB = 1 << 30


def ran(
    mode: str,
    one_ms: float,
    four_ms: float,
    *,
    ram: int = GIB,
    vram: int | None = None,
    peer: Peer | None = None,
    vectors: tuple[float, ...] = (1.0, 0.0),
) -> Measurement:
    """A row whose runs all took the same time, in two rounds of three."""
    return Measurement(
        mode=Mode.parse(mode),
        engine="engine",
        tokens=128,
        one_text_ms=((one_ms,) * 3,) * 2,
        four_texts_ms=((four_ms,) * 3,) * 2,
        loads_s=(1.0, 3.0, 1.5),
        first_load_s=9.0,
        peak_ram_bytes=ram,
        peak_vram_bytes=vram,
        peer=peer,
        vectors=[list(vectors)],
    )


def planned(mode: str, verdict: Verdict, reason: str = "a reason") -> Option:
    """What a planner might say of a mode."""
    candidate = Candidate(Mode.parse(mode), Engine.TORCH)
    return Option(candidate, verdict, reason, Prediction(MemoryNeed(), MemoryNeed(), 512))
