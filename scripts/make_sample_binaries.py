"""Build the binary documents of data/sample from the plain texts in scripts/sample_sources.

Markup of a source: `# ` title, `## ` heading, `- ` list item, `| a | b |` table row (the first is
the header), `> ` speaker note, `---` new page or chapter, any other line a paragraph.

Run `python scripts/make_sample_binaries.py [FOLDER]` after changing a source; FOLDER is data/sample
by default. The output is the same on every run: no clock, no random ids, fixed zip dates.
"""

import io
import sys
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))  # runs as a file, without a package

import sample_writers as writers
from sample_writers import Line, LineKind

ROOT = Path(__file__).resolve().parent.parent
SOURCES = Path(__file__).resolve().parent / "sample_sources"
EPOCH = datetime(2026, 1, 1)
_MARKS = {
    "# ": LineKind.TITLE,
    "## ": LineKind.HEADING,
    "- ": LineKind.ITEM,
    "| ": LineKind.ROW,
    "> ": LineKind.NOTE,
}


@dataclass(frozen=True)
class Target:
    """One binary document: its source's stem, its path under the sample folder, its writer."""

    source: str
    path: str
    write: Callable[[list[Line]], bytes]


TARGETS = (
    Target("capacity-plan", "operations/capacity-plan.docx", writers.docx),
    Target("kickoff", "notes/kickoff.pptx", writers.pptx),
    Target("memory", "tables/memory.xlsx", writers.xlsx),
    Target("reader-survey", "notes/reader-survey.pdf", writers.pdf),
    Target("bus-handbook", "operations/bus-handbook.odt", writers.odt),
    Target("history", "guides/history.epub", writers.epub),
)


def parse(text: str) -> list[Line]:
    """The lines of a source; blank ones only separate."""
    lines = []
    for raw in filter(None, map(str.strip, text.splitlines())):
        if raw == "---":
            lines.append(Line(LineKind.BREAK, ""))
            continue
        mark = next((m for m in _MARKS if raw.startswith(m)), "")
        lines.append(Line(_MARKS.get(mark, LineKind.PARAGRAPH), raw[len(mark) :].strip(" |")))
    return lines


def read_source(target: Target) -> list[Line]:
    """The parsed source of a target."""
    return parse((SOURCES / f"{target.source}.txt").read_text(encoding="utf-8"))


def fixed_zip(data: bytes) -> bytes:
    """The same archive with a fixed date on each entry; anything else is returned as it is."""
    if not data.startswith(b"PK"):
        return data
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(data)) as old, zipfile.ZipFile(out, "w") as new:
        for entry in old.infolist():
            info = zipfile.ZipInfo(entry.filename, date_time=(1980, 1, 1, 0, 0, 0))
            info.compress_type = entry.compress_type
            new.writestr(info, writers.without_clock(entry.filename, old.read(entry)))
    return out.getvalue()


def build(folder: Path) -> list[Path]:
    """Write all targets under `folder`; returns their paths."""
    paths = []
    for target in TARGETS:
        path = folder / target.path
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(fixed_zip(target.write(read_source(target))))
        paths.append(path)
    return paths


if __name__ == "__main__":
    for written in build(Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT / "data" / "sample"):
        print(f"{written} {written.stat().st_size:,} bytes")
