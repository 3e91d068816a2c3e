"""Subtitles (WebVTT, SubRip): what is said, with the time as the place."""

import re

from indexer.documents.readers.base import Source, decode_or_reject
from indexer.types import ParsedDocument, Place

_TIMING = re.compile(r"((?:\d+:)?\d{1,2}:\d{2})[.,]\d{3}\s+-->")
_VOICE = re.compile(r"<v(?:\.[^ >]*)?\s+([^>]{1,100})>")
_TAG = re.compile(r"</?[^<>]{0,100}>")
_SKIPPED = ("WEBVTT", "NOTE", "STYLE", "REGION")


def parse(data: bytes, source: Source) -> list[ParsedDocument]:
    """One document, a line per cue, without timings and markup."""
    text, places, length = [], [], 0
    for cue in re.split(r"\n[^\S\n]*\n\s*", decode_or_reject(data)):
        lines = cue.strip().split("\n")
        at = next((n for n, line in enumerate(lines[:2]) if _TIMING.match(line.strip())), None)
        if at is None:
            if lines[0].startswith(_SKIPPED):
                continue
            said = lines
        else:
            said = lines[at + 1 :]
        line = " ".join(_spoken(each) for each in said).strip()
        if not line:
            continue
        if at is not None and (timing := _TIMING.match(lines[at].strip())):
            places.append(Place(length, timing[1]))
        text.append(line)
        length += len(line) + 1
    return [ParsedDocument(text="\n".join(text), format=source.format, places=tuple(places))]


def _spoken(line: str) -> str:
    return _TAG.sub("", _VOICE.sub(r"\1: ", line)).strip()
