"""FAISS behind a few functions: imported when an index is made, on the calling thread alone."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import numpy.typing as npt

Rows = npt.NDArray[np.float16]  # shape (n, dimension), unit length, as the catalog holds them
Floats = npt.NDArray[np.float32]
Ids = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]


def import_faiss() -> Any:
    """The module; importing it costs 0.1 s that a lexical search need not pay."""
    import faiss

    return faiss


@contextmanager
def threads(count: int = 1) -> Iterator[Any]:
    """Run FAISS on `count` threads and leave OpenMP as it was; gives the module.

    One query gains nothing from more threads, and on busy cores their barriers cost 28 ms instead
    of 1 (40,000 vectors); where torch brings a second libomp (macOS) they crash the process
    (faiss#3401). The setting is torch's too, hence put back (measured: its 2 became 1).
    """
    faiss = import_faiss()
    before = faiss.omp_get_max_threads()
    faiss.omp_set_num_threads(count)
    try:
        yield faiss
    finally:
        faiss.omp_set_num_threads(before)


def flat_view(rows: Rows) -> Any:
    """An exact index that reads these rows where they lie, mapped file or array, without a copy.

    FAISS lets an index borrow memory for its codes (it does so when it maps a file), but has no
    public call for memory of ours: the fields are set here, and one row is read back to see that
    they took. Where they did not, the rows are copied.
    """
    faiss = import_faiss()
    index = _empty_flat(faiss, rows.shape[1])
    if not len(rows):
        return index
    raw = rows.reshape(-1).view(np.uint8)
    try:
        borrowed = faiss.MaybeOwnedVectorUInt8()
        borrowed.is_owned = False
        borrowed.view_data = borrowed.c_ptr = faiss.swig_ptr(raw)
        borrowed.view_size = borrowed.c_size = raw.size
        index.codes = borrowed
        index.ntotal = len(rows)
        index.referenced_objects = [raw]  # FAISS's own way to keep what it points to alive
        if _reads_back(index, rows):
            return index
    except (AttributeError, TypeError, RuntimeError):  # another FAISS: other fields
        pass
    index = _empty_flat(faiss, rows.shape[1])
    index.add_sa_codes(raw.reshape(len(rows), -1))
    return index


def _empty_flat(faiss: Any, dimension: int) -> Any:
    quantizer = faiss.ScalarQuantizer.QT_fp16
    return faiss.IndexScalarQuantizer(dimension, quantizer, faiss.METRIC_INNER_PRODUCT)


def _reads_back(index: Any, rows: Rows) -> bool:
    last = len(rows) - 1
    return index.codes.size() == rows.nbytes and bool(
        np.array_equal(index.reconstruct(last), rows[last].astype(np.float32))
    )


def selector(mask: Mask) -> Any:
    """A FAISS selector of the positions that are true."""
    return import_faiss().IDSelectorBitmap(np.packbits(mask, bitorder="little"))
