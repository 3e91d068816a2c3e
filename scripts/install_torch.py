"""Install torch without pulling gigabytes of CUDA packages onto a machine that has no NVIDIA GPU.

On Linux, PyPI's own torch build depends on CUDA libraries. So: with an NVIDIA driver present, take
what pip resolves; without one, ask pip what it would install, and when that holds CUDA packages
take PyTorch's CPU build instead. Run by the Makefile with the environment's own Python.
"""

import json
import shutil
import subprocess
import sys
from importlib.metadata import PackageNotFoundError, version

CPU_BUILDS = "https://download.pytorch.org/whl/cpu"
CUDA_PREFIXES = ("nvidia-", "cuda-", "triton")


def pip(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run this environment's pip."""
    command = [sys.executable, "-m", "pip", "--disable-pip-version-check", *arguments]
    return subprocess.run(command, text=True, capture_output=True, check=False)


def has_nvidia_gpu() -> bool:
    """True when the NVIDIA driver lists a device."""
    tool = shutil.which("nvidia-smi")
    if tool is None:
        return False
    listed = subprocess.run([tool, "-L"], text=True, capture_output=True, check=False)
    return listed.returncode == 0 and "GPU" in listed.stdout


def would_install_cuda(requirement: str) -> bool:
    """True when pip's own answer to the requirement holds CUDA packages, or pip has no answer."""
    planned = pip("install", "--dry-run", "--quiet", "--report", "-", requirement)
    if planned.returncode:
        return True
    report = json.loads(planned.stdout)
    names = [item["metadata"]["name"].lower() for item in report["install"]]
    return any(name.startswith(CUDA_PREFIXES) for name in names)


def installed() -> str | None:
    """The installed version of torch."""
    try:
        return version("torch")
    except PackageNotFoundError:
        return None


def built_for_cuda() -> bool:
    """Whether the installed torch is a CUDA build; asked of torch itself, in a fresh process."""
    code = "import torch; print(torch.version.cuda or '')"
    asked = subprocess.run([sys.executable, "-c", code], text=True, capture_output=True, check=True)
    return bool(asked.stdout.strip())


def main() -> int:
    """Install `torch==VERSION` given as the only argument, if it is not there yet."""
    wanted = sys.argv[1]
    if (installed() or "").split("+")[0] != wanted:
        extra = []
        if not has_nvidia_gpu() and would_install_cuda(f"torch=={wanted}"):
            extra = ["--index-url", CPU_BUILDS]  # pytorch.org's builds without CUDA
        done = pip("install", *extra, f"torch=={wanted}")
        if done.returncode:
            print(done.stdout, done.stderr, sep="\n", file=sys.stderr)
            print(f"torch {wanted} could not be installed; see above.", file=sys.stderr)
            return 1
    if not has_nvidia_gpu() and built_for_cuda():
        print(
            f"torch {installed()} is a CUDA build, but this machine shows no NVIDIA GPU. "
            f"Remove the .venv folder and run make again.",
            file=sys.stderr,
        )
        return 1
    print(f"torch {installed()}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
