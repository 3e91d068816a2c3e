"""The process that embeds a judged set in one mode, and answers every query of it in every way."""

import json
import os
import time
from contextlib import ExitStack
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from app.evaluation.apart import OnStep, answer_one
from app.evaluation.judged.dataset import documents_of
from app.evaluation.lanes.answers import Asked, answer_all
from app.evaluation.lanes.lane import Lane, lane_settings
from app.evaluation.lanes.own_server import own_server
from app.evaluation.strict_models import StrictModels
from app.indexing import build_index, index_options, index_wishes, is_collection
from app.search.query import Mode as Way
from app.settings import Settings
from indexer.documents.chunk import CHUNKER_VERSION
from indexer.embedding.embedder import Embedder
from indexer.embedding.footprint import peak_rss_bytes, peak_vram_bytes
from indexer.embedding.spec import ModelSpec
from indexer.pipeline.report import Progress, Report
from indexer.pipeline.run import index
from indexer.pipeline.whole import CHUNKER, index_whole
from indexer.storage.collection import Collection
from indexer.storage.commit import Writer
from indexer.storage.manifest import read_json, write_json
from indexer.types import Contract, Scan

INDEXED = "indexed.json"  # what the run that embedded a collection took
BUILT = "built.json"  # what building its codes took


@dataclass(frozen=True, slots=True)
class Prepare:
    """The job."""

    lane: Lane
    flags: dict[str, Any]
    folder: Path  # of the collection
    corpus: Path | None  # that the collection shall hold; None: it is the user's, and only asked
    queries: Path  # JSON: {query id: text}
    output: Path  # folder for runs and vectors
    whole_documents: bool
    kinds: tuple[Scan, ...]
    ways: tuple[Way, ...]

    def to_job(self) -> dict[str, Any]:
        """JSON values."""
        paths = {name: os.fspath(getattr(self, name)) for name in _PATHS}
        paths |= {} if self.corpus is None else {"corpus": os.fspath(self.corpus)}
        lists = {"kinds": list(self.kinds), "ways": list(self.ways)}
        plain = {"flags": self.flags, "whole_documents": self.whole_documents}
        return {"lane": self.lane.to_job(), **plain, **paths, **lists}

    @classmethod
    def of_job(cls, job: dict[str, Any]) -> "Prepare":
        """The inverse."""
        return cls(
            lane=Lane.of_job(job["lane"]),
            flags=job["flags"],
            whole_documents=job["whole_documents"],
            kinds=tuple(Scan(kind) for kind in job["kinds"]),
            ways=tuple(Way(way) for way in job["ways"]),
            corpus=Path(job["corpus"]) if "corpus" in job else None,
            **{name: Path(job[name]) for name in _PATHS},
        )


_PATHS = ("folder", "queries", "output")


def main() -> None:
    """Answer one `Prepare`.

    The values: model, dimension, engine, documents, indexing (see `INDEXED`; None: not ours to
    index), build_s, index_bytes and curve of the codes, ann_recalls (one a query), peaks.
    """
    answer_one(_prepare)


def _prepare(job: dict[str, Any], on_step: OnStep) -> dict[str, Any]:
    task = Prepare.of_job(job)
    settings = lane_settings(task.lane, task.flags)
    with ExitStack() as stack:
        stack.enter_context(own_server(task.lane, on_step))
        models = StrictModels(settings, task.lane.mode, on_step)
        spec = models.named(settings.model)
        on_step("loading the model")
        embedder = stack.enter_context(models.embedder(spec, settings.dimension))
        indexing = None
        if task.corpus is not None:
            contract = _contract(task, settings, spec)
            indexing = _index(task, task.corpus, settings, embedder, contract, on_step)
            _build_codes(task, settings, embedder, contract, on_step)
        collection = stack.enter_context(Collection.open(task.folder))
        models.admit(collection, embedder)
        queries = json.loads(task.queries.read_text("utf-8"))
        asked = Asked(queries, task.corpus, task.kinds, task.ways, task.output)
        found = answer_all(asked, collection, embedder, on_step)
        built = _built(task.folder, collection)
    return {
        "model": spec.model,
        "dimension": embedder.dimension,
        "engine": _engine(task.lane, embedder),
        "indexing": indexing,
        **built,
        **found,
        "peak_rss_bytes": peak_rss_bytes(),
        "peak_vram_bytes": peak_vram_bytes(),
    }


def _contract(task: Prepare, settings: Settings, spec: ModelSpec) -> Contract:
    tokens = min(settings.chunk_tokens, spec.max_tokens)
    chunker = CHUNKER if task.whole_documents else f"{CHUNKER_VERSION}/{tokens}"
    return spec.contract(chunker, settings.dimension)


def _engine(lane: Lane, embedder: Embedder) -> str:
    return embedder.engine if lane.own_server_port is None else "semsearch serve on this machine"


def _index(
    task: Prepare,
    corpus: Path,
    settings: Settings,
    embedder: Embedder,
    contract: Contract,
    on_step: OnStep,
) -> dict[str, Any]:
    """Bring the collection up to date; what the run that embedded it took.

    It is ours alone, so what was embedded under another contract goes.
    """
    record = task.folder / INDEXED
    is_new = not is_collection(task.folder)
    with Writer.open(task.folder, contract, reembed=True) as writer:
        if task.whole_documents:
            texts = ((document.id, document.whole) for document in documents_of(corpus))

            def tell(report: Report) -> None:
                on_step(f"embedding, {report.chunks:,} documents, {report.tokens:,} tokens")

            report = index_whole(texts, corpus, writer, embedder, contract, tell)
        else:

            def tell_progress(progress: Progress) -> None:
                on_step(f"embedding, {progress.chunks:,} chunks, {progress.tokens:,} tokens")

            options = index_options(settings, contract, (), (), workers=1)
            report = index([corpus], writer, embedder, contract, options, tell_progress)
    kept = read_json(record)
    if report.embedded or kept is None:
        kept = _took(report, is_whole=is_new)
        write_json(record, kept)  # later runs will only reuse what this one made
    return kept


def _took(report: Report, *, is_whole: bool) -> dict[str, Any]:
    return {
        "is_whole": is_whole,
        "measured": datetime.now(UTC).isoformat(timespec="seconds"),
        "documents": report.documents,
        "passages": report.chunks,
        "tokens": report.tokens,
        "seconds": report.seconds,
        "model_s": report.model_s,
    }


def _build_codes(
    task: Prepare, settings: Settings, embedder: Embedder, contract: Contract, on_step: OnStep
) -> None:
    """Build codes, however few vectors there are, where they shall be measured."""
    if Scan.CODES not in task.kinds:
        return
    wishes = replace(index_wishes(settings, embedder.spec, contract), even_if_small=True)
    started = time.perf_counter()
    built = build_index(
        task.folder, wishes, lambda stage, done: on_step(f"vector index: {stage}, {done:.0%}")
    )
    if built is not None:
        write_json(task.folder / BUILT, {"build_s": time.perf_counter() - started})


def _built(folder: Path, collection: Collection) -> dict[str, Any]:
    """What the collection's codes took and were measured to find; zeros where it has none."""
    kept = read_json(folder / BUILT) or {"build_s": None}
    certificate = collection.status().index.certificate
    curve = [] if certificate is None else certificate.to_dict()["curve"]
    sizes = [path.stat().st_size for path in folder.glob("vectors-*.codes")]
    return {**kept, "index_bytes": sum(sizes), "curve": curve}
