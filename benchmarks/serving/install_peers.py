"""Environments of the peers, each its own, with torch's CPU build where there is no NVIDIA GPU.

    python benchmarks/serving/install_peers.py FOLDER

Gives FOLDER/txtai, FOLDER/infinity (engine torch), FOLDER/infinity-onnx (engine optimum) and the
model for infinity in FOLDER/minilm. infinity 0.0.78 fits no single set of today's packages: its
engine torch is fast with BetterTransformer, which ended with optimum 1 and transformers 4.48;
optimum 1 does not know this torch, which the engine optimum imports; and numpy 1 needs an older
pyarrow than `datasets` asks for.
"""

import subprocess
import sys
import venv
from pathlib import Path

from machine import ROOT

TORCH = "2.13.0"
_INFINITY = ("infinity-emb[torch,server]==0.0.78", "datasets==3.6.0", "pyarrow==20.0.0")
PEERS = {
    "txtai": ("txtai[api]==9.14.0",),
    "infinity": (*_INFINITY, "optimum==1.27.0", "transformers==4.48.3"),
    "infinity-onnx": (*_INFINITY, "optimum-onnx[onnxruntime]==0.1.0", "transformers==4.57.6"),
}


def main() -> None:
    folder = Path(sys.argv[1])
    for name, packages in PEERS.items():
        venv.create(folder / name, symlinks=True, with_pip=True)
        python = folder / name / "bin" / "python"
        subprocess.run([python, ROOT / "scripts" / "install_torch.py", TORCH], check=True)
        subprocess.run([python, "-m", "pip", "install", "--quiet", *packages], check=True)
    make_model = Path(__file__).with_name("infinity_model.py")
    subprocess.run([sys.executable, make_model, folder / "minilm"], check=True)


if __name__ == "__main__":
    main()
