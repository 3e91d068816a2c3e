"""Where `semsearch embed` puts vectors: JSON lines on stdout, or an .npy file that grows."""

import io
import json
import os
import sys
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.lib import format as npy

from app.cli.embed_input import InputText
from indexer.errors import SemsearchError, UsageError
from indexer.types import Vectors

STDOUT = "-"


class Output(ABC):
    """Takes vectors window by window, in input order."""

    @abstractmethod
    def write(self, texts: Sequence[InputText], vectors: Vectors) -> None:
        """The next vectors: float32, shape (len(texts), dim)."""


class JsonLines(Output):
    """One object a line: index (from 0), the text's own id if it had one, embedding."""

    def __init__(self) -> None:
        self._index = 0

    def write(self, texts: Sequence[InputText], vectors: Vectors) -> None:
        """See `Output.write`; flushed, so that a reader sees each window when it is done."""
        # Nine digits give every float32 back exactly (C standard, FLT_DECIMAL_DIG).
        form = "[" + ", ".join(["%.9g"] * vectors.shape[1]) + "]"
        for text, vector in zip(texts, vectors, strict=True):
            head = {"index": self._index, **dict([text.identity] if text.identity else [])}
            embedding = form % tuple(vector.tolist())
            sys.stdout.write(f'{json.dumps(head)[:-1]}, "embedding": {embedding}}}\n')
            self._index += 1
        sys.stdout.flush()


class NpyFile(Output):
    """A float32 array of shape (n, dim) whose n is known at the end."""

    def __init__(self, stream: BinaryIO, dimension: int) -> None:
        self._stream = stream
        self._dimension = dimension
        self._rows = 0
        self._write_header()

    def write(self, texts: Sequence[InputText], vectors: Vectors) -> None:
        """See `Output.write`."""
        assert vectors.shape == (len(texts), self._dimension)
        try:
            self._stream.write(vectors.astype("<f4", order="C", copy=False).tobytes())
        except OSError as error:
            raise SemsearchError(
                f"Vectors cannot be written: {error}. Nothing was changed; give another -o."
            ) from None
        self._rows += len(texts)

    def finish(self) -> None:
        """Put the true shape into the header."""
        self._stream.seek(0)
        self._write_header()

    def _write_header(self) -> None:
        # numpy pads the header so that the first axis may grow to 21 digits (NEP 1, `npy`
        # version 1.0): the header with the true shape is as long as the one written first.
        header = io.BytesIO()
        shape = (self._rows, self._dimension)
        npy.write_array_header_1_0(
            header, {"descr": np.dtype("<f4").str, "fortran_order": False, "shape": shape}
        )
        self._stream.write(header.getvalue())


@contextmanager
def npy_output(target: Path, dimension: int) -> Iterator[NpyFile]:
    """An array that appears under its name when the block ends well, and not at all otherwise."""
    if target.is_dir():
        raise UsageError(f"-o {target}: is a folder. Name a file in it.")
    draft = target.with_name(f".{target.name}.{os.getpid()}.draft")
    with draft_file(draft) as stream:
        output = NpyFile(stream, dimension)
        yield output
        output.finish()
        stream.flush()
        os.fsync(stream.fileno())
        stream.close()
        draft.replace(target)


@contextmanager
def draft_file(path: Path) -> Iterator[BinaryIO]:
    """A new file for writing that is gone afterwards unless it was renamed.

    Raises:
        UsageError: it cannot be made there.
    """
    try:
        stream = path.open("xb")
    except OSError as error:
        raise UsageError(
            f"{path.parent}: cannot write there: {error}. Choose another -o."
        ) from None
    try:
        with stream:
            yield stream
    finally:
        path.unlink(missing_ok=True)


def check_target(output: str) -> None:
    """Refuse a name that cannot be meant, before a model is looked for.

    Raises:
        UsageError: neither an .npy name nor "-".
    """
    if output != STDOUT and Path(output).suffix.lower() != ".npy":
        raise UsageError(
            f"-o {output}: give a name that ends in .npy, or - for JSON lines on stdout."
        )
