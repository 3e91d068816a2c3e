"""What is asked of a search, checked before any work."""

from dataclasses import dataclass
from enum import StrEnum

from indexer.errors import QueryError
from indexer.types import Kind

# Longer queries are refused before any work: no question is this long, and tokenising is not free.
MAX_QUERY_CHARS = 32_768
MAX_INSTRUCTION_CHARS = 2_000
MAX_FILTER_CHARS = 4_096  # as the parser takes
# Documents of one answer, and of all its pages together: who wants more wants an export.
MAX_K = 1_000
MAX_MORE = 20
MAX_BUDGET_S = 600.0
MAX_NEIGHBOURS = 10


class Mode(StrEnum):
    """How chunks are found."""

    HYBRID = "hybrid"
    DENSE = "dense"
    LEXICAL = "lexical"


@dataclass(frozen=True, slots=True)
class Query:
    """A question and how to answer it."""

    text: str
    mode: Mode = Mode.HYBRID
    k: int = 10  # hits, at most one per document
    where: str | None = None  # which documents may be found; see docs/filters.md
    # The task, for models that take one, or the name of a preset; None: the collection's own.
    instruction: str | None = None
    rerank: bool = False  # let the reranker of the settings read the best and reorder them
    budget_s: float | None = None  # as many as it can read in this time; None: as the settings say
    more: int = 2  # further matching chunks shown under a document's best one
    neighbours: int = 0  # chunks shown before and after the best one
    cursor: str | None = None  # from the answer before: the hits after those already shown
    # DOCUMENT: the text is a passage such as an answer would be, and embedded as one (HyDE).
    kind: Kind = Kind.QUERY

    def check(self) -> None:
        """Return if the query can be answered.

        Raises:
            QueryError: it is empty, over-long or out of bounds; says which value.
        """
        if not self.text.strip():
            raise QueryError("The query is empty. Say what you are looking for.")
        if len(self.text) > MAX_QUERY_CHARS:
            raise QueryError(
                f"The query has {len(self.text):,} characters; at most {MAX_QUERY_CHARS:,} are "
                "taken."
            )
        self._check_instruction()
        self._check_budget()
        for name, value, least, most in (
            ("k", self.k, 1, MAX_K),
            ("more", self.more, 0, MAX_MORE),
            ("neighbours", self.neighbours, 0, MAX_NEIGHBOURS),
        ):
            if not least <= value <= most:
                raise QueryError(f"{name} = {value:,}: give a number from {least} to {most:,}.")

    def _check_budget(self) -> None:
        if self.budget_s is None:
            return
        if not self.rerank:
            raise QueryError("A budget is the time of the reranker. Ask for reranking as well.")
        if not 0 < self.budget_s <= MAX_BUDGET_S:
            raise QueryError(
                f"A budget of {self.budget_s * 1000:,.0f} ms: give more than 0 and at most "
                f"{MAX_BUDGET_S:,.0f} s."
            )

    def _check_instruction(self) -> None:
        if self.kind is Kind.DOCUMENT and self.mode is not Mode.DENSE:
            raise QueryError(
                f"A passage is searched by meaning alone: mode dense, not {self.mode}."
            )
        if self.instruction is None:
            return
        if self.kind is Kind.DOCUMENT:
            raise QueryError("A passage is embedded without an instruction. Leave it out.")
        if self.mode is Mode.LEXICAL:
            raise QueryError(
                "An instruction steers the embedding model; lexical search uses none. "
                "Leave the instruction out, or use mode hybrid or dense."
            )
        if len(self.instruction) > MAX_INSTRUCTION_CHARS:
            raise QueryError(
                f"The instruction has {len(self.instruction):,} characters; at most "
                f"{MAX_INSTRUCTION_CHARS:,} are taken."
            )
