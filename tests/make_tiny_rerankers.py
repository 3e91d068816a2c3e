"""Build tiny rerankers with the real layouts and rules and seeded random weights.

The Qwen3 one is `make_tiny_qwen3` as a causal model, with the tokens that its template needs; its
weights are large enough for scores that differ. The cross-encoders are saved by transformers.
"""

import json
import shutil
from pathlib import Path
from typing import Any

import make_tiny_qwen3 as tiny
from indexer.embedding.models import resolve

_THINK = {"<think>": 151667, "</think>": 151668}  # the real ids; not special, as in the real one


def _tokenizer_json() -> dict[str, Any]:
    """The tiny tokenizer as rerankers have it: no EOS behind a text, "yes" and "no" one token."""
    values = tiny.tokenizer_json()
    values["post_processor"] = values["decoder"]
    model = values["model"]
    base = [token for token in model["vocab"] if model["vocab"][token] < tiny.END_OF_TEXT]
    merges: list[list[str]] = [["y", "e"], ["ye", "s"], ["n", "o"]]
    model["merges"] += [pair for pair in merges if pair not in model["merges"]]
    for left, right in merges:
        if left + right not in model["vocab"]:
            model["vocab"][left + right] = len(base)
            base.append(left + right)
    flags = {"single_word": False, "lstrip": False, "rstrip": False, "normalized": False}
    values["added_tokens"] += [
        {"id": id_, "content": token, **flags, "special": False} for token, id_ in _THINK.items()
    ]
    return values


def make_tiny_qwen3_reranker(out: Path, *, tied: bool = True, seed: int = 0) -> Path:
    """Write the folder (about 20 MB, 40 MB untied); the same seed gives the same bytes."""
    import torch
    from safetensors.torch import save_file

    out.mkdir(parents=True, exist_ok=True)
    config = {**tiny.CONFIG, "tie_word_embeddings": tied, "max_position_embeddings": 40960}
    draw = torch.Generator().manual_seed(seed)
    tensors = {}
    for name, tensor in tiny._tensors(config, seed):
        is_gain = "norm" in name
        tensors[f"model.{name}"] = tensor if is_gain else tensor * 8
    if not tied:
        head = torch.empty(config["vocab_size"], config["hidden_size"]).normal_(generator=draw)
        tensors["lm_head.weight"] = (head / 4).to(torch.bfloat16)
    files = {
        "config.json": config,
        "tokenizer_config.json": {
            "tokenizer_class": "Qwen2Tokenizer",
            "pad_token": "<|endoftext|>",
            "eos_token": "<|im_end|>",
            "model_max_length": 131072,
        },
        "tokenizer.json": _tokenizer_json(),
    }
    for name, value in files.items():
        (out / name).write_text(json.dumps(value, ensure_ascii=False), encoding="utf-8")
    save_file(tensors, out / "model.safetensors", metadata={"format": "pt"})
    return out


def make_tiny_cross_encoder(out: Path, activation: str | None = None, seed: int = 0) -> Path:
    """A BERT with one output and the bundled model's tokenizer; `activation` as config names it."""
    import torch
    from transformers import BertConfig, BertForSequenceClassification

    config = BertConfig(
        vocab_size=30522,
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=64,
        max_position_embeddings=128,
        num_labels=1,
        initializer_range=0.5,
    )
    if activation is not None:
        config.sentence_transformers = {"activation_fn": activation, "version": "4.1.0"}
    torch.manual_seed(seed)
    BertForSequenceClassification(config).save_pretrained(out)
    bundled = resolve("minilm").folder
    assert bundled is not None
    shutil.copy(bundled / "tokenizer.json", out / "tokenizer.json")
    (out / "tokenizer_config.json").write_text(
        json.dumps({"tokenizer_class": "BertTokenizer", "model_max_length": 512}), encoding="utf-8"
    )
    return out


def make_tiny_roberta_cross_encoder(out: Path, seed: int = 0) -> Path:
    """A RoBERTa: positions that start behind the padding id, no kinds of text, two separators."""
    import torch
    from tokenizers import Tokenizer, models, pre_tokenizers, processors
    from transformers import RobertaConfig, RobertaForSequenceClassification

    words = "<s> <pad> </s> <unk> how is the clock wound by hand tea hot water a b c".split()  # noqa: SIM905
    config = RobertaConfig(
        vocab_size=len(words),
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=64,
        max_position_embeddings=66,
        type_vocab_size=1,
        pad_token_id=1,
        num_labels=1,
        initializer_range=0.5,
    )
    torch.manual_seed(seed)
    RobertaForSequenceClassification(config).save_pretrained(out)
    encoder = Tokenizer(models.WordLevel({w: i for i, w in enumerate(words)}, unk_token="<unk>"))
    encoder.pre_tokenizer = pre_tokenizers.Whitespace()
    encoder.post_processor = processors.RobertaProcessing(("</s>", 2), ("<s>", 0))
    encoder.save(str(out / "tokenizer.json"))
    names = {"pad_token": "<pad>", "unk_token": "<unk>", "cls_token": "<s>", "sep_token": "</s>"}
    (out / "tokenizer_config.json").write_text(
        json.dumps({"tokenizer_class": "PreTrainedTokenizerFast", "model_max_length": 64, **names}),
        encoding="utf-8",
    )
    return out
