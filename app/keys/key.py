"""What a key is: random, shown once, and from then on known by its hash only."""

import hashlib
import re
import secrets
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum

from app.settings import COLLECTION_NAME
from indexer.errors import UsageError

PREFIX = "sk-sem-"  # lets secret scanners, and people who find one in a file, see what it is
_RANDOM_BYTES = 32
_NAME = r"[^\x00-\x1f\x7f-\x9f]{1,100}"


class Scope(StrEnum):
    """What a key may do. None implies another: a key has exactly what it was given."""

    SEARCH = "search"  # everything that reads, and embedding
    WRITE = "write"  # adding, replacing and deleting documents
    ADMIN = "admin"  # the service itself: metrics


@dataclass(frozen=True, slots=True)
class Key:
    """A key as it is kept. `digest` is the sha256 of the secret, in hexadecimal."""

    id: str
    name: str
    scopes: frozenset[Scope]
    collections: frozenset[str] | None  # None: all, also those made later
    created: str  # ISO 8601, UTC
    digest: str = field(repr=False)


def make_key(name: str, scopes: set[Scope], collections: set[str] | None) -> tuple[Key, str]:
    """(the key, its secret). The secret is nowhere else: who loses it makes a new key.

    The hash needs no salt and no slow function, which are there to slow down guesses at what
    people think up: nobody guesses 256 random bits.

    Raises:
        UsageError: no scope, or a name, collection or combination that does not work.
    """
    if not scopes:
        raise UsageError(f"A key needs a scope: {', '.join(Scope)}.")
    if not re.fullmatch(_NAME, name) or not name.strip():
        raise UsageError(f"name = {name!r}: give 1 to 100 printable characters.")
    for collection in collections or ():
        if not re.fullmatch(COLLECTION_NAME, collection):
            raise UsageError(f"{collection!r} is no collection name.")
    if collections is not None and Scope.ADMIN in scopes:
        raise UsageError(
            "The scope admin concerns the whole service, not a collection. Make two keys."
        )
    secret = PREFIX + secrets.token_urlsafe(_RANDOM_BYTES)
    key = Key(
        id=secrets.token_hex(4),
        name=name,
        scopes=frozenset(scopes),
        collections=None if collections is None else frozenset(collections),
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        digest=digest_of(secret.encode()),
    )
    return key, secret


def digest_of(secret: bytes) -> str:
    """What is kept of a secret."""
    return hashlib.sha256(secret).hexdigest()
