"""One setting shares the cores among all that starts threads: model, index, tokenizer, searches.

A library that is told nothing starts a thread for each logical core, whatever the container's quota
says, and several of them in one process start several times as many as there are cores.
"""

import os

from app.settings import Settings
from indexer.embedding.hardware.cpu import read_cpu, threads_for

# Read once by a library when it starts its pool: OpenMP (FAISS, torch), OpenBLAS (numpy), MKL
# (torch), rayon (tokenizers). What we start ourselves is told its number when it is made.
_SWITCHES = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "RAYON_NUM_THREADS")


def thread_count(settings: Settings) -> int:
    """The setting `threads`; unset: the physical cores within the container's quota."""
    return settings.threads or threads_for(read_cpu()[0])


def requests_at_once(settings: Settings) -> int:
    """As many as there are cores for; where a remote endpoint embeds, also as many as it takes.

    Those do nothing but wait for it.
    """
    remote = len(settings.endpoints) * settings.endpoint_concurrency
    return thread_count(settings) + (remote if settings.runs_remote else 0)


def share_cores(settings: Settings) -> None:
    """Tell the libraries that are not loaded yet; for programs, not for a guest in another's.

    Child processes inherit it.
    """
    os.environ.update(dict.fromkeys(_SWITCHES, str(thread_count(settings))))
