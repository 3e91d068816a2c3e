"""A collection of the user's own as a judged set: nothing is embedded, it is only asked."""

import hashlib
import json
from dataclasses import dataclass

from app.evaluation.judged.dataset import JudgedSet
from app.evaluation.judged.known_items import known_item_set
from app.evaluation.judged.own import OwnSet, own_set
from app.search.collections import Collections
from app.search.models import Models
from app.settings import Settings
from indexer.types import Scan


@dataclass(frozen=True, slots=True)
class Live:
    """What to measure of a collection."""

    judged: JudgedSet
    model: str  # name or folder
    dimension: int
    kinds: tuple[Scan, ...]  # of index that it has


def own_judged(
    settings: Settings, models: Models, known_items: int | None, kinds: tuple[Scan, ...]
) -> Live:
    """The collection of the settings with its judgements, or with queries made of its headings.

    Args:
        settings: name the collection.
        models: know where its model lies.
        known_items: queries to make from headings; None: what was judged by hand.
        kinds: of index that are asked for; codes only where the collection has them.

    Raises:
        NotFoundError: there is no such collection.
        UsageError: nothing was judged, or no heading will do.
    """
    opened = Collections(settings)
    folder = settings.collection_folder()
    try:
        collection = opened.get()
        status, contract = collection.status(), collection.contract
        if known_items is None:
            own = own_set(collection, folder)
        else:
            own = known_item_set(collection, known_items)
    finally:
        opened.close()
    has_codes = status.index.certificate is not None
    return Live(
        judged=JudgedSet(
            name=settings.collection,
            corpus=None,
            queries=own.queries,
            qrels=own.qrels,
            checksums={"judgements": _digest(own)},
            problems=own.problems,
            own=folder,
            known_items=own.known_items,
        ),
        model=models.source_of(contract),
        dimension=contract.dimension,
        kinds=tuple(kind for kind in kinds if kind is Scan.EXACT or has_codes) or (Scan.EXACT,),
    )


def _digest(own: OwnSet) -> str:
    """Of queries and judgements: two runs compare if these are the same, whatever was indexed."""
    told = json.dumps([own.queries, own.qrels], sort_keys=True)
    return hashlib.sha256(told.encode("utf-8", "surrogatepass")).hexdigest()
