"""From files as people have them to what a filter in words finds."""

import os
from datetime import datetime
from pathlib import Path

from app.search.where import parse_where
from indexer.embedding.embedder import Embedder
from indexer.embedding.spec import ModelSpec
from indexer.paths import display_path
from indexer.pipeline.run import index
from indexer.storage.collection import Collection
from indexer.storage.commit import Writer
from indexer.types import Kind

FILES = {
    b"docs/plan.md": "---\ntitle: The Plan\ntags: [Draft, work]\ndate: 2024-05-01\npriority: 3\n"
    "draft: yes\nauthor: {name: Zoë}\n---\nThis is the plan and it is what we have said to them.\n",
    b"docs/deep/er/notes.md": "---\ntags: draft, Machine Learning\nversion: 1.10\n"
    "reading time: 5\n---\nDas ist nicht schwer und wir haben es auch schon gesagt.\n",
    b"docs/deep/old.txt": "面包发酵是因为酵母分解糖分并产生气体。\n",
    b"src/tool.py": "def tool():\n    return 'a tool'\n",
    b"caf\xe9.md": "+++\ntags = ['a/b']\ndate = 2023-12-31\n+++\nCoffee\n",
    b"rows.jsonl": '{"_id": "r1", "text": "Tea", "metadata": {"tag": "hot", "year": "2024"}}\n'
    '{"_id": "r2", "text": "Ice", "metadata": {"tag": "cold", "year": 2025}}\n',
}
PLAN, NOTES, OLD, TOOL = "plan.md", "notes.md", "old.txt", "tool.py"
CAFE, R1, R2 = "caf\\xe9.md", "rows.jsonl#r1", "rows.jsonl#r2"
FOUND: dict[str, set[str]] = {
    "path:docs": {PLAN, NOTES, OLD},
    "path:docs/*": {PLAN},
    "path:docs/**/*.md": {PLAN, NOTES},
    "path:caf\\xe9.*": {CAFE},
    "-path:*.md": {OLD, TOOL, R1, R2},
    "type:(py, .TXT)": {TOOL, OLD},
    "type:md not path:docs/": {CAFE},
    "lang:de": {NOTES},
    "lang:en type:md": {PLAN, CAFE},
    "lang:unknown": {OLD},
    "tag:DRAFT": {PLAN, NOTES},
    'tag:("machine learning", a/b, hot)': {NOTES, CAFE, R1},
    "-tag:*": {OLD, TOOL},
    "draft:true": {PLAN},
    "author.name:zoë": {PLAN},
    "author:*": {PLAN},
    "version:1.1": {NOTES},
    'meta."Reading Time">=5': {NOTES},
    "priority<3 or priority>3": set(),
    "title:'the plan'": {PLAN},
    "date:2024": {PLAN},
    "date<2024": {CAFE},
    "date>=2024-05-01": {PLAN},
    "year:2024..2025": {R1, R2},
    "year>2024": {R2},
    "year!=2024 path:*.jsonl": {R2},
    "modified<1y": {OLD},
    "modified:2020": {OLD},
    "modified>=1h type:txt": set(),
    "modified>=1h": {PLAN, NOTES, TOOL, CAFE, R1, R2},
}


def test_filters_find_the_files_they_name(
    tmp_path: Path, minilm_spec: ModelSpec, hash_embedder: Embedder
) -> None:
    contract = minilm_spec.contract("1/256")
    root = os.fsencode(tmp_path / "root")
    for name, text in FILES.items():
        path = os.path.join(root, name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)
    then = datetime(2020, 6, 1).timestamp()
    os.utime(os.path.join(root, b"docs/deep/old.txt"), (then, then))
    with Writer.open(tmp_path / "collection", contract) as writer:
        report = index([Path(os.fsdecode(root))], writer, hash_embedder, contract)
        assert report.skipped == []
    query = hash_embedder.embed(["anything"], Kind.QUERY)[0]
    with Collection.open(tmp_path / "collection") as reader, reader.snapshot() as now:

        def names(text: str) -> set[str]:
            hits = now.dense(query, 100, parse_where(text))
            found = now.chunks([hit.chunk_id for hit in hits]).values()
            return {
                os.path.basename(display_path(each.path)) + (each.member and f"#{each.member}")
                for each in found
            }

        assert {text: names(text) for text in FOUND} == FOUND
