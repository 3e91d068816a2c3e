"""A Qwen3-Embedding folder with random weights: the real sizes and rules, no download.

The tokenizer gives one token a word (w0 to w9999), so that texts have exactly the wanted length.
"""

import json
import random
from pathlib import Path
from typing import Any

END_OF_TEXT = 151643
WORDS = 10_000
FULL: dict[str, Any] = {
    "architectures": ["Qwen3ForCausalLM"],
    "attention_bias": False,
    "bos_token_id": END_OF_TEXT,
    "eos_token_id": END_OF_TEXT,
    "head_dim": 128,
    "hidden_act": "silu",
    "hidden_size": 1024,
    "intermediate_size": 3072,
    "max_position_embeddings": 32768,
    "max_window_layers": 28,
    "model_type": "qwen3",
    "num_attention_heads": 16,
    "num_hidden_layers": 28,
    "num_key_value_heads": 8,
    "rms_norm_eps": 1e-6,
    "rope_scaling": None,
    "rope_theta": 1_000_000,
    "sliding_window": None,
    "tie_word_embeddings": True,
    "torch_dtype": "bfloat16",
    "use_cache": False,
    "use_sliding_window": False,
    "vocab_size": 151_669,
}
TINY = FULL | {
    "head_dim": 16,
    "hidden_size": 64,
    "intermediate_size": 192,
    "num_attention_heads": 4,
    "num_hidden_layers": 6,
    "num_key_value_heads": 2,
}


def make_checkpoint(folder: Path, tiny: bool) -> Path:
    """The folder, written unless it is there."""
    if (folder / "model.safetensors").is_file():
        return folder
    from safetensors.torch import save_file

    config = TINY if tiny else FULL
    (folder / "1_Pooling").mkdir(parents=True, exist_ok=True)
    kinds = [("", "Transformer"), ("1_Pooling", "Pooling"), ("2_Normalize", "Normalize")]
    files: dict[str, Any] = {
        "config.json": config,
        "modules.json": [
            {"idx": i, "name": str(i), "path": path, "type": f"sentence_transformers.models.{kind}"}
            for i, (path, kind) in enumerate(kinds)
        ],
        "1_Pooling/config.json": {
            "word_embedding_dimension": config["hidden_size"],
            "pooling_mode_lasttoken": True,
            "include_prompt": True,
        },
        "tokenizer.json": _tokenizer(),
        "tokenizer_config.json": {
            "tokenizer_class": "PreTrainedTokenizerFast",
            "pad_token": "<|endoftext|>",
            "eos_token": "<|endoftext|>",
            "model_max_length": 32768,
            "padding_side": "left",
        },
    }
    for name, value in files.items():
        (folder / name).write_text(json.dumps(value), encoding="utf-8")
    save_file(_tensors(config), folder / "model.safetensors", metadata={"format": "pt"})
    return folder


def texts_of(lengths: list[int], seed: int) -> list[str]:
    """Random words; the end token makes each text exactly as long as wanted."""
    draw = random.Random(seed)
    return [" ".join(f"w{draw.randrange(WORDS)}" for _ in range(length - 1)) for length in lengths]


def _tokenizer() -> dict[str, Any]:
    special = {"single_word": False, "lstrip": False, "rstrip": False, "normalized": False}
    end = {"SpecialToken": {"id": "<|endoftext|>", "type_id": 0}}
    one, two = ({"Sequence": {"id": name, "type_id": 0}} for name in "AB")
    vocabulary = {f"w{i}": i for i in range(WORDS)} | {"<|endoftext|>": END_OF_TEXT}
    token = {"id": "<|endoftext|>", "ids": [END_OF_TEXT], "tokens": ["<|endoftext|>"]}
    return {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": [
            {"id": END_OF_TEXT, "content": "<|endoftext|>", "special": True, **special}
        ],
        "normalizer": None,
        "pre_tokenizer": {"type": "WhitespaceSplit"},
        "post_processor": {
            "type": "TemplateProcessing",
            "single": [one, end],
            "pair": [one, two, end],
            "special_tokens": {"<|endoftext|>": token},
        },
        "decoder": None,
        "model": {"type": "WordLevel", "vocab": vocabulary, "unk_token": "<|endoftext|>"},
    }


def _tensors(config: dict[str, Any]) -> dict[str, Any]:
    """Random bf16 tensors under the names of the published checkpoint."""
    import torch

    draw = torch.Generator().manual_seed(0)
    hidden, head, wide = config["hidden_size"], config["head_dim"], config["intermediate_size"]
    queries, keys = config["num_attention_heads"] * head, config["num_key_value_heads"] * head
    shapes: dict[str, tuple[int, ...]] = {"embed_tokens": (config["vocab_size"], hidden)}
    for i in range(config["num_hidden_layers"]):
        shapes |= {
            f"layers.{i}.input_layernorm": (hidden,),
            f"layers.{i}.post_attention_layernorm": (hidden,),
            f"layers.{i}.self_attn.q_norm": (head,),
            f"layers.{i}.self_attn.k_norm": (head,),
            f"layers.{i}.self_attn.q_proj": (queries, hidden),
            f"layers.{i}.self_attn.k_proj": (keys, hidden),
            f"layers.{i}.self_attn.v_proj": (keys, hidden),
            f"layers.{i}.self_attn.o_proj": (hidden, queries),
            f"layers.{i}.mlp.gate_proj": (wide, hidden),
            f"layers.{i}.mlp.up_proj": (wide, hidden),
            f"layers.{i}.mlp.down_proj": (hidden, wide),
        }
    shapes["norm"] = (hidden,)
    return {
        f"{name}.weight": torch.ones(shape, dtype=torch.bfloat16)
        if len(shape) == 1
        else torch.empty(shape).normal_(0, 0.02, generator=draw).to(torch.bfloat16)
        for name, shape in shapes.items()
    }
