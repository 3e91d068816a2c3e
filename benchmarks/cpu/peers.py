"""What a user would pick instead of us: each takes texts and gives unit vectors.

Imported in a variant's own process only, and nothing of ours is imported here, so that a peer may
live in another environment.
"""

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np


class SentenceTransformers:
    """`SentenceTransformer.encode`, batches of 32 sorted by length: the reference."""

    def __init__(self, model: Path, dtype: str) -> None:
        import torch
        from sentence_transformers import SentenceTransformer

        kinds = {"fp32": torch.float32, "bf16": torch.bfloat16}
        self._model = SentenceTransformer(
            str(model), device="cpu", model_kwargs={"dtype": kinds[dtype]}
        )

    def embed(self, texts: Sequence[str], query: bool) -> Any:
        prompt = "query" if query and "query" in self._model.prompts else None
        return self._model.encode(
            list(texts),
            batch_size=32,
            prompt_name=prompt,
            normalize_embeddings=True,
            show_progress_bar=False,
        )


class PaddedBatch:
    """transformers on one padded batch in the order the texts came, as a naive server does it."""

    def __init__(self, model: Path) -> None:
        import torch
        from transformers import AutoModel

        self._ids = TokenIds(model)
        self._pooling = pooling_of(model)
        self._model = AutoModel.from_pretrained(model, dtype=torch.float32).eval()

    def embed(self, texts: Sequence[str], query: bool) -> Any:
        import torch

        ids, mask = self._ids.padded(texts, query)
        with torch.inference_mode():
            states = self._model(
                input_ids=torch.from_numpy(ids), attention_mask=torch.from_numpy(mask)
            ).last_hidden_state
        return unit(pool(states.numpy(), mask, self._pooling))


class OnnxExport:
    """The model exported by `torch.onnx`, fp32, padded batches of 32 sorted by length.

    This is what fastembed and infinity run, without their servers.
    """

    def __init__(self, model: Path, threads: int, cache: Path) -> None:
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        graph = export(model, cache)
        self._session = onnxruntime.InferenceSession(
            str(graph), options, providers=["CPUExecutionProvider"]
        )
        self._ids = TokenIds(model)
        self._pooling = pooling_of(model)

    def embed(self, texts: Sequence[str], query: bool) -> Any:
        return by_sorted_batches(texts, lambda batch: self._batch(batch, query))

    def _batch(self, texts: Sequence[str], query: bool) -> Any:
        ids, mask = self._ids.padded(texts, query)
        states = self._session.run(["states"], {"input_ids": ids, "attention_mask": mask})[0]
        return unit(pool(states, mask, self._pooling))


class OpenVino:
    """The same exported graph in OpenVINO, fp32 arithmetic."""

    def __init__(self, model: Path, threads: int, cache: Path) -> None:
        import openvino

        graph = export(model, cache)
        settings = {"INFERENCE_NUM_THREADS": threads, "INFERENCE_PRECISION_HINT": "f32"}
        self._model = openvino.Core().compile_model(str(graph), "CPU", settings)
        self._ids = TokenIds(model)
        self._pooling = pooling_of(model)

    def embed(self, texts: Sequence[str], query: bool) -> Any:
        return by_sorted_batches(texts, lambda batch: self._batch(batch, query))

    def _batch(self, texts: Sequence[str], query: bool) -> Any:
        ids, mask = self._ids.padded(texts, query)
        states = self._model({"input_ids": ids, "attention_mask": mask})[0]
        return unit(pool(states, mask, self._pooling))


class TokenIds:
    """A model's tokenizer with its prompt, padded on the right."""

    def __init__(self, model: Path) -> None:
        from tokenizers import Tokenizer

        self._encoder = Tokenizer.from_file(str(model / "tokenizer.json"))
        self._encoder.no_truncation()
        self._encoder.no_padding()
        prompts = json.loads((model / "config_sentence_transformers.json").read_text())
        self._prompt = prompts.get("prompts", {}).get("query", "")

    def padded(self, texts: Sequence[str], query: bool) -> tuple[Any, Any]:
        """(ids, mask), int64, shape (n, longest)."""
        prompt = self._prompt if query else ""
        rows = [
            encoding.ids for encoding in self._encoder.encode_batch([prompt + t for t in texts])
        ]
        ids = np.zeros((len(rows), max(map(len, rows))), dtype=np.int64)
        mask = np.zeros_like(ids)
        for index, row in enumerate(rows):
            ids[index, : len(row)] = row
            mask[index, : len(row)] = 1
        return ids, mask


def export(model: Path, cache: Path) -> Path:
    """The exported graph, made once per model folder."""
    folder = cache / f"export-{model.name}"
    graph = folder / "model.onnx"
    if graph.exists():
        return graph
    import torch
    from transformers import AutoModel

    loaded = AutoModel.from_pretrained(model, dtype=torch.float32, attn_implementation="eager")

    class States(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.model = loaded.eval()

        def forward(self, input_ids: Any, attention_mask: Any) -> Any:
            extras = {"use_cache": False} if hasattr(self.model.config, "use_cache") else {}
            return self.model(
                input_ids=input_ids, attention_mask=attention_mask, **extras
            ).last_hidden_state

    folder.mkdir(parents=True, exist_ok=True)
    sample = torch.ones((2, 7), dtype=torch.int64)
    axes = {name: {0: "n", 1: "length"} for name in ("input_ids", "attention_mask", "states")}
    draft = (
        folder / "draft.onnx"
    )  # beside its weights: large models keep them in files of their own
    with torch.inference_mode():
        torch.onnx.export(
            States(),
            (sample, sample),
            str(draft),
            input_names=["input_ids", "attention_mask"],
            output_names=["states"],
            dynamic_axes=axes,
            dynamo=False,
        )
    draft.rename(graph)
    return graph


def by_sorted_batches(texts: Sequence[str], embed: Any, size: int = 32) -> Any:
    """Vectors in input order, computed longest first."""
    order = sorted(range(len(texts)), key=lambda index: -len(texts[index]))
    parts = [embed([texts[i] for i in some]) for some in _slices(order, size)]
    vectors = np.concatenate(parts)
    answer = np.empty_like(vectors)
    answer[order] = vectors
    return answer


def _slices(order: list[int], size: int) -> Iterator[list[int]]:
    for start in range(0, len(order), size):
        yield order[start : start + size]


def pooling_of(model: Path) -> str:
    """How the model pools: "lasttoken", "mean" or "cls"."""
    config = json.loads((model / "1_Pooling" / "config.json").read_text())
    names = {
        "pooling_mode_lasttoken": "lasttoken",
        "pooling_mode_mean_tokens": "mean",
        "pooling_mode_cls_token": "cls",
    }
    return next(name for key, name in names.items() if config.get(key))


def pool(states: Any, mask: Any, how: str) -> Any:
    """One vector for each row of states, shape (n, length, hidden)."""
    if how == "mean":
        return (states * mask[:, :, None]).sum(axis=1) / mask.sum(axis=1, keepdims=True)
    at = mask.sum(axis=1) - 1 if how == "lasttoken" else np.zeros(len(mask), dtype=np.int64)
    return states[np.arange(len(states)), at]


def unit(vectors: Any) -> Any:
    """Rows scaled to length 1."""
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
