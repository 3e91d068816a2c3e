"""Codes of the first dimensions: asked for, kept, measured against whole rows, never oversold."""

import numpy as np
import pytest

from app.cli.index_status import certificate_line
from indexer.errors import UsageError
from indexer.storage.check import check
from indexer.storage.vectors import measure
from indexer.storage.vectors.build import is_due
from indexer.storage.vectors.choice import check_prefix, choose_codes, predicted_ram
from indexer.storage.vectors.prefix import seen
from indexer.storage.vectors.status import IndexStatus
from indexer.storage.vectors.wishes import BuildWishes, IndexWishes, keep_wishes

from .conftest import DIMENSION, Floats, Plain, clustered

pytestmark = pytest.mark.usefixtures("codes_from_500_rows")
QUERIES = clustered(40, seed=77)


def status(plain: Plain) -> IndexStatus:
    with plain.reader() as reader:
        return reader.status().index


def trained_for_prefixes(count: int, seed: int = 0) -> Floats:
    """Clusters whose first dimensions tell the most, as in a model that was trained so."""
    vectors = clustered(count, seed) / np.arange(1, DIMENSION + 1)
    scaled: Floats = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    return scaled.astype(np.float32)


def with_useless_prefix(count: int, seed: int = 0) -> Floats:
    """The first half is noise that has nothing to do with the rest, which tells all."""
    noise = np.random.default_rng(1_000 + seed).standard_normal((count, DIMENSION // 2))
    vectors = np.hstack([0.01 * noise, clustered(count, seed, DIMENSION // 2)])
    scaled: Floats = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    return scaled.astype(np.float32)


def test_prefix_is_kept_and_another_one_is_learned_anew(plain: Plain) -> None:
    plain.add("a", trained_for_prefixes(2_000))
    plain.build()
    whole = status(plain)
    assert whole.prefix_dim is None
    assert is_due(plain.folder, BuildWishes(prefix_dim=16))
    assert plain.build(prefix_dim=16) is not None
    assert not is_due(plain.folder, BuildWishes())
    half = status(plain)
    assert (half.prefix_dim, half.wishes.prefix_dim) == (16, 16)
    assert half.subquantizers == whole.subquantizers // 2
    assert half.ram_bytes < whole.ram_bytes
    assert check(plain.folder) == []
    assert plain.build(prefix_dim=8) is not None
    assert status(plain).prefix_dim == 8
    assert plain.build(prefix_dim=0) is not None
    assert not is_due(plain.folder, BuildWishes())
    assert (status(plain).prefix_dim, status(plain).wishes.prefix_dim) == (None, None)


def test_codes_of_a_prefix_follow_growth_and_loss(plain: Plain) -> None:
    plain.add("a", trained_for_prefixes(2_000))
    plain.add("gone", trained_for_prefixes(300, seed=3))
    plain.build(prefix_dim=16)
    plain.add("b", trained_for_prefixes(150, seed=1))
    plain.remove("gone")
    assert plain.build() is not None
    assert (status(plain).prefix_dim, status(plain).covered) == (16, 2_450)
    queries = trained_for_prefixes(40, seed=77)
    with plain.reader() as reader:
        assert plain.recall(reader, queries) >= 0.98
        assert plain.recall(reader, queries, k=100) >= 0.98
    assert check(plain.folder) == []


def test_prefix_that_tells_the_most_needs_few_candidates(plain: Plain) -> None:
    plain.add("a", trained_for_prefixes(3_000))
    certificate = plain.build(prefix_dim=16)
    assert certificate is not None
    assert certificate.is_met
    # Which effort is the fastest depends on what else the machine does; which reach it does not.
    reaching = [p.effort for p in certificate.curve if p.recall_low >= certificate.target]
    assert min(effort.candidates for effort in reaching) <= 320


def test_useless_prefix_takes_as_many_candidates_as_the_target_needs(plain: Plain) -> None:
    """Measured against whole rows: against prefixes it would find all it looks for."""
    plain.add("a", with_useless_prefix(2_000))
    certificate = plain.build(prefix_dim=16, target_recall=0.95)
    assert certificate is not None
    assert certificate.is_met
    assert certificate.effort(10).candidates >= 1_280
    assert certificate.curve[0].recall < 0.5
    with plain.reader() as reader:
        assert plain.recall(reader, with_useless_prefix(40, seed=77)) >= 0.95


def test_useless_prefix_of_more_rows_than_can_be_scored_misses_the_target(
    plain: Plain, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(measure, "_MORE_OF_A_PREFIX", 1)
    plain.add("a", with_useless_prefix(5_000))
    certificate = plain.build(prefix_dim=16)
    assert certificate is not None
    assert not certificate.is_met
    assert certificate.recall < 0.8
    assert "MISSES the target of 0.99" in certificate_line(certificate)
    with plain.reader() as reader:
        found = plain.recall(reader, with_useless_prefix(100, seed=77))
    assert found == pytest.approx(certificate.recall, abs=0.08)


def test_rows_of_which_a_prefix_tells_nothing_are_all_scored(plain: Plain) -> None:
    """To a query without any length there, FAISS's codes give no row at all."""
    vectors = np.hstack([np.zeros((2_000, DIMENSION // 2)), clustered(2_000, 0, DIMENSION // 2)])
    plain.add("a", vectors.astype(np.float32))
    plain.build(prefix_dim=16)
    plain.add("fresh", vectors[:1].astype(np.float32))
    with plain.reader() as reader:
        found = plain.nearest(reader, vectors[7].astype(np.float32), 10)
        assert found == plain.true_nearest(vectors[7], 10)


def test_prefix_of_longer_vectors_than_there_are_is_void(plain: Plain) -> None:
    """Kept from before the collection was embedded anew by a model of fewer dimensions."""
    plain.add("a", clustered(2_000))
    plain.build()
    for prefix_dim in (DIMENSION, 10 * DIMENSION):
        keep_wishes(plain.folder, IndexWishes(prefix_dim=prefix_dim))
        assert not is_due(plain.folder, BuildWishes())
    assert status(plain).prefix_dim is None


def test_prefix_is_seen_at_unit_length_and_whole_rows_as_they_are() -> None:
    rows = np.array([[0.6, 0.0, 0.8], [0.0, 0.0, 1.0]], np.float16)
    assert seen(rows, 2).tolist() == [[1.0, 0.0], [0.0, 0.0]]
    assert (seen(rows, 3) == rows.astype(np.float32)).all()


def test_fewer_dimensions_take_smaller_codes() -> None:
    sizes = [
        predicted_ram(choose_codes(10**6, coded), 10**6, coded) for coded in (1024, 256, 128, 64)
    ]
    assert sizes == sorted(sizes, reverse=True)
    assert sizes[1] < 0.6 * sizes[0]


@pytest.mark.parametrize("prefix", [-8, 8, 100, 1024, 2048])
def test_prefix_that_cannot_be_coded_is_refused(prefix: int) -> None:
    with pytest.raises(UsageError, match=rf"prefix of {prefix:,} .*1,024 .*--prefix-dim all"):
        check_prefix(prefix, 1024)
    for good in (32, 256, 1016):
        check_prefix(good, 1024)
