"""What an indexing run starts from: options, model and contract out of the settings."""

import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from app.search.instructions import instruction_of
from app.search.models import Models
from app.settings import Settings
from app.threads import thread_count
from indexer.documents.chunk import CHUNKER_VERSION, ChunkOptions
from indexer.documents.discover import DiscoverOptions, resolve_root
from indexer.documents.read import ReadLimits
from indexer.embedding.planning.choose import expected, plan_for
from indexer.embedding.planning.plan import Option
from indexer.embedding.planning.size import read_size
from indexer.embedding.proof.prove import Say
from indexer.embedding.spec import ModelSpec
from indexer.embedding.tokenizer import load_tokenizer
from indexer.errors import UsageError
from indexer.modes import Placement
from indexer.pipeline.dry_run import DryRun, Known, predict
from indexer.pipeline.run import IndexOptions
from indexer.storage.collection import Collection
from indexer.storage.query_wishes import QueryWishes
from indexer.storage.vectors.build import OnStage, is_due
from indexer.storage.vectors.certificate import Certificate
from indexer.storage.vectors.choice import check_prefix
from indexer.storage.vectors.process import build_apart
from indexer.storage.vectors.wishes import BuildWishes, keep_wishes
from indexer.types import Contract, Kind


def index_options(
    settings: Settings,
    contract: Contract,
    include: Sequence[str],
    exclude: Sequence[str],
    workers: int,
) -> IndexOptions:
    """The pipeline's options from settings, the contract's chunk size and globs."""
    budget = _chunk_tokens(contract)
    return IndexOptions(
        discover=DiscoverOptions(
            include=tuple(include),
            exclude=tuple(exclude),
            max_file_bytes=settings.max_file_mib << 20,
        ),
        chunking=ChunkOptions(budget, min(ChunkOptions().overlap_tokens, budget // 4)),
        limits=ReadLimits(
            memory_bytes=settings.read_memory_mib << 20,
            timeout_s=settings.read_timeout_s,
            text_bytes=settings.read_output_mib << 20,
        ),
        workers=workers,
    )


def query_wishes(spec: ModelSpec, given: str | None) -> QueryWishes | None:
    """What the collection is to keep for its queries: a preset, a sentence, or none for none.

    Raises:
        UsageError: the model takes no instruction, or it is more than a line.
    """
    if given is None:
        return None
    if given.strip().casefold() == "none":
        return QueryWishes(None)
    instruction = instruction_of(given)
    load_tokenizer(spec).prompt(Kind.QUERY, instruction)
    return QueryWishes(instruction)


def choose_model(
    settings: Settings, models: Models, folder: Path, *, reembed: bool
) -> tuple[str | None, ModelSpec, Contract]:
    """(name to remember the model by, spec, contract) to index with.

    What was set (flag, environment, config file for sizes) is taken at its word, and refused by the
    store if the collection has it otherwise; what was not is taken from an existing collection.
    """
    named = settings.origin("model") in {"flag", "environment"}
    if is_collection(folder) and not named and not reembed:
        with Collection.open(folder) as existing:
            stored = existing.contract
        tokens = _set_or(settings, "chunk_tokens", _chunk_tokens(stored))
        return (
            None,
            models.of_contract(stored),
            replace(
                stored,
                chunker=f"{CHUNKER_VERSION}/{min(tokens, stored.max_tokens)}",
                dimension=_set_or(settings, "dimension", stored.dimension),
            ),
        )
    spec = models.named(settings.model)
    chunker = f"{CHUNKER_VERSION}/{min(settings.chunk_tokens, spec.max_tokens)}"
    return settings.model, spec, spec.contract(chunker, settings.dimension)


def _set_or(settings: Settings, name: str, stored: int) -> int:
    """The setting if somebody set it, else what the collection has."""
    value = getattr(settings, name)
    return stored if settings.origin(name) == "default" or value is None else int(value)


def _chunk_tokens(contract: Contract) -> int:
    """The chunk size that a contract's chunker names, e.g. 512 in "1/512"."""
    return int(contract.chunker.partition("/")[2])


def targets(paths: Sequence[Path], folder: Path) -> list[Path]:
    """Real paths to index; without any, the roots of the existing collection.

    Raises:
        UsageError: neither paths nor roots.
        ReadError: one of them does not exist.
    """
    if not paths:
        if not is_collection(folder):
            raise UsageError("Say what to index, for example: semsearch index ./docs")
        with Collection.open(folder) as existing:
            paths = [Path(os.fsdecode(root)) for root in existing.status().roots]
        if not paths:
            raise UsageError("The collection has no roots yet. Say what to index.")
    return [resolve_root(path) for path in paths]


def foresee(
    models: Models,
    paths: Sequence[Path],
    folder: Path,
    spec: ModelSpec,
    contract: Contract,
    options: IndexOptions,
) -> DryRun:
    """What indexing these paths would do and cost; changes nothing and takes no lock."""
    option = _expected(models, spec)
    if not is_collection(folder):
        return predict(paths, Known.nothing(), spec, contract, options, option)
    with Collection.open(folder) as existing, existing.snapshot() as now:
        same = now.head.contract == contract  # else everything would be embedded anew
        known = Known(now.known_files, now.known_keys) if same else Known.nothing()
        return predict(paths, known, spec, contract, options, option)


def _expected(models: Models, spec: ModelSpec) -> Option | None:
    """Where the model will run, by the planner; None: on another machine."""
    wishes = models.wishes
    if wishes.placement is Placement.REMOTE:
        return None
    plan = plan_for(
        read_size(spec),
        wishes,
        models.checked(spec),
        folder=spec.transformer_folder,
        measure_speed=True,
    )
    return expected(plan, wishes)


def index_wishes(
    settings: Settings, spec: ModelSpec, contract: Contract, say: Say | None = None
) -> BuildWishes:
    """What the settings ask of a collection's vector index; `say` is told of a doubt.

    Raises:
        UsageError: its vectors have no such prefix.
    """
    if settings.prefix_dim:
        check_prefix(settings.prefix_dim, contract.dimension)
        if say is not None and not spec.is_mrl:
            say(
                f"{spec.model} is not known to be trained for shorter vectors (MRL): its first "
                f"{settings.prefix_dim} dimensions may find little. `semsearch status` will tell "
                "what they were measured to find; --prefix-dim all goes back."
            )
    budget = settings.ram_budget_mib
    return BuildWishes(
        target_recall=settings.target_recall,
        ram_budget_bytes=None if budget is None else budget << 20,
        prefix_dim=settings.prefix_dim,
        threads=thread_count(settings),
    )


def build_index(folder: Path, wishes: BuildWishes, on_stage: OnStage) -> Certificate | None:
    """Bring a large collection's vector index up to date, in a process of low priority.

    None when nothing was due; searches go on all the while. What is asked of the index is kept even
    if the collection is too small for one.

    Raises:
        LockedError: another process is building it.
        StoreError: it could not be built; the old state stays.
    """
    keep_wishes(folder, wishes)
    return build_apart(folder, wishes, on_stage) if is_due(folder, wishes) else None


def is_collection(folder: Path) -> bool:
    """Whether a collection lies in this folder."""
    return (folder / "catalog.sqlite3").is_file()
