"""sentence-transformers: `SentenceTransformer.encode` with its own batches, sorted by length."""

from collections.abc import Sequence

import numpy as np

from indexer.embedding.peers.peer import Embed
from indexer.embedding.spec import ModelSpec
from indexer.modes import Precision
from indexer.types import Vectors


def open_sentence_transformers(spec: ModelSpec, device: str, precision: Precision) -> Embed:
    """The model on one device."""
    import torch
    from sentence_transformers import SentenceTransformer

    kinds = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}
    model = SentenceTransformer(
        str(spec.folder),
        device=device,
        local_files_only=True,
        model_kwargs={"dtype": kinds[precision]},
    )

    def embed(texts: Sequence[str]) -> Vectors:
        found = model.encode(
            list(texts),
            prompt=spec.document_prompt,
            normalize_embeddings=True,
            show_progress_bar=False,
        )
        return np.asarray(found, dtype=np.float32)

    return embed
