"""What a sentence-transformers folder says about its model: pooling, prompts, limits, weights.

A folder that does not say how to pool, or asks for a step this program does not do, is refused:
guessing gives vectors
that look right and rank wrong (mean pooling on a last-token model: 0 % recall).
"""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from indexer.embedding import model_folder
from indexer.embedding.absent import absent_hashes
from indexer.embedding.file_hashes import sha256_of
from indexer.embedding.limits import read_limits
from indexer.embedding.models import ModelRef
from indexer.embedding.record import Record, read_record
from indexer.errors import UsageError
from indexer.types import Contract, Pooling

QWEN3_EOS = 151643  # <|endoftext|>, also the padding token; not <|im_end|> (151645)
_SMALLEST_MRL = 32  # the least dimension Qwen3-Embedding was trained for


@dataclass(frozen=True, slots=True)
class ModelSpec:
    """A model folder, read and checked. Plain values only: cheap to send to a worker process."""

    model: str  # hub id, or the folder's name
    revision: str | None
    folder: Path
    transformer_folder: Path  # holds config.json, tokenizer.json and the weights
    architecture: str  # model_type of config.json
    pooling: Pooling
    hidden_size: int
    max_tokens: int  # special tokens included
    query_prompt: str
    document_prompt: str
    eos_token_id: int | None  # must end every text; None: the tokenizer's own rule
    lower_case: bool  # sentence_bert_config.json asks for lower-cased input
    weights_sha256: str  # sha256 over the sorted hex sha256s of the weight files
    weights_bytes: int  # 0: only a remote machine holds them

    @property
    def is_mrl(self) -> bool:
        """Whether it was trained so that a vector's first values alone mean the same (MRL)."""
        return self.architecture == "qwen3"

    def check_dimension(self, dimension: int | None) -> int:
        """The dimension to use; None means the model's own.

        Raises:
            UsageError: the model cannot give that many values.
        """
        if dimension is None:
            return self.hidden_size
        least = min(_SMALLEST_MRL, self.hidden_size) if self.is_mrl else self.hidden_size
        if not least <= dimension <= self.hidden_size:
            if least == self.hidden_size:
                raise UsageError(
                    f"Dimension {dimension}: {self.model} was not trained for shorter vectors and "
                    f"gives {self.hidden_size} values. Leave the dimension out."
                )
            raise UsageError(
                f"Dimension {dimension}: {self.model} gives {least} to {self.hidden_size} values. "
                "Choose one in that range, or leave it out."
            )
        return dimension

    def contract(self, chunker: str, dimension: int | None = None) -> Contract:
        """The contract of vectors made with this model.

        Args:
            chunker: version and budget of the chunker, e.g. "1/512".
            dimension: values kept of each vector; None for all.
        """
        return Contract(
            model=self.model,
            revision=self.revision,
            weights_sha256=self.weights_sha256,
            pooling=self.pooling,
            query_prompt=self.query_prompt,
            document_prompt=self.document_prompt,
            eos_token_id=self.eos_token_id,
            dimension=self.check_dimension(dimension),
            normalised=True,
            max_tokens=self.max_tokens,
            chunker=chunker,
        )


def load_spec(
    folder: Path, ref: ModelRef | None = None, cache_folder: Path | None = None
) -> ModelSpec:
    """Read and check a model folder in the sentence-transformers layout.

    Args:
        folder: holds modules.json, e.g. what `hub.fetch` returned.
        ref: where the folder came from; None takes id and revision from the record beside the
            model, or the folder's name.
        cache_folder: where file hashes are remembered; None hashes the weights on every call.

    Raises:
        ModelError: a file is missing or unreadable, pooling is not declared, or a module is not
            supported.
    """
    modules = model_folder.read_modules(folder)
    transformer = modules.transformer
    config = model_folder.read_json(transformer / "config.json")
    architecture = model_folder.architecture_of(config, transformer)
    pooling, width = model_folder.read_pooling(modules)
    prompts = model_folder.read_prompts(modules)
    limits = read_limits(transformer, config, architecture)
    record = read_record(folder)
    if record is not None and record.absent:
        weights: list[Path] = []
        digest = _combined(absent_hashes(record.absent, folder, transformer))
    else:
        weights = model_folder.weight_files(transformer)
        digest = weights_hash(weights, cache_folder)
    model, revision = identity_of(folder, ref, record)
    is_qwen3 = architecture == "qwen3" and pooling is Pooling.LAST_TOKEN
    return ModelSpec(
        model=model,
        revision=revision,
        folder=folder.absolute(),
        transformer_folder=transformer.absolute(),
        architecture=architecture,
        pooling=pooling,
        hidden_size=width,
        max_tokens=limits.max_tokens,
        query_prompt=prompts.query,
        document_prompt=prompts.document,
        eos_token_id=QWEN3_EOS if is_qwen3 else None,
        lower_case=limits.lower_case,
        weights_sha256=digest,
        weights_bytes=sum(path.stat().st_size for path in weights),
    )


def weights_hash(files: list[Path], cache_folder: Path | None) -> str:
    """Hex sha256 over the sorted sha256s of the files, so their names do not matter."""
    return _combined(sha256_of(path, cache_folder) for path in files)


def _combined(hashes: Iterable[str]) -> str:
    return hashlib.sha256("\n".join(sorted(hashes)).encode()).hexdigest()


def identity_of(
    folder: Path, ref: ModelRef | None, record: Record | None
) -> tuple[str, str | None]:
    """(model, revision) for contracts. The record of what was fetched beats the request."""
    if record is not None:
        return record.model, record.revision
    if ref is not None:
        return ref.model, ref.revision
    return folder.resolve().name, None
