"""Whether the process that wrote a file is the one that has its number now."""

_CLOCK_S = 1.0  # by which the clocks of processes and of files may differ


def is_writer(pid: int, written: float) -> bool:
    """Whether this process lives and had started when a file was written (Unix time).

    A killed process leaves its number behind, and another one may get it.
    """
    import psutil  # most that ask find no file, and need not wait for this

    try:
        return bool(psutil.Process(pid).create_time() <= written + _CLOCK_S)
    except (psutil.Error, OverflowError, ValueError):
        return False
