"""Texts of an exact number of tokens, so that every mode gets the same work."""

from bisect import bisect_right

import numpy as np

from indexer.embedding.tokenizer import Tokenizer

_WORDS = """
archive autumn batch because bread bridge camera candle carbon chapter city clock cloud coast
copper corner country cutting daily deep depth desert detail doctor door early engine evening
every field figure fire first flight forest garden glass graph green ground harbour history house
hundred index island kitchen ladder language layer letter library light long machine market matter
measure memory metal midnight milk model morning mountain music narrow never number open orange
paper passage pattern people picture place planet point quarter question quick rain reason record
river road school search season second shadow signal silver simple small snow sound south speed
spring station steam stone story street summer system table token travel under valley vector village
water weather window winter wood yellow
""".split()  # noqa: SIM905 a quoted list of a hundred words reads worse
_FILLER = " a"  # one token in every tokenizer that has met English


def texts_of_tokens(tokenizer: Tokenizer, n_tokens: int, count: int, seed: int) -> list[str]:
    """Different texts of this many tokens as documents, prompt and special tokens included.

    A tokenizer that does not have the filler as one token gives texts that are a little shorter.

    Args:
        tokenizer: the model's own.
        n_tokens: of each text, at least the prompt, the special tokens and one word.
        count: how many texts.
        seed: other seeds, other texts.
    """
    draw = np.random.default_rng(seed)
    return [_text(tokenizer, n_tokens, draw) for _ in range(count)]


def _text(tokenizer: Tokenizer, n_tokens: int, draw: np.random.Generator) -> str:
    words = [_WORDS[index] for index in draw.integers(len(_WORDS), size=n_tokens)]

    def tokens_of(n_words: int) -> int:
        return tokenizer.count([" ".join(words[:n_words])])[0]

    fitting = bisect_right(range(1, n_tokens + 1), n_tokens, key=tokens_of)
    text = " ".join(words[:fitting])
    while tokenizer.count([text + _FILLER])[0] <= n_tokens:
        text += _FILLER
    return text
