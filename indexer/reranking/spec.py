"""What a reranker's folder says of it: how it is asked, its limit, its weights."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

from indexer.embedding.limits import Limits, read_limits
from indexer.embedding.model_folder import architecture_of, read_json, weight_files
from indexer.embedding.models import ModelRef
from indexer.embedding.record import read_record
from indexer.embedding.spec import ModelSpec, identity_of, weights_hash
from indexer.errors import ModelError
from indexer.types import Pooling

# Encoders that see both texts at once and whose first output is the score. Decoders with such a
# head (bge-reranker-v2-gemma, Qwen3 converted) need a template that nothing in the folder names.
_ENCODERS = frozenset(
    {
        "albert",
        "bert",
        "camembert",
        "deberta",
        "deberta-v2",
        "distilbert",
        "electra",
        "ernie",
        "modernbert",
        "mpnet",
        "roberta",
        "xlm-roberta",
    }
)
QWEN3_TOKENS = 8192  # of the official recipe


class Recipe(StrEnum):
    """How a reranker is asked."""

    QWEN3 = "qwen3"  # a template that ends where the model says "yes" or "no"
    CROSS_ENCODER = "cross-encoder"  # both texts in, one number out


@dataclass(frozen=True, slots=True)
class RerankerSpec:
    """A reranker's folder, read and checked. Plain values only."""

    model: str  # hub id, or the folder's name
    revision: str | None
    folder: Path  # holds config.json, tokenizer.json and the weights
    recipe: Recipe
    architecture: str  # model_type of config.json
    max_tokens: int  # of a query with its passage and everything around them
    lower_case: bool  # sentence_bert_config.json asks for lower-cased input
    weights_sha256: str  # see `ModelSpec`
    weights_bytes: int

    def encoder(self, pooling: Pooling, hidden_size: int) -> ModelSpec:
        """The model without its output layer: an embedder of one token's state, as it came."""
        return ModelSpec(
            model=self.model,
            revision=self.revision,
            folder=self.folder,
            transformer_folder=self.folder,
            architecture=self.architecture,
            pooling=pooling,
            hidden_size=hidden_size,
            max_tokens=self.max_tokens,
            query_prompt="",
            document_prompt="",
            eos_token_id=None,
            lower_case=self.lower_case,
            weights_sha256=self.weights_sha256,
            weights_bytes=self.weights_bytes,
        )


def reranker_layout(folder: Path) -> Path:
    """The layout of rerankers: everything in one folder; see `hub.Layout`.

    Raises:
        ModelError: config.json does not describe a reranker that can be run.
    """
    config = read_json(folder / "config.json")
    _recipe_of(config, architecture_of(config, folder), folder)
    return folder


def load_reranker_spec(
    folder: Path, ref: ModelRef | None = None, cache_folder: Path | None = None
) -> RerankerSpec:
    """Read and check a reranker's folder.

    Args:
        folder: e.g. what `hub.fetch` returned.
        ref: where it came from; None: its record, or the folder's name.
        cache_folder: where file hashes are remembered; None hashes the weights on every call.

    Raises:
        ModelError: a file is missing or unreadable, or the model is no reranker that can be run.
    """
    config = read_json(folder / "config.json")
    architecture = architecture_of(config, folder)
    recipe = _recipe_of(config, architecture, folder)
    limits = _limits(folder, config, architecture, recipe)
    weights = weight_files(folder)
    model, revision = identity_of(folder, ref, read_record(folder))
    return RerankerSpec(
        model=model,
        revision=revision,
        folder=folder.absolute(),
        recipe=recipe,
        architecture=architecture,
        max_tokens=limits.max_tokens,
        lower_case=limits.lower_case,
        weights_sha256=weights_hash(weights, cache_folder),
        weights_bytes=sum(path.stat().st_size for path in weights),
    )


def _recipe_of(config: Mapping[str, Any], architecture: str, folder: Path) -> Recipe:
    named = config.get("architectures")
    names = [str(name) for name in named] if isinstance(named, list) else []
    if architecture == "qwen3" and names == ["Qwen3ForCausalLM"]:
        return Recipe.QWEN3
    classifies = len(names) == 1 and names[0].endswith("ForSequenceClassification")
    if not classifies or architecture not in _ENCODERS:
        raise ModelError(
            f"{folder / 'config.json'}: {', '.join(names) or 'a model'} of type {architecture} is "
            "no reranker that semsearch can run. Choose a Qwen3-Reranker or a cross-encoder, or "
            "let a server run it (SEMSEARCH_RERANKER_ENDPOINT)."
        )
    labels = config.get("id2label", config.get("num_labels", 2))
    count = len(labels) if isinstance(labels, dict) else labels
    if count != 1:
        raise ModelError(
            f"{folder / 'config.json'}: sorts texts into {count!r:.40} classes; a reranker gives "
            "one number. Choose another model."
        )
    return Recipe.CROSS_ENCODER


def _limits(folder: Path, config: Mapping[str, Any], architecture: str, recipe: Recipe) -> Limits:
    if recipe is Recipe.CROSS_ENCODER:
        return read_limits(folder, config, architecture, task="sequence-classification")
    positions = config.get("max_position_embeddings")
    longest = positions if type(positions) is int and positions > 0 else QWEN3_TOKENS
    return Limits(min(longest, QWEN3_TOKENS), lower_case=False)
