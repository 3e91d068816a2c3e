"""Machines for the planner's tests: named ones, and any that hypothesis draws."""

from hypothesis import strategies as st

from indexer.embedding.hardware.machine import Cpu, Gpu, Hardware, Memory, TorchBuild

GIB = 1 << 30
CUDA = TorchBuild("2.13.0+cu130", "13.0")
CPU_ONLY = TorchBuild("2.13.0+cpu")
AVX512 = frozenset({"avx2", "avx512f", "avx512_vnni"})


def card(name: str, total_gib: float, capability: tuple[int, int], index: int = 0) -> Gpu:
    total = int(total_gib * GIB)
    return Gpu(index, name, total, int(total * 0.97), capability, "580.1")


T4 = card("Tesla T4", 16, (7, 5))
MX450 = card("GeForce MX450", 2, (7, 5))
RTX_4GB = card("RTX 3050 Laptop GPU", 4, (8, 6))
H200 = card("NVIDIA H200", 141, (9, 0))
PASCAL = card("GeForce GTX 1080", 8, (6, 1))


def machine(
    ram_gib: float, *gpus: Gpu, cores: int = 4, torch: TorchBuild | None = CUDA
) -> Hardware:
    ram = int(ram_gib * GIB)
    cpu = Cpu("a processor", cores, 2 * cores, None, AVX512)
    return Hardware(cpu, Memory(ram, int(ram * 0.8)), gpus, None, torch)


SIZES_GIB = [0.5, 1, 2, 4, 6, 8, 11, 12, 16, 24, 48, 80, 141]
CAPABILITIES = [(5, 2), (6, 1), (7, 0), (7, 5), (8, 0), (8, 6), (8, 9), (9, 0), (10, 0), (12, 0)]


@st.composite
def cards(draw: st.DrawFn, index: int = 0) -> Gpu:
    total = int(draw(st.sampled_from(SIZES_GIB)) * GIB)
    free = draw(st.integers(0, total))
    capability = draw(st.sampled_from(CAPABILITIES))
    cores = draw(st.sampled_from([0, 640, 2560, 16896]))
    rates = st.sampled_from([0.0, 1e9, 12e9, 50e9])
    return Gpu(
        index, "a card", total, free, capability, "", cores, 1.5e9, draw(rates) * 40, draw(rates)
    )


@st.composite
def machines(draw: st.DrawFn) -> Hardware:
    """From a 512 MiB laptop to a host with 8 GPUs and 2 TiB."""
    total = draw(st.integers(512 << 20, 2048 * GIB))
    available = draw(st.integers(0, total))
    container = draw(st.none() | st.integers(0, total))
    cores = draw(st.integers(1, 128))
    quota = draw(st.none() | st.floats(0.1, 128))
    count = draw(st.integers(0, 8))
    return Hardware(
        Cpu("a processor", cores, 2 * cores, quota, draw(st.sampled_from([frozenset(), AVX512]))),
        Memory(total, available, container),
        tuple(draw(cards(index)) for index in range(count)),
        None,
        draw(st.sampled_from([CUDA, CPU_ONLY, TorchBuild("2.11.0", "12.8"), None])),
    )
