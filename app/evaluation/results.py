"""What an evaluation found: one frozen tree of values, written and read as JSON.

A file of results may come from anyone, so it is checked when read. Times are milliseconds.
"""

from pathlib import Path
from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from indexer.errors import UsageError
from indexer.storage.manifest import write_bytes
from indexer.types import Scan


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class Estimate(_Frozen):
    """A number with its 95 % interval."""

    value: float
    low: float
    high: float


class Measure(_Frozen):
    """One measure of retrieval quality; the interval is a bootstrap over queries."""

    mean: Estimate
    per_query: tuple[float, ...]  # in the order of `Data.query_ids`
    difference: float | None = None  # of the mean to the reference cell's; None: is the reference
    p: float | None = None  # of that difference, two-sided, by paired randomisation over queries


class Agreement(_Frozen):
    """How far a cell's vectors and rankings are those of the reference cell."""

    texts: int  # passages compared
    cosine_mean: float
    cosine_min: float
    query_cosine_mean: float
    query_cosine_min: float
    overlap_10: float  # share of the ten nearest documents that both give, mean over queries
    kendall_tau: float  # of the documents that both give among 100, mean over queries


class CurvePoint(_Frozen):
    """What an index finds with one search effort."""

    lists: int  # scanned
    candidates: int  # scored exactly, at least
    recall_10: float
    latency_ms: float  # median of single searches on one thread, embedding excluded


class AnnRecall(_Frozen):
    """What the index finds of the nearest passages that exact search finds, ties by distance."""

    recall_10: Estimate  # interval by bootstrap over queries
    build_s: float | None  # None: built before, by `semsearch index`
    index_bytes: int
    curve: tuple[CurvePoint, ...] = ()  # as the index was measured when built, by latency


class Indexing(_Frozen):
    """The run that embedded the documents; kept with them, as later runs only reuse."""

    is_whole: bool = True  # False: vectors were there already, as after an interrupted run
    measured: str  # when, ISO 8601
    documents: int
    passages: int
    tokens: int
    seconds: float  # from reading to searchable
    model_s: float


class Times(_Frozen):
    """Durations of one kind of call: percentiles with block bootstrap intervals over rounds."""

    n: int
    mean: float
    p50: Estimate
    p95: Estimate
    p99: Estimate
    ratio: Estimate | None = None  # of the median to the reference cell's, rounds paired


class Speed(_Frozen):
    """What was timed, in rounds in which all cells took turns, each in a new process."""

    load_s: Estimate  # from nothing to a model that has embedded its first text
    cold_ms: Times  # the first answer of a process
    embed_ms: dict[int, Times]  # queries embedded in one call -> of the call
    search_ms: dict[int, Times]  # clients at once -> of an answer, embedding included
    queries_per_s: dict[int, Estimate]  # clients at once -> answers
    tokens_per_s: Estimate  # passages, as indexing embeds them
    passages_per_s: Estimate
    joules_per_query: Estimate | None = None  # of the whole machine; None: no counter readable


class Cell(_Frozen):
    """Everything measured of one model, dimension, mode and kind of index."""

    model: str
    dimension: int
    mode: str  # "cpu:int8"
    index: Scan
    engine: str  # what ran the model
    quality: dict[str, dict[str, Measure]]  # "dense" -> "ndcg@10" -> ...
    agreement: Agreement | None = None  # None: is the reference, or vectors of another model
    ann: AnnRecall | None = None  # None: every search is exact
    indexing: Indexing | None = None  # None: a collection of the user's own, only asked
    speed: Speed | None = None  # None: only quality was asked for
    peak_ram_bytes: int  # of the process with all that it started
    peak_vram_bytes: int | None = None

    @property
    def label(self) -> str:
        """Names the cell."""
        return f"{self.model} {self.dimension} {self.mode} {self.index}"


class NotRun(_Frozen):
    """A cell that this machine, model or version cannot run."""

    label: str
    reason: str
    tried: bool = False  # it was to run, and failed


class Data(_Frozen):
    """What was searched and judged."""

    name: str
    documents: int
    query_ids: tuple[str, ...]  # of the judged queries, in the order of every `per_query`
    judgements: int
    checksums: dict[str, str]  # file name -> sha256
    whole_documents: bool  # one vector a document, cut at the model's limit
    known_items: bool = False  # queries were made from titles: a weaker substitute for judgements


class Machine(_Frozen):
    """Where it was measured."""

    cpu: str
    cores: int
    threads: int
    instructions: tuple[str, ...]
    ram_bytes: int
    gpus: tuple[str, ...]


class Drift(_Frozen):
    """How the machine itself changed meanwhile: the reference cell's median, round by round."""

    label: str
    medians_ms: tuple[float, ...]

    @property
    def share(self) -> float:
        """Greatest median over the least, less one."""
        return max(self.medians_ms) / min(self.medians_ms) - 1


class Results(_Frozen):
    """One evaluation."""

    format: Literal[1] = 1
    started: str  # ISO 8601
    seconds: float
    command: str
    machine: Machine
    versions: dict[str, str]
    commit: str | None  # of a checkout
    data: Data
    rounds: int
    warmup: int  # calls of each kind before those that count, in each process
    reference: str  # label of the cell that others are compared with
    cells: tuple[Cell, ...]
    not_run: tuple[NotRun, ...]
    drift: Drift | None = None
    problems: tuple[str, ...] = Field(default=())  # what a reader should know before believing

    @classmethod
    def read(cls, path: Path) -> Self:
        """From a file.

        Raises:
            UsageError: missing, or no results of this version.
        """
        try:
            return cls.model_validate_json(path.read_bytes())
        except OSError as error:
            raise UsageError(f"{path}: {error.strerror or error}. Name a results.json.") from error
        except ValidationError as error:
            first = error.errors()[0]
            where = ".".join(str(part) for part in first["loc"]) or "the file"
            raise UsageError(
                f"{path}: no results that this version reads ({where}: {first['msg']}). Measure "
                "again with `semsearch eval`."
            ) from error

    def write(self, path: Path) -> None:
        """To a file, whole or not at all."""
        write_bytes(path, self.model_dump_json().encode())
