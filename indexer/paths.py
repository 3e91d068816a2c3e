"""Paths as people see them."""


def display_path(path: bytes) -> str:
    r"""A path fit for JSON and terminals: bytes that are not UTF-8 appear as \xNN."""
    return path.decode("utf-8", "backslashreplace")
