"""The FAISS families of the study: how each is spelled, refined and searched harder.

A family is one line here. What FAISS refuses stays in the list: its reason is then in the results.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from indexer.storage.vectors.choice import choose_codes

Effort = dict[str, int]  # lists and candidates, or ef; nothing where there is nothing to choose

EFS = (16, 32, 64, 128, 256, 512, 1024)
LIST_SHARES = (128, 32, 16, 8, 4, 2)  # one list in so many is scanned
NO_MRL = (
    "These vectors are of a model that was not trained to keep meaning in its first dimensions "
    "(MRL): the recall shows only that the mechanics work."
)
PLAIN_REFINE = (
    "FAISS 1.15.1 makes a plain IndexRefine of this, which skips no dimensions; in batches other "
    "than 1 it takes the wrong rows without a word (recall@10 of 0.02 to 0.5 on 2,000 rows)."
)


class Group(StrEnum):
    """Families that are drawn alike."""

    EXACT = "exact scan"
    GRAPH = "HNSW"
    PQ = "IVF, product codes"
    RABITQ = "IVF, RaBitQ"
    PANORAMA = "Panorama"
    PREFIX = "codes of a prefix"
    CATALOG = "rows from the catalog"


class Rows(StrEnum):
    """What ranks the candidates in the end."""

    OWN = "the index itself"
    MAPPED = "a mapped float16 file"
    CATALOG = "the SQLite catalog"


@dataclass(frozen=True)
class Family:
    """One way to build an index.

    `recipe` is for `faiss.index_factory`; {d}, {lists}, {parts} (of product codes) and {levels} are
    filled in for a size and a dimension.
    """

    name: str
    group: Group
    recipe: str
    rows: Rows = Rows.OWN
    candidates: tuple[int, ...] = ()  # how many the codes find for 10 results
    code_bytes: int = 0  # of product codes
    by_l2: bool = False  # same order as by inner product, as rows have unit length
    prefix: int | None = None  # the codes see only so many dimensions
    construction: int | None = None  # efConstruction, where not FAISS's 40
    note: str = ""

    def suits(self, dimension: int) -> bool:
        """Whether it makes sense: a prefix must be shorter than the whole."""
        return self.prefix is None or self.prefix < dimension

    def factory(self, n: int, dimension: int) -> str:
        """The recipe for n rows, for `faiss.index_factory`."""
        return self.recipe.format(
            d=dimension,
            lists=self.lists(n, dimension),
            parts=self.parts(dimension),
            levels=dimension // 64,
        )

    def lists(self, n: int, dimension: int) -> int:
        """As many as the product would take."""
        return choose_codes(n, dimension).lists

    def parts(self, dimension: int) -> int:
        """4-bit parts that fill `code_bytes`, or the most below that divide the dimension."""
        coded = self.prefix or dimension
        wanted = max(1, 2 * self.code_bytes)
        return next(parts for parts in range(min(wanted, coded), 0, -1) if coded % parts == 0)

    def efforts(self, n: int, dimension: int) -> list[Effort]:
        """Settings to measure."""
        if "HNSW" in self.recipe:
            return [{"ef": ef} for ef in EFS]
        if "IVF" not in self.recipe:
            return [{}]
        lists = self.lists(n, dimension)
        scanned = sorted({max(1, lists // share) for share in LIST_SHARES})
        if not self.candidates:
            return [{"lists": some} for some in scanned]
        return [{"lists": some, "candidates": c} for some in scanned for c in self.candidates]

    def facts(self, n: int, dimension: int) -> dict[str, Any]:
        """What stands beside its figures."""
        facts: dict[str, Any] = {"recipe": self.factory(n, dimension), "ranked_by": self.rows}
        if "{parts}" in self.recipe:
            facts["code_bytes"] = self.parts(dimension) / 2
        if self.construction is not None:
            facts["ef_construction"] = self.construction
        return facts


def _product(name: str, code_bytes: int, candidates: tuple[int, ...], **more: Any) -> Family:
    values = {"group": Group.PQ, "recipe": "IVF{lists},PQ{parts}x4fs", "rows": Rows.MAPPED, **more}
    return Family(name, candidates=candidates, code_bytes=code_bytes, **values)


def _rabitq(name: str, recipe: str, candidates: tuple[int, ...]) -> Family:
    return Family(name, Group.RABITQ, recipe, Rows.MAPPED, candidates)


def _panorama(name: str, recipe: str, **more: Any) -> Family:
    return Family(name, Group.PANORAMA, recipe, **more)


# Rows are turned by a PCA of full size where Panorama is to skip the last dimensions: it pays when
# the first ones hold most of the length. A PCA also moves the origin, hence L2. Lists are padded to
# whole batches: the default of 1,024 rows would double the memory of lists of 500.
_ALL = (
    Family("flat", Group.EXACT, "Flat"),
    Family("sqfp16", Group.EXACT, "SQfp16"),
    Family("sq8", Group.EXACT, "SQ8"),
    Family("hnsw32-flat", Group.GRAPH, "HNSW32,Flat"),
    Family("hnsw32-sq8", Group.GRAPH, "HNSW32,SQ8"),
    Family("hnsw32-sq8-ef200", Group.GRAPH, "HNSW32,SQ8", construction=200),
    Family("hnsw32-sqfp16", Group.GRAPH, "HNSW32,SQfp16"),
    Family("ivf-flat", Group.PQ, "IVF{lists},Flat"),
    _product("ivf-pq4fs-64b", 64, (40, 160, 640)),
    _product("ivf-pq4fs-128b", 128, (20, 80, 320)),
    _product("ivf-pq4fs-256b", 256, (20, 40, 160)),
    _product(
        "ivf-pq4fs-rflat",
        128,
        (20, 80, 320),
        recipe="IVF{lists},PQ{parts}x4fs,RFlat",
        rows=Rows.OWN,
    ),
    _rabitq("ivf-rabitq1", "IVF{lists},RaBitQ", (40, 160, 640)),
    _rabitq("ivf-rabitq2", "IVF{lists},RaBitQ2", (20, 80, 320)),
    _rabitq("ivf-rabitq4", "IVF{lists},RaBitQ4", (10, 20, 80)),
    _rabitq("ivf-rabitqfs1", "IVF{lists},RaBitQfs", (40, 160, 640)),
    _rabitq("ivf-rabitqfs1-rotated", "RR{d},IVF{lists},RaBitQfs", (40, 160, 640)),
    _rabitq("ivf-rabitqfs2", "IVF{lists},RaBitQfs2", (20, 80, 320)),
    _rabitq("ivf-rabitqfs4", "IVF{lists},RaBitQfs4", (10, 20, 80)),
    _panorama("panorama-ip", "FlatIPPanorama{levels}"),
    _panorama("panorama-pca", "PCA{d},FlatL2Panorama{levels}", by_l2=True),
    _panorama("ivf-panorama-ip", "IVF{lists},FlatPanorama{levels}_128"),
    _panorama("ivf-panorama-pca", "PCA{d},IVF{lists},FlatPanorama{levels}_128", by_l2=True),
    _panorama("hnsw32-panorama-ip", "HNSW32,FlatPanorama{levels}"),
    _panorama("hnsw32-panorama-pca", "PCA{d},HNSW32,FlatPanorama{levels}", by_l2=True),
    _panorama(
        "ivf-pq4fs-rpanorama",
        "IVF{lists},PQ{parts}x4fs,Refine(FlatL2Panorama{levels}_1)",
        by_l2=True,
        code_bytes=128,
        candidates=(20, 80, 320),
        note=PLAIN_REFINE,
    ),
    _product(
        "prefix256-pq4fs-64b", 64, (40, 160, 640), group=Group.PREFIX, prefix=256, note=NO_MRL
    ),
    _product(
        "prefix512-pq4fs-128b", 128, (20, 80, 320), group=Group.PREFIX, prefix=512, note=NO_MRL
    ),
    _product("ivf-pq4fs-128b-catalog", 128, (20, 80, 320), group=Group.CATALOG, rows=Rows.CATALOG),
)
FAMILIES = {family.name: family for family in _ALL}
