"""Expected vectors, made once per model on the user's machine and kept with a checksum."""

import hashlib
import json
import os
import tempfile
from io import BytesIO
from pathlib import Path

import numpy as np

from indexer.embedding.embedder import Embedder
from indexer.embedding.file_hashes import sha256_of
from indexer.embedding.proof.reference import golden_vectors
from indexer.embedding.proof.texts import golden_texts, proof_texts
from indexer.embedding.spec import ModelSpec
from indexer.types import Vectors

# Of the bundled model only, whose weights every test runs (scripts/make_golden.py): its first start
# needs no reference.
SHIPPED = Path(__file__).with_name("expected")
_DIGEST_BYTES = 32


def golden_key(spec: ModelSpec, cache_folder: Path | None = None) -> str:
    """What the expected vectors depend on, as 32 hex digits: weights, tokenizer, rules, texts."""
    files = [spec.transformer_folder / name for name in ("tokenizer.json", "config.json")]
    values = {
        "weights": spec.weights_sha256,
        "files": [sha256_of(path, cache_folder) for path in files],
        "pooling": str(spec.pooling),
        "prompts": [spec.query_prompt, spec.document_prompt],
        "eos": spec.eos_token_id,
        "max_tokens": spec.max_tokens,
        "lower_case": spec.lower_case,
        "texts": proof_texts().sha256,
    }
    return hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()[:32]


def expected_vectors(embedder: Embedder, folder: Path) -> Vectors:
    """The reference's vectors of the golden texts, from the folder or made now and kept there.

    float32, shape (texts this model can take, hidden_size), unit length.

    Raises:
        PlacementError: they are not known yet and the reference cannot run on this machine.
    """
    name = f"golden-{golden_key(embedder.spec, folder)}.bin"
    shape = (len(golden_texts(embedder.tokenizer)), embedder.spec.hidden_size)
    for place in (SHIPPED, folder):
        known = load_vectors(place / name, shape)
        if known is not None:
            return known
    made = golden_vectors(embedder)
    save_vectors(folder / name, made)
    return made


def load_vectors(path: Path, shape: tuple[int, int]) -> Vectors | None:
    """Vectors that were saved, None if there are none or the file is damaged."""
    try:
        raw = path.read_bytes()
    except OSError:
        return None
    digest, body = raw[:_DIGEST_BYTES], raw[_DIGEST_BYTES:]
    if hashlib.sha256(body).digest() != digest:
        return None
    try:
        vectors = np.load(BytesIO(body), allow_pickle=False)
    except ValueError:
        return None
    return vectors if vectors.shape == shape and vectors.dtype == np.float32 else None


def save_vectors(path: Path, vectors: Vectors) -> None:
    """Keep vectors; in a read-only folder they are made again next time."""
    body = BytesIO()
    np.save(body, vectors, allow_pickle=False)
    content = hashlib.sha256(body.getvalue()).digest() + body.getvalue()
    write_whole(path, content)


def write_whole(path: Path, content: bytes) -> None:
    """Write a small file so that no reader ever sees half of it; gives up in a read-only folder."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(prefix=path.name, suffix=".tmp", dir=path.parent)
        draft = Path(name)
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(content)
            draft.replace(path)
        finally:
            draft.unlink(missing_ok=True)
    except OSError:
        return
