"""This project's CPU modes, as `open_embedder` gives them."""

import json
import tempfile
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any


class Ours:
    """A mode of ours on the CPU. "packed" is the torch forward that GPUs run, here on the CPU."""

    def __init__(self, model: Path, threads: int, cache: Path, engine: str, precision: str) -> None:
        from indexer.embedding.spec import load_spec

        spec = load_spec(model, cache_folder=cache)
        if engine == "packed":
            self._embedder = packed(spec, threads)
        else:
            self._embedder = opened(spec, threads, cache, engine, precision)
        assert str(self._embedder.mode) == f"cpu:{precision}", "another mode was opened"

    def embed(self, texts: Sequence[str], query: bool) -> Any:
        from indexer.types import Kind

        return self._embedder.embed(texts, Kind.QUERY if query else Kind.DOCUMENT)

    def profile(self, texts: Sequence[str]) -> dict[str, float]:
        """{operator: seconds} of one call; ONNX engines only."""
        import onnxruntime

        session = self._embedder.runtime._session  # no product code needs a profile
        plain = session._session
        options = plain.get_session_options()
        with tempfile.TemporaryDirectory() as folder:
            options.enable_profiling = True
            options.profile_file_prefix = str(Path(folder) / "profile")
            session._session = onnxruntime.InferenceSession(
                plain._model_path, options, providers=["CPUExecutionProvider"]
            )
            self.embed(texts, query=False)
            file = session._session.end_profiling()
            session._session = plain
            events = json.loads(Path(file).read_text())
        spent: Counter[str] = Counter()
        for event in events:
            if event.get("cat") == "Node" and event["name"].endswith("_kernel_time"):
                spent[event["args"]["op_name"]] += event["dur"]
        return {name: micros / 1e6 for name, micros in spent.most_common()}


def opened(spec: Any, threads: int, cache: Path, engine: str, precision: str) -> Any:
    """What `open_embedder` gives for a wish."""
    from indexer.embedding.opening import open_embedder
    from indexer.embedding.wishes import Engine, Wishes
    from indexer.modes import Placement, Precision

    wishes = Wishes(Placement.CPU, Precision(precision), engine=Engine(engine), threads=threads)
    return open_embedder(spec, wishes, cache_folder=cache)


def packed(spec: Any, threads: int) -> Any:
    """The packed torch forward in fp32."""
    import torch

    from indexer.embedding.local import LocalEmbedder
    from indexer.embedding.runtimes.packed.opening import open_resident
    from indexer.embedding.tokenizer import load_tokenizer

    torch.set_num_threads(threads)
    return LocalEmbedder(spec, load_tokenizer(spec), open_resident(spec))
