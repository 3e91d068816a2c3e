"""text-embeddings-inference's own POST /embed: a list of texts to a list of vectors."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from indexer.embedding.remote.faults import AnswerFault
from indexer.embedding.remote.wire import WireFormat, checked, numbers
from indexer.types import Vectors


class TeiFormat(WireFormat):
    """{"inputs", "normalize", "truncate"} -> [[float]]; rows come in the order of the inputs."""

    def request(self, texts: Sequence[str]) -> dict[str, Any]:
        """See `WireFormat.request`; texts arrive cut, so that truncating would be a mistake."""
        return {"inputs": list(texts), "normalize": True, "truncate": False}

    def vectors(self, answer: object, count: int, dimension: int) -> Vectors:
        """See `WireFormat.vectors`."""
        if not isinstance(answer, list):
            raise AnswerFault("gave no list of vectors: it does not speak TEI's /embed")
        if len(answer) != count:
            raise AnswerFault(f"gave {len(answer)} vectors for {count} texts")
        rows = [numbers(row, dimension) for row in answer]
        return checked(np.stack(rows))
