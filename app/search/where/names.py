"""Types of files and languages by the names that people know them by."""

import re

from indexer.documents import formats
from indexer.storage.languages import STEMMERS

_SPOKEN_TYPES = {
    "c#": "csharp",
    "excel": "xlsx",
    "golang": "go",
    "jupyter": "notebook",
    "mail": "email",
    "powerpoint": "pptx",
    "word": "docx",
}
# ISO 639-1, 639-2 and, where they differ, 639-3.
_CODES = {
    "arabic": "ar ara",
    "armenian": "hy hye arm",
    "danish": "da dan",
    "dutch": "nl nld dut",
    "english": "en eng",
    "finnish": "fi fin",
    "french": "fr fra fre",
    "german": "de deu ger",
    "greek": "el ell gre",
    "hindi": "hi hin",
    "hungarian": "hu hun",
    "indonesian": "id ind",
    "italian": "it ita",
    "norwegian": "no nor nb nob nn nno",
    "portuguese": "pt por",
    "romanian": "ro ron rum",
    "russian": "ru rus",
    "spanish": "es spa",
    "swedish": "sv swe",
    "tamil": "ta tam",
    "turkish": "tr tur",
}
_BY_CODE = {code: name for name, codes in _CODES.items() for code in codes.split()}
_REGION = re.compile(r"[-_][a-z0-9]{2,4}\Z", re.ASCII)


def type_of(word: str) -> str | None:
    """The format that a name or suffix means: md, .PDF, golang; None if there is none."""
    return formats.by_word(_SPOKEN_TYPES.get(word.lower(), word))


def language_of(word: str) -> str | None:
    """The language of an ISO code (de, pt-BR) or English name, as documents carry it.

    "" for "unknown", None for a word that means none.
    """
    lower = word.lower()
    if lower == "unknown":
        return ""
    lower = _REGION.sub("", lower)
    return lower if lower in STEMMERS else _BY_CODE.get(lower)
