"""Sizes of the models with short names, as their authors published them: a plan needs no download.

Qwen3-Embedding: config.json of each; head dimension 128, 8 pairs of keys and values. The small ones
are BERT with WordPiece: 30,522 entries, 512 positions, 2 segments.
"""

from indexer.embedding.planning.size import ModelSize

_QWEN_VOCABULARY, _QWEN_TOKENIZER_BYTES = 151_669, 11_423_705
_BERT_ROWS, _BERT_TOKENIZER_BYTES = 30_522 + 512 + 2, 466_000


def _qwen(model: str, hidden: int, inner: int, layers: int, heads: int) -> ModelSize:
    queries, pairs = 128 * heads, 128 * 8
    table = _QWEN_VOCABULARY * hidden
    matrices = layers * hidden * (2 * queries + 2 * pairs + 3 * inner)
    return ModelSize(
        model=model,
        architecture="qwen3",
        table_values=table,
        matrix_values=matrices,
        file_bytes=2 * (table + matrices),
        hidden=hidden,
        inner=inner,
        layers=layers,
        tokenizer_bytes=_QWEN_TOKENIZER_BYTES,
    )


def _bert(model: str, layers: int, value_bytes: int) -> ModelSize:
    hidden = 384
    table, matrices = _BERT_ROWS * hidden, layers * 12 * hidden * hidden
    return ModelSize(
        model=model,
        architecture="bert",
        table_values=table,
        matrix_values=matrices,
        file_bytes=(table + matrices) * value_bytes,
        hidden=hidden,
        inner=4 * hidden,
        layers=layers,
        tokenizer_bytes=_BERT_TOKENIZER_BYTES,
        against_packed="its architecture is bert; qwen3 is built in",
    )


# By the short names of `models`.
PUBLISHED: dict[str, ModelSize] = {
    "qwen3-0.6b": _qwen("Qwen/Qwen3-Embedding-0.6B", 1024, 3072, 28, 16),
    "qwen3-4b": _qwen("Qwen/Qwen3-Embedding-4B", 2560, 9728, 36, 32),
    "qwen3-8b": _qwen("Qwen/Qwen3-Embedding-8B", 4096, 12288, 36, 32),
    "minilm": _bert("sentence-transformers/all-MiniLM-L6-v2", 6, 4),
    "gte-tiny": _bert("TaylorAI/gte-tiny", 6, 2),
    "bge-micro-v2": _bert("TaylorAI/bge-micro-v2", 3, 2),
}
# What to fall back on, best first.
SMALLER: tuple[tuple[str, ModelSize], ...] = tuple(
    (name, PUBLISHED[name]) for name in ("qwen3-0.6b", "minilm", "gte-tiny", "bge-micro-v2")
)
