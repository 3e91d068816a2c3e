"""Plain transformers: the tokenizer pads the texts of a call to one batch, the model runs it.

As on a model's page: AutoTokenizer, AutoModel, pooling by hand. With accelerate's `cpu_offload`
every layer travels to the GPU when it is called: the article's layer-wise offload.
"""

from collections.abc import Sequence
from typing import Any

from indexer.embedding.peers.peer import Embed
from indexer.embedding.pooling import finish, pool
from indexer.embedding.runtimes.whole import load
from indexer.embedding.spec import ModelSpec
from indexer.modes import Precision
from indexer.types import Vectors


def open_transformers(spec: ModelSpec, device: str, precision: Precision) -> Embed:
    """The model on one device."""
    return _embed(spec, load(spec, precision).to(device), device)


def open_accelerate(spec: ModelSpec, device: str, precision: Precision) -> Embed:
    """The model in RAM, its layers sent to the device one by one."""
    from accelerate import cpu_offload

    model = cpu_offload(load(spec, precision), device, offload_buffers=True)
    return _embed(spec, model, device)


def _embed(spec: ModelSpec, model: Any, device: str) -> Embed:
    import torch
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(spec.transformer_folder, local_files_only=True)

    def embed(texts: Sequence[str]) -> Vectors:
        batch = tokenizer(
            [spec.document_prompt + text for text in texts],
            padding=True,
            truncation=True,
            max_length=spec.max_tokens,
            return_tensors="pt",
        ).to(device)
        with torch.inference_mode():
            states = model(**batch).last_hidden_state
            pooled = pool(states, batch["attention_mask"], spec.pooling).cpu().numpy()
        return finish(pooled, spec.hidden_size)

    return embed
