"""The ways a runtime is known to be wrong, and the reference's vectors with each of them made.

Each has happened: mean pooling instead of the last token, a lost EOS, a space in the prompt,
padding that is pooled. Comparing with vectors made wrong on purpose names the cause.
"""

from collections.abc import Callable, Iterator
from dataclasses import replace
from enum import StrEnum

from indexer.embedding.pooling import finish
from indexer.embedding.proof.texts import ProofText
from indexer.embedding.runtimes.base import Runtime
from indexer.embedding.spec import ModelSpec
from indexer.embedding.tokenizer import Tokenizer, load_tokenizer
from indexer.types import Kind, Pooling, Vectors

_IM_END = 151645  # <|im_end|>, taken for Qwen3-Embedding's EOS by mistake

Ids = list[list[int]]


class Fault(StrEnum):
    """What is wrong, in the words a user reads."""

    DIMENSION = "the vectors have another dimension"
    NOT_FINITE = "the vectors hold NaN or infinity"
    ZERO = "the vectors are zero"
    LENGTH = "the vectors are not normalised to unit length"
    CONSTANT = "different texts get the same vector"
    ORDER = "the vectors come back in another order than the texts"
    BATCH = "a text's vector depends on its batch: padding is attended to, or pooled"
    MEAN_POOLING = "it pools by the mean of all tokens"
    CLS_POOLING = "it pools the first token"
    LAST_POOLING = "it pools the last token"
    NO_EOS = "the token that ends every text is missing"
    TWO_EOS = "the token that ends every text is there twice"
    WRONG_EOS = "texts end with <|im_end|> instead of <|endoftext|>"
    NO_SPECIAL = "special tokens are missing"
    NO_PROMPT = "the query prompt is missing"
    SPACED_PROMPT = "a space follows the query prompt"
    PROMPT_ON_DOCUMENTS = "documents get the query prompt"
    INSTRUCTION = "the instruction is ignored"
    CUT = "long texts are cut too early"
    MODEL_CARD = "its similarities are not those of the model card"
    UNKNOWN = "no known cause fits (other weights, or a broken kernel?)"


_POOLING_FAULTS = {
    Pooling.MEAN: Fault.MEAN_POOLING,
    Pooling.CLS: Fault.CLS_POOLING,
    Pooling.LAST_TOKEN: Fault.LAST_POOLING,
}


def encode_all(tokenizer: Tokenizer, texts: tuple[ProofText, ...]) -> Ids:
    """Token ids of each text, as it should be."""
    return [tokenizer.encode([t.text], t.kind, t.instruction)[0] for t in texts]


def vectors_of(runtime: Runtime, ids: Ids) -> Vectors:
    """Unit vectors, each text alone: float32, shape (n, hidden_size)."""
    import numpy as np

    pooled = np.concatenate([runtime.embed_tokens([tokens]) for tokens in ids])
    return finish(pooled, runtime.hidden_size)


def faulty_vectors(
    spec: ModelSpec, texts: tuple[ProofText, ...], open_reference: Callable[[ModelSpec], Runtime]
) -> Iterator[tuple[Fault, Vectors]]:
    """What the reference gives with each fault made: float32, shape (n, hidden_size).

    Args:
        spec: the model.
        texts: the golden ones.
        open_reference: loads the fp32 runtime; one is open at a time.
    """
    tokenizer = load_tokenizer(spec)
    right = encode_all(tokenizer, texts)
    runtime = open_reference(spec)
    try:
        for fault, ids in _token_faults(spec, tokenizer, texts, right):
            if ids != right:
                yield fault, vectors_of(runtime, ids)
    finally:
        runtime.close()
    for pooling, fault in _POOLING_FAULTS.items():
        if pooling is not spec.pooling:
            runtime = open_reference(replace(spec, pooling=pooling))
            try:
                yield fault, vectors_of(runtime, right)
            finally:
                runtime.close()


def _token_faults(
    spec: ModelSpec, tokenizer: Tokenizer, texts: tuple[ProofText, ...], right: Ids
) -> Iterator[tuple[Fault, Ids]]:
    """Wrong token ids, each text with at least one token left."""
    before, after = tokenizer.special_counts
    if after:
        yield Fault.NO_EOS, [ids[:-after] or ids for ids in right]
    if before and after:
        yield Fault.NO_SPECIAL, [ids[before:-after] or ids for ids in right]
    if spec.eos_token_id is not None:
        yield Fault.TWO_EOS, [[*ids, spec.eos_token_id] for ids in right]
        yield Fault.WRONG_EOS, [[*ids[:-1], _IM_END] for ids in right]
    as_documents = tuple(ProofText(Kind.DOCUMENT, None, t.text) for t in texts)
    yield Fault.NO_PROMPT, encode_all(tokenizer, as_documents)
    spaced = load_tokenizer(replace(spec, query_prompt=spec.query_prompt + " "))
    yield Fault.SPACED_PROMPT, encode_all(spaced, texts) if spec.query_prompt else right
    as_queries = tuple(replace(t, kind=Kind.QUERY) for t in texts)
    yield Fault.PROMPT_ON_DOCUMENTS, encode_all(tokenizer, as_queries)
    plain = tuple(replace(t, instruction=None) for t in texts)
    yield Fault.INSTRUCTION, encode_all(tokenizer, plain)
    for limit in (128, 256):
        if limit < spec.max_tokens:
            short = load_tokenizer(replace(spec, max_tokens=limit))
            yield Fault.CUT, encode_all(short, texts)
