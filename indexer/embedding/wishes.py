"""What a user asks of where and how the model runs; the planner decides the rest."""

from dataclasses import dataclass
from enum import StrEnum

from indexer.modes import Placement, Precision


class Engine(StrEnum):
    """What runs the model in this process."""

    ONNX = "onnx"  # ONNX Runtime on a graph built from the checkpoint: the fast way on a CPU
    TORCH = "torch"  # transformers or our own torch forward: the reference on a CPU


class EndpointApi(StrEnum):
    """The wire format of an endpoint."""

    OPENAI = "openai"  # POST /v1/embeddings: SGLang, vLLM, TEI, llama.cpp, Ollama, OpenAI
    TEI = "tei"  # POST /embed: text-embeddings-inference's own


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A server that embeds, or reranks."""

    url: str  # base URL, e.g. "http://127.0.0.1:30000/v1"; no user name in it
    model: str | None = None  # its name for the model; None: the spec's
    key: str | None = None  # bearer token; never shown
    api: EndpointApi | None = None  # None: tei where the URL ends in /embed, else openai
    timeout_s: float = 60.0  # of one request
    concurrency: int = 4  # requests in flight; more are queued here
    key_setting: str = "SEMSEARCH_ENDPOINT_KEY"  # where messages say that a key belongs

    def __repr__(self) -> str:
        key = "'***'" if self.key else None
        return f"Endpoint(url={self.url!r}, model={self.model!r}, key={key}, api={self.api!r})"


@dataclass(frozen=True, slots=True)
class Wishes:
    """None leaves a point to the planner.

    Wishes()                                          the best mode this machine has
    Wishes(Placement.CPU, Precision.INT8, threads=4)
    Wishes(Placement.OFFLOAD, max_vram_bytes=400 << 20)
    Wishes(Placement.REMOTE, endpoints=(Endpoint("http://gpu:30000/v1"),))
    """

    placement: Placement | None = None
    precision: Precision | None = None
    engine: Engine | None = None
    device: str | None = None  # a certain GPU, e.g. "cuda:1"
    threads: int | None = None  # of the whole process
    max_batch_tokens: int | None = None  # in one forward pass
    max_vram_bytes: int | None = None
    max_ram_bytes: int | None = None
    visible_gpus: str | None = None  # value of CUDA_VISIBLE_DEVICES; None: all
    endpoints: tuple[Endpoint, ...] = ()
