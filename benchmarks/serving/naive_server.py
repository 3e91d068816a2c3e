"""The naive server: sentence-transformers behind plain FastAPI, a flat FAISS index over the rows.

    python benchmarks/serving/naive_server.py CATALOG PORT

What a user writes in an afternoon, and nothing of ours: a thread for each request, one text at a
time through the model, every vector scored, texts in memory.
"""

import sys
from pathlib import Path
from typing import Any

import faiss
import uvicorn
from fastapi import FastAPI
from passages import Passages, read_passages
from pydantic import BaseModel
from servers import model_folder


class Question(BaseModel):
    """A search."""

    query: str
    k: int = 10


class Texts(BaseModel):
    """OpenAI's request, as far as it is asked here."""

    input: list[str]
    model: str


def create_app(passages: Passages, model: Any) -> FastAPI:
    """The service; `model.encode` gives unit vectors of texts."""
    index = faiss.IndexFlatIP(passages.vectors.shape[1])
    index.add(passages.vectors)
    app = FastAPI()

    @app.get("/health")
    def health() -> str:
        return "ok"

    @app.post("/search")
    def search(question: Question) -> list[dict[str, Any]]:
        scores, rows = index.search(model.encode([question.query]), question.k)
        return [
            {"id": passages.ids[row], "score": float(score), "text": passages.texts[row]}
            for score, row in zip(scores[0], rows[0], strict=True)
        ]

    @app.post("/v1/embeddings")
    def embeddings(texts: Texts) -> dict[str, Any]:
        vectors = model.encode(texts.input).tolist()
        data = [{"index": i, "embedding": vector} for i, vector in enumerate(vectors)]
        return {"object": "list", "model": texts.model, "data": data}

    return app


def main() -> None:
    from sentence_transformers import SentenceTransformer

    model = SentenceTransformer(str(model_folder()), device="cpu")
    app = create_app(read_passages(Path(sys.argv[1])), model)
    uvicorn.run(app, port=int(sys.argv[2]), log_level="warning")


if __name__ == "__main__":
    main()
