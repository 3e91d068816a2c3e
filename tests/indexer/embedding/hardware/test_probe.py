"""Disk, torch build, speeds, and all of it together without importing torch."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from indexer.embedding.hardware.disk import read_disk
from indexer.embedding.hardware.machine import Cpu
from indexer.embedding.hardware.probe import probe
from indexer.embedding.hardware.rates import assume_rates, measure_rates
from indexer.embedding.hardware.torch_build import parse_version_file, read_torch_build


def test_disk_speed_is_read_from_the_weights(tmp_path: Path) -> None:
    weights = tmp_path / "model.safetensors"
    weights.write_bytes(os.urandom(1 << 20) * 16)
    disk, notes = read_disk(weights, tmp_path)
    assert disk is not None
    assert notes == []
    assert disk.free_bytes > 0
    assert disk.read_bytes_per_s is not None
    assert disk.read_bytes_per_s > 1e6
    assert disk.cached is not None


def test_tiny_or_missing_weights_have_no_speed(tmp_path: Path) -> None:
    small = tmp_path / "small"
    small.write_bytes(b"x" * 1000)
    assert (disk := read_disk(small, tmp_path)[0]) is not None
    assert disk.read_bytes_per_s is None
    disk, notes = read_disk(tmp_path / "absent", tmp_path)
    assert disk is not None
    assert "absent" in notes[0]
    disk, notes = read_disk(None, tmp_path / "nowhere")
    assert disk is None
    assert "nowhere" in notes[0]


@pytest.mark.parametrize(
    ("text", "version", "cuda", "hip"),
    [
        ("__version__ = '2.13.0+cpu'\ncuda: Optional[str] = None\n", "2.13.0+cpu", None, None),
        ("__version__ = '2.11.0'\ncuda: Optional[str] = '13.0'\n", "2.11.0", "13.0", None),
        ("__version__ = \"2.11.0\"\nhip: Optional[str] = '7.1'\n", "2.11.0", None, "7.1"),
        ("", "unknown", None, None),
    ],
)
def test_torch_version_file(text: str, version: str, cuda: str | None, hip: str | None) -> None:
    build = parse_version_file(text)
    assert (build.version, build.cuda, build.hip) == (version, cuda, hip)


def test_installed_torch_is_what_torch_says() -> None:
    import torch

    build = read_torch_build()
    assert build is not None
    assert build.version == torch.__version__
    assert build.cuda == torch.version.cuda


def test_assumed_rates_follow_cores_and_instruction_sets() -> None:
    plain = assume_rates(Cpu("x", 4, 8))
    wide = assume_rates(Cpu("x", 4, 8, None, frozenset({"avx2", "avx512f", "avx512_vnni"})))
    assert wide.fp32_flops == 8 * plain.fp32_flops
    assert wide.int8_ops == 3 * wide.fp32_flops
    assert assume_rates(Cpu("x", 4, 8, 2.0)).fp32_flops == plain.fp32_flops / 2
    assert not plain.measured


def test_measured_rates_are_plausible() -> None:
    rates = measure_rates(Cpu("x", 1, 1))
    assert rates.onnx_flops is not None
    for rate in (rates.fp32_flops, rates.onnx_flops, rates.int8_ops):
        assert 1e8 < rate < 1e15
    assert 1e8 < rates.memory_bytes_per_s < 1e13
    assert rates.measured


def test_probe_describes_this_machine(minilm_folder: Path) -> None:
    hardware = probe(folder=minilm_folder, measure_speed=True)
    assert 1 <= hardware.cpu.physical_cores <= (os.cpu_count() or 1)
    assert 0 < hardware.memory.usable_bytes <= hardware.memory.total_bytes
    assert hardware.disk is not None
    assert hardware.disk.read_bytes_per_s is not None
    assert hardware.rates is not None
    assert hardware.rates.measured


def test_probe_imports_no_torch() -> None:
    code = (
        "import sys; from indexer.embedding.hardware.probe import probe; probe();"
        "print(sorted({'torch', 'transformers', 'onnxruntime'} & set(sys.modules)))"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == "[]"
