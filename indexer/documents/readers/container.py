"""Zip containers (Office, ODF, EPUB) opened with suspicion."""

import io
import posixpath
import zipfile
import zlib

from lxml import etree

from indexer.documents.readers.base import Rejected
from indexer.documents.readers.xml import parse_xml
from indexer.types import SkipReason

# A part's XML is some times larger than the text in it, and its tree larger still.
_MAX_PART_BYTES = 128 << 20
_MAX_TOTAL_BYTES = 512 << 20
_MAX_PARTS = 20_000
_ENCRYPTED_FLAG = 1


class Container:
    """The parts of a zip file, each unpacked only within limits."""

    def __init__(self, data: bytes) -> None:
        try:
            self._zip = zipfile.ZipFile(io.BytesIO(data))
        except (zipfile.BadZipFile, ValueError, OSError) as error:
            raise Rejected(SkipReason.BROKEN, f"is a damaged zip container: {error}") from error
        infos = self._zip.infolist()
        if len(infos) > _MAX_PARTS:
            raise Rejected(SkipReason.OUTPUT, f"has {len(infos)} parts, {_MAX_PARTS} allowed")
        self._infos = {info.filename: info for info in infos}
        self._unpacked = 0

    @property
    def names(self) -> list[str]:
        """Names of all parts."""
        return list(self._infos)

    def check_size(self, suffixes: tuple[str, ...]) -> None:
        """Refuse a container whose parts with these suffixes are too large, before unpacking any.

        Raises:
            Rejected: they are.
        """
        for name in self._infos:
            if name.lower().endswith(suffixes):
                self._count(self._infos[name])

    def read(self, name: str) -> bytes | None:
        """A part's bytes; None when there is no such part.

        Raises:
            Rejected: it is encrypted, damaged or too large.
        """
        info = self._infos.get(name)
        if info is None:
            return None
        self._count(info)
        try:
            # zipfile stops at the declared size, and compares the checksum: the size cannot lie.
            return self._zip.read(info)
        except (zipfile.BadZipFile, zlib.error, EOFError, OSError, NotImplementedError) as error:
            raise Rejected(SkipReason.BROKEN, f"its part {name} is damaged: {error}") from error

    def xml(self, name: str) -> etree._Element | None:
        """A part's XML tree; None when there is no such part."""
        data = self.read(name)
        return None if data is None else parse_xml(data)

    def relations(self, name: str) -> dict[str, tuple[str, str]]:
        """{id: (type's last word, part name)} of an Office part's links inside the file."""
        folder, base = posixpath.split(name)
        root = self.xml(posixpath.join(folder, "_rels", f"{base}.rels"))
        found: dict[str, tuple[str, str]] = {}
        for each in root if root is not None else ():
            target = each.get("Target") or ""
            if each.get("TargetMode") == "External" or not target:
                continue  # never fetched
            path = posixpath.normpath(posixpath.join("/", folder, target)).lstrip("/")
            found[each.get("Id") or ""] = ((each.get("Type") or "").rpartition("/")[2], path)
        return found

    def _count(self, info: zipfile.ZipInfo) -> None:
        if info.flag_bits & _ENCRYPTED_FLAG:
            raise Rejected(
                SkipReason.ENCRYPTED, "needs a password. Save it without one to index it."
            )
        self._unpacked += info.file_size
        if info.file_size > _MAX_PART_BYTES or self._unpacked > _MAX_TOTAL_BYTES:
            raise Rejected(
                SkipReason.OUTPUT,
                f"its part {info.filename} unpacks to {info.file_size / (1 << 20):,.0f} MiB "
                f"({self._unpacked / (1 << 20):,.0f} in all), limit {_MAX_PART_BYTES >> 20} "
                f"({_MAX_TOTAL_BYTES >> 20})",
            )


def core_properties(container: Container) -> dict[str, str]:
    """Title, creator, dates ... of an Office file."""
    root = container.xml("docProps/core.xml")
    found: dict[str, str] = {}
    for each in root if root is not None else ():
        name = each.tag.rpartition("}")[2] if isinstance(each.tag, str) else ""
        text = (each.text or "").strip()
        if name in _WANTED and text:
            found[_WANTED[name]] = text
    return found


_WANTED = {
    "title": "title",
    "creator": "author",
    "subject": "subject",
    "keywords": "keywords",
    "description": "description",
    "created": "created",
    "modified": "modified",
    "language": "language",
}
