"""Which index suits so many vectors: pure functions of number, dimension and the RAM allowed.

The figures are measured, see docs/decisions/0015-the-vector-index.md.
"""

from dataclasses import dataclass

from indexer.errors import UsageError

# Exact search reads every row: 0.07 ms a million elements on one core, so about 2 ms at this size.
EXACT_ELEMENTS = 30_000_000
# Fresh rows are searched exactly beside the codes until they cost as much as the codes do.
FRESH_ELEMENTS = 15_000_000
# Codes whose lists were learned from fewer rows than half of what they hold are learned anew.
RETRAIN_GROWTH = 2.0
# To drop dead rows the file is written anew, and codes over it learned anew: only when so much is
# dead.
DEAD_LEAST, DEAD_SHARE, DEAD_SHARE_CODED = 1_000, 0.1, 0.3
# No model's vectors are known to mean much below (Qwen3-Embedding was trained down to it), and a
# prefix of 257 dimensions could only be coded as one piece.
LEAST_PREFIX, PREFIX_STEP = 32, 8


@dataclass(frozen=True, slots=True)
class CodeSpec:
    """How rows are coded: inverted lists of 4-bit product-quantised codes."""

    lists: int
    subquantizers: int

    @property
    def code_bytes(self) -> float:
        """RAM a row takes: half a byte for each subquantizer, and its number."""
        return self.subquantizers / 2 + 8

    @property
    def factory(self) -> str:
        """For `faiss.index_factory`."""
        return f"IVF{self.lists},PQ{self.subquantizers}x4fs"


def needs_codes(live: int, dimension: int) -> bool:
    """Whether exact search over so many would be too slow."""
    return live * dimension > EXACT_ELEMENTS


def fresh_limit(dimension: int) -> int:
    """Rows that may wait beside the codes."""
    return FRESH_ELEMENTS // dimension


def is_worth_compacting(dead: int, count: int, has_codes: bool) -> bool:
    """Whether dropping the dead rows is worth writing the others again."""
    share = DEAD_SHARE_CODED if has_codes else DEAD_SHARE
    return dead > max(DEAD_LEAST, share * count)


def choose_codes(live: int, dimension: int, ram_budget_bytes: int | None = None) -> CodeSpec:
    """Lists and code size for so many rows, of which that many dimensions are coded.

    The budget halves the codes as often as it must, down to 16 dimensions a subquantizer: shorter
    ones rank so badly that scoring more rows exactly costs more than it saves.
    """
    lists = _lists(live)
    subquantizers = _divisor(dimension, dimension // 4 if dimension >= 512 else dimension // 2)
    least = max(1, dimension // 16)
    while (
        ram_budget_bytes is not None
        and subquantizers // 2 >= least
        and subquantizers % 2 == 0
        and predicted_ram(CodeSpec(lists, subquantizers), live, dimension) > ram_budget_bytes
    ):
        subquantizers //= 2
    return CodeSpec(lists, subquantizers)


def check_prefix(prefix: int, dimension: int) -> None:
    """Whether so many of that many dimensions can be coded instead of all.

    Raises:
        UsageError: too few, not fewer, or no number that codes divide well.
    """
    if not LEAST_PREFIX <= prefix < dimension or prefix % PREFIX_STEP:
        raise UsageError(
            f"A prefix of {prefix:,} dimensions: it must be a multiple of {PREFIX_STEP}, at least "
            f"{LEAST_PREFIX}, and less than the {dimension:,} of the collection's vectors. Choose "
            "another one, or --prefix-dim all."
        )


def predicted_ram(spec: CodeSpec, rows: int, dimension: int) -> int:
    """Bytes that searches keep in use: codes with their rows' numbers, which are mapped, and more.

    `dimension`: how many of each row's are coded.
    """
    return int(rows * spec.code_bytes) + own_ram(spec, rows, dimension)


def own_ram(spec: CodeSpec | None, rows: int, dimension: int) -> int:
    """Bytes of those that are not mapped: ids of rows, dead marks, checksums, and centroids."""
    return rows * 10 + (0 if spec is None else spec.lists * dimension * 4)


def _lists(live: int) -> int:
    """A power of two near 2 sqrt(n): scanning lists and choosing them then cost about the same."""
    wanted = 2 * live**0.5
    lists = 16
    while lists * 2**0.5 < wanted:
        lists *= 2
    return lists


def _divisor(dimension: int, wanted: int) -> int:
    """The largest number of equal parts of the dimension that is at most `wanted`."""
    return next(parts for parts in range(max(1, wanted), 0, -1) if dimension % parts == 0)
