"""Make the expected vectors that ship with the bundled model anew.

    python scripts/make_golden.py

Needed after a change of the proof's texts or of what a vector depends on; the tests say so.
"""

from pathlib import Path
from tempfile import TemporaryDirectory

from indexer.embedding.local import LocalEmbedder
from indexer.embedding.models import resolve
from indexer.embedding.proof import golden
from indexer.embedding.proof.reference import golden_vectors
from indexer.embedding.runtimes.whole import WholeModel
from indexer.embedding.spec import load_spec
from indexer.embedding.tokenizer import load_tokenizer


def main() -> None:
    ref = resolve("minilm")
    assert ref.folder is not None
    with TemporaryDirectory() as hashes:
        spec = load_spec(ref.folder, ref, Path(hashes))
        name = f"golden-{golden.golden_key(spec)}.bin"
    made = golden_vectors(LocalEmbedder(spec, load_tokenizer(spec), WholeModel(spec)))
    for stale in golden.SHIPPED.glob("*.bin"):
        stale.unlink()
    golden.save_vectors(golden.SHIPPED / name, made)
    print(f"{golden.SHIPPED / name}: {made.shape[0]} texts, {made.shape[1]} values each")


if __name__ == "__main__":
    main()
