"""Documents gathered until they are worth one forward pass and one transaction."""

from dataclasses import dataclass, field

from indexer.embedding.embedder import Embedder, OnBatch
from indexer.modes import Mode
from indexer.storage.commit import Writer
from indexer.types import Changes, Chunk, FileChange, FileStamp, Kind, Vector

# What an interruption may cost: about this much model work.
WORK_AT_RISK_S = 5.0
# Before the model's speed is known, and as a floor: sorting by length needs some texts to sort.
MIN_TOKENS = 4_096
MAX_TOKENS = 262_144
# Without model work (all vectors known) these bound memory and the length of a transaction.
MAX_FILES = 1_024
MAX_TEXT_CHARS = 4 << 20


def token_budget(tokens_per_s: float) -> float:
    """Tokens of about `WORK_AT_RISK_S` of model work."""
    return min(max(tokens_per_s * WORK_AT_RISK_S, MIN_TOKENS), MAX_TOKENS)


@dataclass
class Group:
    """Changes waiting for their transaction, with the texts whose vectors are not stored yet."""

    files: list[FileChange] = field(default_factory=list)
    touched: list[FileStamp] = field(default_factory=list)
    moved: list[tuple[bytes, FileStamp]] = field(default_factory=list)
    chunks: int = 0
    tokens: int = 0  # of all chunks: an upper bound of the model work
    chars: int = 0

    def add(self, change: FileChange) -> None:
        """Take in a file."""
        self.files.append(change)
        for document in change.documents:
            self.chunks += len(document.chunks)
            self.tokens += sum(chunk.n_tokens for chunk in document.chunks)
            self.chars += sum(len(chunk.text) for chunk in document.chunks)

    def is_full(self, tokens_per_s: float) -> bool:
        """Time to commit, for a model of this speed (0: not known yet)."""
        entries = len(self.files) + len(self.touched) + len(self.moved)
        return (
            self.tokens >= token_budget(tokens_per_s)
            or self.chars >= MAX_TEXT_CHARS
            or entries >= MAX_FILES
        )

    def new_texts(self, writer: Writer) -> dict[bytes, Chunk]:
        """{key: chunk} of the texts that have no stored vector, each text once."""
        wanted: dict[bytes, Chunk] = {}
        for change in self.files:
            for document in change.documents:
                wanted.update(zip(document.keys, document.chunks, strict=True))
        for key in writer.known_keys(list(wanted)):
            del wanted[key]
        return wanted

    def changes(self, vectors: dict[bytes, Vector], mode: Mode) -> Changes:
        """This group as one transaction, with the new vectors and the mode that made them."""
        return Changes(
            files=tuple(self.files),
            vectors=vectors,
            mode=mode,
            touched=tuple(self.touched),
            moved=tuple(self.moved),
        )


@dataclass(slots=True)
class Embedded:
    """Vectors of one group by key, and how many texts went through the model for them."""

    vectors: dict[bytes, Vector]
    texts: int = 0


def embed_new(
    texts: dict[bytes, Chunk],
    embedder: Embedder,
    writer: Writer,
    tokens_per_s: float,
    on_batch: OnBatch,
) -> Embedded:
    """Run the model over the texts that have no vector yet; `on_batch` hears of each pass.

    More than a batch's worth of work (one long document is enough) is staged part by part, so that
    an interruption costs one part and not the whole group.
    """
    if not texts:
        return Embedded({})
    result = Embedded(writer.staged(texts, embedder.mode))
    missing = {key: chunk for key, chunk in texts.items() if key not in result.vectors}
    parts = _parts(missing, 2 * token_budget(tokens_per_s))
    for number, part in enumerate(parts, start=1):
        bare = [chunk.embedded_text for chunk in part.values()]
        made = embedder.embed(bare, Kind.DOCUMENT, on_batch=on_batch)
        result.texts += len(part)
        vectors = dict(zip(part, made, strict=True))
        result.vectors.update(vectors)
        if number < len(parts):
            writer.stage(vectors, embedder.mode)
    return result


def _parts(texts: dict[bytes, Chunk], budget: float) -> list[dict[bytes, Chunk]]:
    """The texts in order, in parts of about `budget` tokens."""
    parts: list[dict[bytes, Chunk]] = []
    room = 0.0
    for key, chunk in texts.items():
        if room <= 0:
            parts.append({})
            room = budget
        parts[-1][key] = chunk
        room -= chunk.n_tokens
    return parts
