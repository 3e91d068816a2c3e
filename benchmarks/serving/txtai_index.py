"""An index of txtai over the very rows of a collection, and the settings to serve it.

    TXTAI_PYTHON benchmarks/serving/txtai_index.py HOME COLLECTION MODEL_FOLDER INDEX

Runs in txtai's own environment. The rows are the collection's own vectors, since txtai would take
an hour for the same; index type and content in SQLite are what txtai does by itself.
"""

import json
import sys
from pathlib import Path
from typing import Any

from passages import catalog_of, read_passages
from txtai import Embeddings


def main() -> None:
    home, collection, model, folder = sys.argv[1:]
    model = str(Path(model).absolute())
    passages = read_passages(catalog_of(Path(home), collection))
    embeddings = Embeddings(path=model, method="transformers", content=True)
    done = 0

    def encode(data: list[str], category: str | None = None) -> Any:  # noqa: ARG001 - txtai's call
        nonlocal done
        done += len(data)
        return passages.vectors[done - len(data) : done]

    embeddings.model.encode = encode
    embeddings.index(zip(passages.ids, passages.texts, strict=True))
    embeddings.save(folder)
    settings = {
        "path": str(Path(folder).absolute()),
        "writable": False,
        "embeddings": {"path": model},
    }
    (Path(folder) / "api.yml").write_text(json.dumps(settings))
    print(f"{done} rows, {embeddings.config['build']['settings']}")


if __name__ == "__main__":
    main()
