"""Build a tiny Qwen3-Embedding checkpoint folder: the real layout, rules and token ids, seeded
random weights.

Needs nothing outside the checkout. The tokenizer is a byte-level BPE of 256 byte tokens and a few
hundred merges
whose special tokens have the ids of the real one (<|endoftext|> 151643), with the real
pre-tokenizer, normalizer and
post-processor; config, prompts, pooling and modules are those of Qwen3-Embedding-0.6B, made
narrow. Its vectors mean
nothing, but every rule that makes them right or wrong is the real one.

    python tests/make_tiny_qwen3.py OUT [--seed 7]
"""

import argparse
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

END_OF_TEXT = 151643
_SPECIAL = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]
# One merge chain per word, so that common words are one token and 10,000 words stay a quick test.
_WORDS = """
the of and to in is that for it as with be on by this are from at or an which was not have has
model query document text vector search index word words token tokens layer file data line store
""".strip().split()  # noqa: SIM905 a list of forty quoted words reads worse

CONFIG: dict[str, Any] = {
    "architectures": ["Qwen3ForCausalLM"],
    "attention_bias": False,
    "attention_dropout": 0.0,
    "bos_token_id": END_OF_TEXT,
    "eos_token_id": END_OF_TEXT,
    "head_dim": 16,
    "hidden_act": "silu",
    "hidden_size": 64,
    "initializer_range": 0.02,
    "intermediate_size": 192,
    "max_position_embeddings": 32768,
    "max_window_layers": 4,
    "model_type": "qwen3",
    "num_attention_heads": 4,
    "num_hidden_layers": 4,
    "num_key_value_heads": 2,
    "rms_norm_eps": 1e-06,
    "rope_scaling": None,
    "rope_theta": 1000000,
    "sliding_window": None,
    "tie_word_embeddings": True,
    "torch_dtype": "bfloat16",
    "transformers_version": "4.51.3",
    "use_cache": True,
    "use_sliding_window": False,
    "vocab_size": 151669,
}
PROMPTS = {
    "prompts": {
        "query": "Instruct: Given a web search query, retrieve relevant passages that answer the "
        "query\nQuery:",
        "document": "",
    },
    "default_prompt_name": None,
    "similarity_fn_name": "cosine",
}
POOLING = {
    "word_embedding_dimension": CONFIG["hidden_size"],
    "pooling_mode_cls_token": False,
    "pooling_mode_mean_tokens": False,
    "pooling_mode_max_tokens": False,
    "pooling_mode_mean_sqrt_len_tokens": False,
    "pooling_mode_weightedmean_tokens": False,
    "pooling_mode_lasttoken": True,
    "include_prompt": True,
}
MODULES = [
    {"idx": i, "name": str(i), "path": path, "type": f"sentence_transformers.models.{name}"}
    for i, (path, name) in enumerate(
        [("", "Transformer"), ("1_Pooling", "Pooling"), ("2_Normalize", "Normalize")]
    )
]
TOKENIZER_CONFIG = {
    "add_bos_token": False,
    "add_prefix_space": False,
    "added_tokens_decoder": {
        str(END_OF_TEXT + i): {
            "content": token,
            "lstrip": False,
            "normalized": False,
            "rstrip": False,
            "single_word": False,
            "special": True,
        }
        for i, token in enumerate(_SPECIAL)
    },
    "additional_special_tokens": _SPECIAL[1:],
    "bos_token": None,
    "clean_up_tokenization_spaces": False,
    "eos_token": "<|im_end|>",
    "errors": "replace",
    "model_max_length": 131072,
    "pad_token": "<|endoftext|>",
    "padding_side": "left",
    "split_special_tokens": False,
    "tokenizer_class": "Qwen2Tokenizer",
    "unk_token": None,
}
# The real tokenizer.json's rules, word for word.
_SPLIT = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|"
    r"\s*[\r\n]+|\s+(?!\S)|\s+"
)
_BYTE_LEVEL = {
    "type": "ByteLevel",
    "add_prefix_space": False,
    "trim_offsets": False,
    "use_regex": False,
}
_END = {"SpecialToken": {"id": "<|endoftext|>", "type_id": 0}}
_A, _B = ({"Sequence": {"id": name, "type_id": 0}} for name in "AB")
_TEMPLATE = {
    "type": "TemplateProcessing",
    "single": [_A, _END],
    "pair": [_A, _B, _END],
    "special_tokens": {
        "<|endoftext|>": {"id": "<|endoftext|>", "ids": [END_OF_TEXT], "tokens": ["<|endoftext|>"]}
    },
}


