"""Plain values that say what a machine has. The planner sees nothing else of the hardware."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Cpu:
    """The processor, as far as this process may use it."""

    name: str
    physical_cores: int  # that this process may run on
    logical_cores: int  # the same, hyper-threads counted
    quota_cores: float | None = None  # of the container; None: no limit
    flags: frozenset[str] = frozenset()  # of `cpu.KNOWN_FLAGS` only


@dataclass(frozen=True, slots=True)
class Memory:
    """Main memory in bytes."""

    total_bytes: int
    available_bytes: int  # what the system would give without swapping
    container_bytes: int | None = None  # left of the container's limit; None: no limit
    address_space_bytes: int | None = None  # left of RLIMIT_AS; None: no limit

    @property
    def usable_bytes(self) -> int:
        """What this process may still take: the tightest of the limits."""
        limits = (self.available_bytes, self.container_bytes, self.address_space_bytes)
        return max(0, min(limit for limit in limits if limit is not None))


@dataclass(frozen=True, slots=True)
class Gpu:
    """One NVIDIA GPU that CUDA programs of this process may use."""

    index: int  # among the visible ones: CUDA's number if all are of one kind
    name: str
    total_bytes: int
    free_bytes: int
    capability: tuple[int, int]  # compute capability, e.g. (8, 6)
    driver: str = ""
    cores: int = 0  # CUDA cores; 0: unknown
    clock_hz: float = 0.0  # highest of the multiprocessors; 0: unknown
    memory_bytes_per_s: float = 0.0  # by bus width and clock; 0: unknown
    pcie_bytes_per_s: float = 0.0  # by generation and width of the link; 0: unknown


@dataclass(frozen=True, slots=True)
class Disk:
    """The disk that holds the weights."""

    free_bytes: int
    read_bytes_per_s: float | None = None  # None: nothing to read
    cached: bool | None = None  # the file lay in memory already; None: cannot be told


@dataclass(frozen=True, slots=True)
class TorchBuild:
    """The installed torch, by its files: importing it takes a second and 200 MiB."""

    version: str
    cuda: str | None = None  # toolkit it was built for, e.g. "13.0"; None: no CUDA in it
    hip: str | None = None  # AMD's instead


@dataclass(frozen=True, slots=True)
class Rates:
    """Speeds of the processor."""

    fp32_flops: float  # a matrix product of a transformer layer's shape in numpy, all cores
    int8_ops: float  # the same in ONNX Runtime, uint8 x int8
    memory_bytes_per_s: float
    measured: bool  # False: assumed from cores and instruction set
    onnx_flops: float | None = None  # in ONNX Runtime, fp32; None: as in numpy


@dataclass(frozen=True, slots=True)
class Hardware:
    """A machine. `notes` name what could not be found out, and why."""

    cpu: Cpu
    memory: Memory
    gpus: tuple[Gpu, ...] = ()
    disk: Disk | None = None
    torch: TorchBuild | None = None
    rates: Rates | None = None
    notes: tuple[str, ...] = ()
