"""The texts a mode proves itself with: few for the self-test, 64 and 16 queries for quality."""

import hashlib
import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from indexer.embedding.embedder import Embedder
from indexer.embedding.tokenizer import Tokenizer
from indexer.errors import UsageError
from indexer.types import Kind, Vectors

_FILE = Path(__file__).with_name("texts.json")
# Where the texts of the model card's similarities stand among the golden ones.
CARD_QUERIES, CARD_DOCUMENTS = slice(0, 2), slice(2, 4)


@dataclass(frozen=True, slots=True)
class ProofText:
    """A text with how it is embedded."""

    kind: Kind
    instruction: str | None
    text: str


@dataclass(frozen=True, slots=True)
class ProofTexts:
    """The content of texts.json.

    The last golden text is longer than 256 tokens: it shows a tokenizer.json that cuts by itself
    (all-MiniLM-L6-v2's: to 128) and makes the others be padded in a batch.
    """

    golden: tuple[ProofText, ...]
    documents: tuple[str, ...]
    queries: tuple[str, ...]
    sha256: str


@cache
def proof_texts() -> ProofTexts:
    """The shipped texts."""
    raw = _FILE.read_bytes()
    values = json.loads(raw)
    return ProofTexts(
        golden=tuple(
            ProofText(Kind(entry["kind"]), entry["instruction"], entry["text"])
            for entry in values["golden"]
        ),
        documents=tuple(values["quality"]["documents"]),
        queries=tuple(values["quality"]["queries"]),
        sha256=hashlib.sha256(raw).hexdigest(),
    )


def golden_texts(tokenizer: Tokenizer) -> tuple[ProofText, ...]:
    """The golden texts this model can take: without instructed ones if it takes no instruction."""
    return tuple(t for t in proof_texts().golden if t.instruction is None or _instructs(tokenizer))


def embed_each(embedder: Embedder, texts: tuple[ProofText, ...]) -> Vectors:
    """Vectors of the texts, each embedded alone: float32, shape (n, dimension) if all is well."""
    import numpy as np

    rows = [embedder.embed([text.text], text.kind, text.instruction) for text in texts]
    return np.concatenate(rows)


def embed_together(embedder: Embedder, texts: tuple[ProofText, ...]) -> Vectors:
    """Vectors of the texts, in as few calls as kinds and instructions allow; in their order."""
    import numpy as np

    groups: dict[tuple[Kind, str | None], list[int]] = {}
    for row, text in enumerate(texts):
        groups.setdefault((text.kind, text.instruction), []).append(row)
    made = [
        embedder.embed([texts[row].text for row in rows], kind, instruction)
        for (kind, instruction), rows in groups.items()
    ]
    order = np.argsort([row for rows in groups.values() for row in rows])
    return np.concatenate(made)[order]


def _instructs(tokenizer: Tokenizer) -> bool:
    try:
        tokenizer.prompt(Kind.QUERY, "Any task")
    except UsageError:
        return False
    return True