def _byte_tokens() -> list[str]:
    """The printable character that stands for each byte in byte-level BPE (GPT-2's table)."""
    shown = [
        *range(ord("!"), ord("~") + 1),
        *range(ord("¡"), ord("¬") + 1),
        *range(ord("®"), ord("ÿ") + 1),
    ]
    hidden = [byte for byte in range(256) if byte not in shown]
    table = {byte: chr(byte) for byte in shown} | {
        byte: chr(256 + i) for i, byte in enumerate(hidden)
    }
    return [table[byte] for byte in range(256)]


def tokenizer_json(post_processor: dict[str, Any] | None = None) -> dict[str, Any]:
    """A tokenizer.json with the real rules and special ids, or with another post-processor."""
    tokens = _byte_tokens()
    space = tokens[ord(" ")]
    merges: list[list[str]] = []
    for word in [*(space + word for word in _WORDS), *_WORDS]:  # earlier merges win
        for end in range(2, len(word) + 1):
            if [word[: end - 1], word[end - 1]] not in merges:
                merges.append([word[: end - 1], word[end - 1]])
    vocab = {token: i for i, token in enumerate([*tokens, *("".join(pair) for pair in merges)])}
    vocab |= {token: END_OF_TEXT + i for i, token in enumerate(_SPECIAL)}
    flags = {
        "single_word": False,
        "lstrip": False,
        "rstrip": False,
        "normalized": False,
        "special": True,
    }
    split = {"type": "Split", "pattern": {"Regex": _SPLIT}, "behavior": "Isolated", "invert": False}
    return {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": [
            {"id": END_OF_TEXT + i, "content": t, **flags} for i, t in enumerate(_SPECIAL)
        ],
        "normalizer": {"type": "NFC"},
        "pre_tokenizer": {"type": "Sequence", "pretokenizers": [split, _BYTE_LEVEL]},
        "post_processor": post_processor
        or {"type": "Sequence", "processors": [_BYTE_LEVEL, _TEMPLATE]},
        "decoder": _BYTE_LEVEL,
        "model": {
            "type": "BPE",
            "dropout": None,
            "unk_token": None,
            "continuing_subword_prefix": "",
            "end_of_word_suffix": "",
            "fuse_unk": False,
            "byte_fallback": False,
            "ignore_merges": False,
            "vocab": vocab,
            "merges": merges,
        },
    }


def _tensors(config: dict[str, Any], seed: int) -> Iterator[tuple[str, Any]]:
    """(name, bf16 tensor) in the published checkpoint's naming, without a `model.` prefix."""
    import torch

    draw = torch.Generator().manual_seed(seed)

    def normal(*shape: int) -> Any:
        return torch.empty(shape).normal_(0, 0.02, generator=draw).to(torch.bfloat16)

    def gain(size: int) -> Any:
        return (1 + torch.empty(size).normal_(0, 0.05, generator=draw)).to(torch.bfloat16)

    hidden, head, wide = config["hidden_size"], config["head_dim"], config["intermediate_size"]
    queries, keys = config["num_attention_heads"] * head, config["num_key_value_heads"] * head
    yield "embed_tokens.weight", normal(config["vocab_size"], hidden)
    for i in range(config["num_hidden_layers"]):
        layer = f"layers.{i}."
        yield layer + "input_layernorm.weight", gain(hidden)
        yield layer + "post_attention_layernorm.weight", gain(hidden)
        yield layer + "self_attn.q_norm.weight", gain(head)
        yield layer + "self_attn.k_norm.weight", gain(head)
        yield layer + "self_attn.q_proj.weight", normal(queries, hidden)
        yield layer + "self_attn.k_proj.weight", normal(keys, hidden)
        yield layer + "self_attn.v_proj.weight", normal(keys, hidden)
        yield layer + "self_attn.o_proj.weight", normal(hidden, queries)
        yield layer + "mlp.gate_proj.weight", normal(wide, hidden)
        yield layer + "mlp.up_proj.weight", normal(wide, hidden)
        yield layer + "mlp.down_proj.weight", normal(hidden, wide)
    yield "norm.weight", gain(hidden)


def make_tiny_qwen3(out: Path, seed: int = 0) -> Path:
    """Write the checkpoint folder (about 20 MB); the same seed gives the same bytes."""
    from safetensors.torch import save_file

    (out / "1_Pooling").mkdir(parents=True, exist_ok=True)
    files: dict[str, Any] = {
        "config.json": CONFIG,
        "config_sentence_transformers.json": PROMPTS,
        "1_Pooling/config.json": POOLING,
        "modules.json": MODULES,
        "tokenizer_config.json": TOKENIZER_CONFIG,
        "tokenizer.json": tokenizer_json(),
    }
    for name, value in files.items():
        (out / name).write_text(json.dumps(value, indent=1, ensure_ascii=False), encoding="utf-8")
    save_file(dict(_tensors(CONFIG, seed)), out / "model.safetensors", metadata={"format": "pt"})
    return out


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("out", type=Path)
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    print(make_tiny_qwen3(args.out, args.seed))
