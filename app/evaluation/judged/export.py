"""A judged collection as a BEIR folder, to be used by any tool and on any machine."""

import json
import os
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from app.evaluation.judged.own import OwnSet, own_set_at
from app.judging.names import document_names
from app.judging.read import Qrels
from app.judging.store import Judgements
from indexer.errors import UsageError
from indexer.storage.collection import Collection
from indexer.storage.snapshot import Snapshot


@dataclass(frozen=True, slots=True)
class Exported:
    """What was written."""

    documents: int
    judged: OwnSet


def export(collection: Collection, judgements: Judgements, folder: Path) -> Exported:
    """Write corpus.jsonl (every document), queries.jsonl and qrels/test.tsv into a new folder.

    The folder appears whole or not at all.

    Raises:
        UsageError: the folder holds something, cannot be written, or nothing can be exported.
    """
    try:
        if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
            raise UsageError(f"{folder}: is there already. Name a folder that is new or empty.")
        folder.parent.mkdir(parents=True, exist_ok=True)
        draft = folder.with_name(f".{folder.name}.{os.getpid()}.tmp")
        try:
            with collection.snapshot() as now:
                judged = own_set_at(now, judgements)
                documents = _write(now, judged, draft)
            if folder.is_dir():
                folder.rmdir()
            draft.rename(folder)
        finally:
            shutil.rmtree(draft, ignore_errors=True)
    except OSError as error:
        raise UsageError(
            f"{folder}: cannot be written ({error.strerror or error}). Name another folder."
        ) from error
    return Exported(documents, judged)


def _write(now: Snapshot, judged: OwnSet, folder: Path) -> int:
    (folder / "qrels").mkdir(parents=True)
    documents = 0
    with (folder / "corpus.jsonl").open("w", encoding="utf-8") as corpus:
        for name, summary in document_names(now):
            text = now.document(summary.id).text
            corpus.write(_line({"_id": name, "title": summary.title, "text": text}))
            documents += 1
    queries = (_line({"_id": query, "text": text}) for query, text in judged.queries.items())
    (folder / "queries.jsonl").write_text("".join(queries), encoding="utf-8")
    (folder / "qrels" / "test.tsv").write_text(_tsv(judged.qrels), encoding="utf-8")
    return documents


def _line(row: dict[str, Any]) -> str:
    return json.dumps(row, ensure_ascii=False) + "\n"


def _tsv(qrels: Qrels) -> str:
    rows = [
        f"{query}\t{document}\t{grade}"
        for query, grades in qrels.items()
        for document, grade in grades.items()
    ]
    return "\n".join(["query-id\tcorpus-id\tscore", *rows]) + "\n"
