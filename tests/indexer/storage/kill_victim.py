"""Child process of the crash test: commits batches for ever and reports each confirmed one."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

from conftest import World, adding, make_file

from indexer.types import Changes


def main(folder: str, first: int) -> None:
    """Each step adds four files, changes one of the last step, drops one of the step before."""
    with World(Path(folder)).writer() as writer:
        print("open", flush=True)
        for step in range(first, first + 100_000):
            files = [make_file(f"/{step}/{i}", f"step {step} file {i}", "shared") for i in range(4)]
            files.append(make_file(f"/{step - 1}/0", f"step {step - 1} file 0 changed", "shared"))
            removed = (f"/{step - 2}/1".encode(),)
            changes = adding(*files)
            writer.commit(Changes(files=changes.files, vectors=changes.vectors, removed=removed))
            print(step, flush=True)
            if step % 3 == 0:
                writer.sync()


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
