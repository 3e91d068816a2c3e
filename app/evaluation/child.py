"""The process that opens or measures one mode, of this program or of a peer, for `bench`."""

import time
from collections.abc import Sequence
from typing import Any

from app.evaluation.apart import OnStep, answer_one
from app.evaluation.measurement import Embed, take_turn
from app.evaluation.rounds import Round
from app.evaluation.strict_models import StrictModels
from app.search.models import Models
from app.settings import Settings
from app.threads import thread_count
from indexer.embedding.peers.peer import Peer, device_of, open_peer
from indexer.modes import Mode
from indexer.types import Kind, Vectors


def main() -> None:
    """Answer one job: {"flags": {...}, "mode": "cpu:int8", "peer": null, "work": {...}}.

    The values are a turn's; where the work is null only {"load_s": seconds}.
    """
    answer_one(_answer)


def _answer(job: dict[str, Any], on_step: OnStep) -> dict[str, Any]:
    on_step("loading")
    mode = Mode.parse(job["mode"])
    flags = {**job["flags"], "placement": mode.placement, "precision": mode.precision}
    settings = Settings.load(flags=flags)
    if job["peer"] is not None:
        return _measure_peer(Peer(job["peer"]), mode, settings, job["work"], on_step)
    return _measure(mode, settings, job["work"], on_step)


def _measure(mode: Mode, settings: Settings, work: Any, on_step: OnStep) -> dict[str, Any]:
    models = StrictModels(settings, mode, on_step)
    spec = models.named(settings.model)
    started = time.perf_counter()
    with models.embedder(spec) as embedder:
        load_s = time.perf_counter() - started

        def embed(texts: Sequence[str]) -> Vectors:
            return embedder.embed(texts, Kind.DOCUMENT)

        return _values(embed, embedder.engine, load_s, work, on_step)


def _measure_peer(
    peer: Peer, mode: Mode, settings: Settings, work: Any, on_step: OnStep
) -> dict[str, Any]:
    spec = Models(settings).named(settings.model)
    started = time.perf_counter()
    device = device_of(mode.placement)
    embed = open_peer(peer, spec, device, mode.precision, thread_count(settings))
    return _values(embed, str(peer), time.perf_counter() - started, work, on_step)


def _values(embed: Embed, engine: str, load_s: float, work: Any, on_step: OnStep) -> dict[str, Any]:
    if work is None:
        return {"load_s": load_s}
    return take_turn(embed, engine, load_s, Round.from_dict(work), on_step).to_dict()
