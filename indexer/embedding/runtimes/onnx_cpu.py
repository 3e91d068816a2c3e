"""The model on the CPU through ONNX Runtime: fp32 or int8, without torch."""

from collections import OrderedDict
from collections.abc import Sequence
from pathlib import Path

from indexer.embedding.onnx.cache import prepare
from indexer.embedding.onnx.encoder import Beginning, encoder_of
from indexer.embedding.onnx.files import GRAPH_NAME
from indexer.embedding.onnx.session import Session, is_out_of_memory
from indexer.embedding.runtimes.base import Runtime, TokenBatch
from indexer.embedding.spec import ModelSpec
from indexer.modes import Placement, Precision
from indexer.types import Vectors

# Padded tokens in one pass. More is slower, since their states leave the cache: Qwen3-0.6B in int8
# on two Zen 5 cores made 1,282 tokens/s of 2 x 128, 1,191 of 4 x 128, 1,089 of 4 x 200.
BATCH_TOKENS = 256
# Reading the weights makes a pass cost as much as this many more tokens, so a text joins a batch
# if its padding is less. (24 tokens took 30 ms there, 128 took 113: 11 ms a pass.)
_PASS_TOKENS = 16
_BEGINNINGS = 8  # instructions kept; 5 MB each for Qwen3-0.6B
_LEAST_BEGINNING = 4  # shorter ones save nothing


class OnnxModel(Runtime):
    """A graph built from the checkpoint, on the CPU."""

    placement = Placement.CPU

    def __init__(
        self,
        spec: ModelSpec,
        precision: Precision,
        cache_folder: Path,
        threads: int | None = None,
        max_batch_tokens: int | None = None,
    ) -> None:
        """Build the graph if it is not there yet, and load it.

        Args:
            spec: a model that `encoder.reason_against` has nothing against.
            precision: fp32 or int8.
            cache_folder: where prepared graphs lie.
            threads: None for the physical cores.
            max_batch_tokens: padded tokens in one pass; None for the default.

        Raises:
            ModelError: the checkpoint is damaged, or the graph cannot be written or loaded.
        """
        self.precision = precision
        self.hidden_size = spec.hidden_size
        self.max_batch_tokens = max_batch_tokens or BATCH_TOKENS
        self._usual_tokens = self.max_batch_tokens
        self._encoder = encoder_of(spec)
        self.keeps_beginnings = self._encoder.takes_beginnings
        folder = prepare(spec, precision, cache_folder, encoder=self._encoder)
        self._session: Session | None = Session(folder / GRAPH_NAME, threads)
        self._beginnings: OrderedDict[tuple[int, ...], Beginning] = OrderedDict()

    def batch_size(self, lengths: Sequence[int]) -> int:
        """See `Runtime.batch_size`: no text is padded by more than a pass of its own would cost."""
        longest = max(1, lengths[0])
        room = max(1, self.max_batch_tokens // longest)
        size = 1
        while size < min(room, len(lengths)) and longest - lengths[size] <= _PASS_TOKENS:
            size += 1
        return size

    def expect(self, beginning: Sequence[int]) -> None:
        """See `Runtime.expect`: the keys and values of these tokens are computed once."""
        ids = tuple(beginning)
        if len(ids) < _LEAST_BEGINNING or not self._encoder.takes_beginnings:
            return
        if ids not in self._beginnings:
            feeds = self._encoder.feeds([ids], kept=len(ids))
            keys, values = self._loaded.run(["keys", "values"], feeds)
            self._beginnings[ids] = Beginning(ids, keys, values)
            while len(self._beginnings) > _BEGINNINGS:
                self._beginnings.popitem(last=False)
        self._beginnings.move_to_end(ids)

    def forget(self, beginning: Sequence[int]) -> None:
        """See `Runtime.forget`."""
        self._beginnings.pop(tuple(beginning), None)

    def forward(self, batch: TokenBatch) -> Vectors:
        """See `Runtime.forward`."""
        beginning = self._known_beginning(batch[0]) if len(batch) == 1 else None
        rest = batch if beginning is None else [batch[0][len(beginning.ids) :]]
        feeds = self._encoder.feeds(rest, beginning)
        unusual = feeds["states"].shape[0] > self._usual_tokens
        states = self._loaded.run(["vectors"], feeds, shrink=unusual)[0]
        return self._encoder.pool(states, rest)

    def is_out_of_memory(self, error: BaseException) -> bool:
        """See `Runtime.is_out_of_memory`."""
        return is_out_of_memory(error)

    def close(self) -> None:
        """See `Runtime.close`."""
        self._session = None
        self._beginnings.clear()

    @property
    def _loaded(self) -> Session:
        assert self._session is not None, "the runtime is closed"
        return self._session

    def _known_beginning(self, ids: Sequence[int]) -> Beginning | None:
        """The longest known beginning of a text, cut to what the text shares with it.

        A tokenizer may join the prompt's last character with the query's first: what a token saw
        before it is all that its keys and values depend on, so the tokens before that place hold.
        """
        best: Beginning | None = None
        for known in self._beginnings.values():
            # At least one token must be left to compute.
            shared = _common(known.ids, ids[: len(ids) - 1])
            if shared >= _LEAST_BEGINNING and (best is None or shared > len(best.ids)):
                best = Beginning(
                    known.ids[:shared], known.keys[..., :shared, :], known.values[..., :shared, :]
                )
        return best


def _common(left: Sequence[int], right: Sequence[int]) -> int:
    """How many leading items two sequences share."""
    for index, (mine, theirs) in enumerate(zip(left, right, strict=False)):
        if mine != theirs:
            return index
    return min(len(left), len(right))
