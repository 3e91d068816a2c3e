"""Kinds of values that settings have: folders, addresses, numbers with a word for none."""

import re
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, BeforeValidator, SecretStr


def _usable_folder(path: Path) -> Path:
    """The folder with `~` expanded: no shell does so in a config file or after `--home=`."""
    if "\0" in str(path):
        raise ValueError("a path holds no NUL character")
    try:
        return path.expanduser()
    except RuntimeError as error:  # there is no such user
        raise ValueError(str(error)) from None


def _listed(value: object) -> object:
    """A list, which the environment writes with commas."""
    if not isinstance(value, str):
        return value
    return [part.strip() for part in value.split(",") if part.strip()]


def _all_as_0(value: object) -> object:
    """`all` dimensions as 0: a number that no prefix has."""
    if isinstance(value, str) and not value.removeprefix("-").isdecimal():
        if value != "all":
            raise ValueError("a number of dimensions, or all")
        return 0
    return value


def _without_secrets(urls: tuple[str, ...]) -> tuple[str, ...]:
    if any("@" in url for url in urls):
        raise ValueError("an address holds no user name or key; give the key as endpoint_key")
    return urls


def _exact_origins(origins: tuple[str, ...]) -> tuple[str, ...]:
    for origin in origins:
        if not re.fullmatch(r"https?://([a-z0-9._-]+|\[[0-9a-f:.]+\])(:[0-9]{1,5})?", origin):
            raise ValueError(f"{origin!r} is no origin as browsers send it: https://name[:port]")
    return origins


def _without_secret(url: str) -> str:
    if "@" in url:
        raise ValueError("an address holds no user name or key; give the key as reranker_key")
    return url


def _of_redis(url: SecretStr) -> SecretStr:
    if not url.get_secret_value().startswith(("redis://", "rediss://", "unix://")):
        raise ValueError("an address like redis://127.0.0.1:6379/0")
    return url


Folder = Annotated[Path, AfterValidator(_usable_folder)]
Urls = Annotated[tuple[str, ...], BeforeValidator(_listed), AfterValidator(_without_secrets)]
Url = Annotated[str, AfterValidator(_without_secret)]
PrefixDim = Annotated[int | None, BeforeValidator(_all_as_0)]
Origins = Annotated[tuple[str, ...], BeforeValidator(_listed), AfterValidator(_exact_origins)]
RedisUrl = Annotated[SecretStr, AfterValidator(_of_redis)]
