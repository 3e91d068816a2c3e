"""What an indexing run asks of the vector index: which prefixes are refused, and which doubted."""

from types import SimpleNamespace
from typing import Any

import pytest

from app.indexing import index_wishes
from app.settings import Settings
from indexer.errors import UsageError


def asked(prefix_dim: object, *, is_mrl: bool = True) -> tuple[int | None, list[str]]:
    """(prefix asked of the index of 1,024-dimensional vectors, what was said)."""
    settings = Settings.load({"prefix_dim": prefix_dim}, {})
    spec: Any = SimpleNamespace(model="org/model", is_mrl=is_mrl)
    contract: Any = SimpleNamespace(dimension=1024)
    said: list[str] = []
    return index_wishes(settings, spec, contract, said.append).prefix_dim, said


def test_prefix_as_set() -> None:
    assert asked(None) == (None, [])
    assert asked("256") == (256, [])
    assert asked("all", is_mrl=False) == (0, [])


def test_prefix_of_a_model_not_known_to_be_trained_for_it_is_doubted() -> None:
    prefix, said = asked(512, is_mrl=False)
    assert prefix == 512
    assert "org/model is not known to be trained for shorter vectors (MRL)" in said[0]


@pytest.mark.parametrize("prefix", ["16", "1024", "100", "-1", "half"])
def test_prefix_that_cannot_be_is_refused(prefix: str) -> None:
    with pytest.raises(UsageError, match=prefix if prefix != "1024" else "1,024"):
        asked(prefix)
