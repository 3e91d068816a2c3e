"""Codes are made when a collection is large, measured, followed, and replaced, never believed."""

import os
import shutil
import threading
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from indexer.errors import LockedError, StoreError
from indexer.storage.check import check
from indexer.storage.lock import WriterLock
from indexer.storage.manifest import read_json, write_json
from indexer.storage.vectors.build import LOCK, build, is_due
from indexer.storage.vectors.codes import Codes
from indexer.storage.vectors.index import VectorIndex
from indexer.storage.vectors.layout import INDEX_MANIFEST, WISHES, RowsManifest
from indexer.storage.vectors.process import build_apart
from indexer.storage.vectors.wishes import BuildWishes, IndexWishes, keep_wishes
from indexer.types import Changes, Scan

from .conftest import (
    DIMENSION,
    IS_EXACT_CHEAPER,
    Plain,
    clustered,
    make_codes_from_500_rows,
)

pytestmark = pytest.mark.usefixtures("codes_from_500_rows")
QUERIES = clustered(40, seed=77)


@pytest.fixture(scope="module")
def made_once(tmp_path_factory: pytest.TempPathFactory) -> Plain:
    made = Plain(tmp_path_factory.mktemp("once") / "collection")
    made.add("a", clustered(2_000))
    with pytest.MonkeyPatch.context() as patch:
        make_codes_from_500_rows(patch)
        assert made.build() is not None
    return made


@pytest.fixture
def built(made_once: Plain, tmp_path: Path) -> Plain:
    """2,000 rows with codes: a copy, for tests to which the building is no question."""
    folder = Path(shutil.copytree(made_once.folder, tmp_path / "built"))
    return replace(made_once, folder=folder, vectors=dict(made_once.vectors))


def searched(plain: Plain) -> str:
    with plain.reader() as reader:
        return reader.status().index.kind


def test_small_collection_stays_exact(plain: Plain) -> None:
    plain.add("a", clustered(400))
    assert not is_due(plain.folder, BuildWishes())
    assert plain.build() is None
    assert searched(plain) == "exact"
    with plain.reader() as reader:
        assert plain.recall(reader, QUERIES) == 1.0


def test_codes_keep_what_the_certificate_promises(plain: Plain) -> None:
    plain.add("a", clustered(3_000))
    certificate = plain.build(target_recall=0.95)
    assert certificate is not None
    assert certificate.is_met
    assert certificate.target == 0.95
    assert (certificate.rows, certificate.live) == (3_000, 3_000)
    assert certificate.recall_low <= certificate.recall <= 1
    assert certificate.curve[0].recall < 1  # the cheapest effort misses some: codes are at work
    assert certificate.effort(10).lists < 128
    with plain.reader() as reader:
        assert plain.recall(reader, QUERIES) >= 0.95
        assert plain.recall(reader, QUERIES, k=100) >= 0.95
        assert reader.status().index.certificate == certificate
        with reader.snapshot() as now:
            each = [now.recall(query, 10) for query in QUERIES]
            assert now.certificate() == certificate
        found = plain.recall(reader, QUERIES)
        assert np.mean([recall or 0 for recall in each]) == pytest.approx(found)
        reader.effort_factor = 128 / certificate.effort(10).lists  # every list
        assert plain.recall(reader, QUERIES) > found
    assert check(plain.folder) == []


def test_target_that_cannot_be_reached_is_said(plain: Plain, monkeypatch: Any) -> None:
    from indexer.storage.vectors import measure

    monkeypatch.setattr(measure, "_FACTORS", (1,))
    plain.add("a", clustered(3_000))
    certificate = plain.build(target_recall=1.0)
    assert certificate is not None
    assert not certificate.is_met
    assert certificate.recall < 1
    from app.cli.index_status import certificate_line

    assert "MISSES the target of 1.00" in certificate_line(certificate)


@pytest.mark.parametrize(("exact_ms_per_row", "is_exact"), [(0.0, True), (1e9, False)])
def test_all_rows_are_scored_where_that_costs_less(
    built: Plain, monkeypatch: Any, exact_ms_per_row: float, is_exact: bool
) -> None:
    monkeypatch.setattr(VectorIndex, "_is_exact_cheaper", IS_EXACT_CHEAPER)
    asked: list[int] = []
    monkeypatch.setattr(Codes, "search", lambda *_: asked.append(1) or ([0], [0.0]))
    with built.reader() as reader, reader.snapshot() as now:
        index = now.vectors.at(now.connection, now.head)
        assert index.coded is not None
        measured = replace(index.coded.certificate, exact_ms_per_row=exact_ms_per_row)
        index = replace(index, coded=replace(index.coded, certificate=measured))
        index.search(QUERIES[0], 1)
    assert (asked == []) is is_exact


def test_scores_are_those_of_exact_search(built: Plain) -> None:
    with built.reader() as reader, reader.snapshot() as now:
        for query in QUERIES[:10]:
            hits = now.dense(query, 10)
            texts = now.chunks([hit.chunk_id for hit in hits])
            expected = [float(built.vectors[texts[h.chunk_id].text] @ query) for h in hits]
            assert [hit.score for hit in hits] == pytest.approx(expected, abs=1e-6)


def test_added_vectors_are_found_at_once_and_coded_once_they_are_many(plain: Plain) -> None:
    plain.add("a", clustered(2_000))
    plain.build()
    with plain.reader() as reader:
        plain.nearest(reader, QUERIES[0], 1)
        new = clustered(60, seed=5)
        plain.add("new", new, sync=False)  # only in the catalog
        assert plain.nearest(reader, new[7], 1) == ["new/7"]
        with plain.writer() as writer:
            writer.sync()
        assert plain.nearest(reader, new[8], 1) == ["new/8"]
        assert not is_due(plain.folder, BuildWishes())
        more = clustered(80, seed=6)
        plain.add("more", more)
        assert is_due(plain.folder, BuildWishes())
        assert plain.nearest(reader, more[9], 1) == ["more/9"]
        plain.build()
        assert reader.status().index.covered == 2_140
        assert plain.recall(reader, QUERIES) >= 0.98
    with plain.reader() as reader:
        assert plain.nearest(reader, more[9], 1) == ["more/9"]
    assert check(plain.folder) == []


def test_long_run_puts_vectors_on_disk_and_readers_take_them_from_there(
    plain: Plain, monkeypatch: Any
) -> None:
    from indexer.storage import commit, shared_vectors

    monkeypatch.setattr(commit, "VECTORS_LAG_ROWS", 300)
    monkeypatch.setattr(shared_vectors, "_LOOK_EVERY_S", 0.0)
    monkeypatch.setattr(shared_vectors, "_TAIL_ROWS", 100)
    plain.add("a", clustered(10), sync=False)
    with plain.reader() as reader:
        plain.nearest(reader, QUERIES[0], 1)
        vectors = clustered(1_000, seed=4)
        with plain.writer() as writer:
            for part in range(10):
                some = vectors[part * 100 : part * 100 + 100]
                file, stored = plain.change(f"b{part}", some)
                writer.commit(Changes(files=(file,), vectors=stored))
                assert plain.nearest(reader, vectors[part * 100 + 7], 1) == [f"b{part}/7"]
        manifest = RowsManifest.read(plain.folder)
        assert manifest.count >= 900
        for _ in range(300):
            plain.nearest(reader, QUERIES[0], 1)
            with reader.snapshot() as now:
                if now.vectors.at(now.connection, now.head).tail_rows <= 200:
                    break
            time.sleep(0.01)
        else:
            pytest.fail("the reader kept all rows in memory")
        assert plain.recall(reader, QUERIES) == 1.0


def test_removed_vectors_are_gone_at_once_and_others_fill_their_place(plain: Plain) -> None:
    vectors = clustered(2_000)
    plain.add("a", vectors[:1_900])
    plain.add("b", vectors[1_900:])
    plain.build()
    with plain.reader() as reader:
        assert "b/5" in plain.nearest(reader, vectors[1_905], 3)
        plain.remove("b", sync=False)
        found = plain.nearest(reader, vectors[1_905], 50)
        assert len(found) == 50
        assert not any(name.startswith("b/") for name in found)
        assert plain.recall(reader, vectors[1_900:1_940]) >= 0.98
    assert RowsManifest.read(plain.folder).dead == 0
    with plain.writer() as writer:
        writer.sync()
    assert RowsManifest.read(plain.folder).dead == 100
    assert searched(plain) == "codes"
    with plain.reader() as reader:
        assert plain.recall(reader, vectors[1_900:1_940]) >= 0.98
    assert check(plain.folder) == []


def test_recall_is_measured_again_after_many_removals(plain: Plain) -> None:
    for name in "abcdefghij":
        plain.add(name, clustered(200, seed=ord(name)), sync=False)
    with plain.writer() as writer:
        writer.sync()
    first = plain.build()
    plain.remove("a", "b")
    assert is_due(plain.folder, BuildWishes())
    second = plain.build()
    assert first is not None
    assert second is not None
    assert (first.live, second.live, second.rows) == (2_000, 1_600, 2_000)
    assert not is_due(plain.folder, BuildWishes())


def test_most_rows_dead_are_dropped_from_the_file_and_learned_anew(
    plain: Plain, monkeypatch: Any
) -> None:
    from indexer.storage.vectors import choice

    monkeypatch.setattr(choice, "DEAD_LEAST", 10)
    plain.add("keep", clustered(1_200))
    plain.add("drop", clustered(800, seed=1))
    plain.build(target_recall=0.9)
    before = RowsManifest.read(plain.folder)
    plain.remove("drop")
    after = RowsManifest.read(plain.folder)
    assert (after.count, after.dead) == (1_200, 0)
    assert after.build != before.build
    assert [path.suffix for path in sorted(plain.folder.glob("vectors-*"))] == [".map", ".rows"]
    assert searched(plain) == "exact"
    with plain.reader() as reader:
        assert plain.recall(reader, QUERIES) == 1.0
    again = plain.build()
    assert again is not None
    assert again.target == 0.9  # what was asked for outlives the rows
    assert searched(plain) == "codes"
    assert check(plain.folder) == []


def test_index_follows_growth_without_the_model(plain: Plain) -> None:
    plain.add("a", clustered(450))
    assert plain.build() is None
    plain.add("b", clustered(600, seed=1))
    plain.build()
    with plain.reader() as reader:
        first = reader.status().index
    plain.add("c", clustered(4_000, seed=2))
    plain.build()
    with plain.reader() as reader:
        second = reader.status().index
        assert plain.recall(reader, QUERIES) >= 0.98
    assert (first.covered, second.covered) == (1_050, 5_050)
    assert second.lists > first.lists  # learned anew: the old lists were made for a quarter


def test_wishes_are_kept_and_a_smaller_budget_makes_smaller_codes(plain: Plain) -> None:
    plain.add("a", clustered(2_000))
    plain.build(target_recall=0.9)
    assert not is_due(plain.folder, BuildWishes())
    with plain.reader() as reader:
        first = reader.status().index
    assert first.certificate is not None
    assert first.certificate.target == 0.9
    assert is_due(plain.folder, BuildWishes(ram_budget_bytes=first.ram_bytes - 5_000))
    plain.build(ram_budget_bytes=first.ram_bytes - 5_000)
    with plain.reader() as reader:
        second = reader.status().index
        assert plain.recall(reader, QUERIES) >= 0.9
    assert second.subquantizers == first.subquantizers // 2
    assert second.certificate is not None
    assert second.certificate.target == 0.9
    assert second.ram_bytes < first.ram_bytes


def test_wishes_for_a_small_collection_hold_once_it_is_large(plain: Plain) -> None:
    """They were kept with the codes, of which a small collection has none."""
    plain.add("a", clustered(400))
    assert plain.build(target_recall=0.9, ram_budget_bytes=51_000) is None
    with plain.reader() as reader:
        assert reader.status().index.wishes == IndexWishes(0.9, 51_000)
    plain.add("b", clustered(1_600, seed=1))
    certificate = plain.build()
    assert certificate is not None
    assert certificate.target == 0.9
    with plain.reader() as reader:
        assert reader.status().index.ram_bytes <= 51_000


@pytest.mark.parametrize("harm", [{"format": 99}, {"target_recal": 0.9}])
def test_wishes_of_another_version_mean_none(plain: Plain, harm: dict[str, Any]) -> None:
    plain.folder.mkdir()
    keep_wishes(plain.folder, BuildWishes(target_recall=0.8))
    write_json(plain.folder / WISHES, {**(read_json(plain.folder / WISHES) or {}), **harm})
    assert IndexWishes.kept(plain.folder) == IndexWishes()


@pytest.mark.parametrize("where", [0.0, 0.01, 0.3, 0.7, 1.0])
def test_damaged_codes_never_answer_and_are_made_again(plain: Plain, where: float) -> None:
    plain.add("a", clustered(2_000))
    plain.build()
    path = next(plain.folder.glob("vectors-*.codes"))
    data = bytearray(path.read_bytes())
    data[min(int(len(data) * where), len(data) - 1)] ^= 0x21
    path.write_bytes(data)
    with plain.reader() as reader:
        assert plain.recall(reader, QUERIES) == 1.0  # exact
    assert check(plain.folder) == [
        "vectors: the codes are missing or damaged; searches are exact until the next run"
    ]
    assert is_due(plain.folder, BuildWishes())
    plain.build()
    assert check(plain.folder) == []


def test_codes_of_another_collection_are_not_believed(make_plain: Any) -> None:
    mine, other = make_plain("mine"), make_plain("other")
    for one, seed in ((mine, 1), (other, 2)):
        one.add("a", clustered(2_000, seed=seed))
        one.build()
    for path in other.folder.glob("vectors-*.codes"):
        (mine.folder / path.name).write_bytes(path.read_bytes())
    text = (other.folder / INDEX_MANIFEST).read_text()
    (mine.folder / INDEX_MANIFEST).write_text(text)
    with mine.reader() as reader:
        assert reader.status().index.kind == "exact"
        assert mine.recall(reader, QUERIES) == 1.0


@pytest.mark.parametrize(
    "harm",
    [
        lambda values: values["certificate"].pop("live"),
        lambda values: values.update(covered=10**9),
        lambda values: values.update(covered="many"),
        lambda values: values.update(coded_dimension=DIMENSION + 1),
        lambda values: values.update(codes="../../etc/passwd"),
        lambda values: values.update(format=99),
        lambda values: values.clear(),
    ],
)
def test_index_manifest_of_another_version_means_no_codes(built: Plain, harm: Any) -> None:
    values = read_json(built.folder / INDEX_MANIFEST)
    harm(values)
    write_json(built.folder / INDEX_MANIFEST, values)
    assert searched(built) == "exact"
    with built.reader() as reader:
        assert built.recall(reader, QUERIES[:5]) == 1.0
    assert built.build() is not None
    assert searched(built) == "codes"


@pytest.mark.parametrize("prefix_dim", [0, 16])
def test_large_damaged_rows_are_found_when_touched(
    plain: Plain, monkeypatch: Any, prefix_dim: int
) -> None:
    from indexer.storage.vectors import mapped

    plain.add("a", clustered(3_000))
    plain.build(prefix_dim=prefix_dim)
    monkeypatch.setattr(mapped, "WHOLE_CHECK_BYTES", 0)  # as if the file were large
    with plain.reader() as reader:
        target = plain.true_nearest(QUERIES[0], 1)[0]
    path = next(plain.folder.glob("vectors-*.rows"))
    data = bytearray(path.read_bytes())
    data[int(target.partition("/")[2]) * DIMENSION * 2] ^= 0x40
    path.write_bytes(data)
    with plain.reader() as reader:
        assert plain.nearest(reader, QUERIES[0], 10) == plain.true_nearest(QUERIES[0], 10)
        assert plain.recall(reader, QUERIES) == 1.0
    plain.add("b", clustered(1, seed=3))
    assert check(plain.folder) == []
    assert plain.build() is not None


@pytest.mark.parametrize("harmed", [False, True])
def test_large_rows_are_looked_at_in_the_background(
    plain: Plain, monkeypatch: Any, harmed: bool
) -> None:
    from indexer.storage.vectors import mapped
    from indexer.storage.vectors.layout import is_damage_noted

    plain.add("a", clustered(400))
    path = next(plain.folder.glob("vectors-*.rows"))
    if harmed:
        data = bytearray(path.read_bytes())
        data[-1] ^= 0x40
        path.write_bytes(data)
    os.utime(path)  # as after an append: no longer trusted
    monkeypatch.setattr(mapped, "WHOLE_CHECK_BYTES", 0)
    monkeypatch.setattr(mapped, "_CHECK_AFTER_S", 0.01)
    with plain.reader() as reader, reader.snapshot() as now:
        index = now.vectors.at(now.connection, now.head)
        assert index.mapped is not None
        manifest = RowsManifest.read(plain.folder)
        assert manifest is not None
        for _ in range(500):
            if index.mapped.is_checked or is_damage_noted(plain.folder, manifest):
                break
            time.sleep(0.01)
        assert index.mapped.is_checked is not harmed
        assert is_damage_noted(plain.folder, manifest) is harmed
        assert plain.nearest(reader, QUERIES[0], 10) == plain.true_nearest(QUERIES[0], 10)


def test_no_codes_are_made_of_damaged_rows(plain: Plain) -> None:
    plain.add("a", clustered(2_000))
    path = next(plain.folder.glob("vectors-*.rows"))
    data = bytearray(path.read_bytes())
    data[-1] ^= 0x40
    path.write_bytes(data)
    with pytest.raises(StoreError, match=r"damaged.*semsearch index"):
        plain.build()
    plain.add("b", clustered(1, seed=3))
    assert check(plain.folder) == []
    assert plain.build() is not None


def test_two_builds_at_once_are_refused(plain: Plain) -> None:
    plain.add("a", clustered(2_000))
    lock = WriterLock(plain.folder / LOCK)
    try:
        with pytest.raises(LockedError):
            plain.build()
    finally:
        lock.release()
    assert plain.build() is not None


def test_rows_written_anew_during_a_build_make_it_void(plain: Plain, monkeypatch: Any) -> None:
    from indexer.storage.vectors import build as building

    plain.add("a", clustered(2_000))

    def measure_slowly(*arguments: Any) -> Any:
        for path in plain.folder.glob("vectors*"):
            path.unlink()
        with plain.writer() as writer:
            writer.sync()
        return real(*arguments)

    real = building.measure
    monkeypatch.setattr(building, "measure", measure_slowly)
    assert plain.build() is None
    monkeypatch.setattr(building, "measure", real)
    assert searched(plain) == "exact"
    assert list(plain.folder.glob("*.codes")) == []
    assert plain.build() is not None


def test_reader_takes_up_new_codes_while_others_search(plain: Plain, monkeypatch: Any) -> None:
    from indexer.storage import shared_vectors

    monkeypatch.setattr(shared_vectors, "_LOOK_EVERY_S", 0.0)
    plain.add("a", clustered(3_000))
    wrong: list[str] = []
    done = threading.Event()
    with plain.reader() as reader:
        plain.nearest(reader, QUERIES[0], 1)

        def search() -> None:
            while not done.is_set():
                for i in (3, 1_500, 2_999):
                    vector = plain.vectors[f"a/{i}"]
                    if plain.nearest(reader, vector / np.linalg.norm(vector), 1) != [f"a/{i}"]:
                        wrong.append(f"a/{i}")

        threads = [threading.Thread(target=search) for _ in range(4)]
        for thread in threads:
            thread.start()
        plain.build()
        for _ in range(400):
            with reader.snapshot() as now:
                if now.vectors.at(now.connection, now.head).certificate is not None:
                    break
            done.wait(0.01)
        else:
            pytest.fail("the codes were never taken up")
        done.set()
        for thread in threads:
            thread.join()
    assert wrong == []


def test_build_in_a_process_of_its_own_reports_and_ends_the_same(plain: Plain) -> None:
    plain.add("a", clustered(2_000, dimension=DIMENSION))
    assert build_apart(plain.folder, BuildWishes(), lambda *_: None) is None  # too few: exact
    stages: list[str] = []
    large = Plain(plain.folder.parent / "large", dimension=1024)
    rng = np.random.default_rng(3)
    vectors = rng.standard_normal((600, 1024)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    large.add("a", vectors)
    command = BuildWishes(target_recall=0.9)
    assert build_apart(large.folder, command, lambda stage, _done: stages.append(stage)) is None
    lock = WriterLock(large.folder / LOCK)
    try:
        with pytest.raises(LockedError, match="is writing"):
            build_apart(large.folder, command, lambda *_: None)
    finally:
        lock.release()


def test_child_that_dies_leaves_searches_exact(plain: Plain, monkeypatch: Any) -> None:
    from indexer.storage.vectors import process

    plain.add("a", clustered(2_000))
    monkeypatch.setattr(process, "_START", "import os; os._exit(9)")
    with pytest.raises(StoreError, match=r"its process ended with status 9.*Searches stay exact"):
        build_apart(plain.folder, BuildWishes(), lambda *_: None)
    with plain.reader() as reader:
        assert plain.recall(reader, QUERIES) == 1.0


@pytest.fixture(scope="module", params=[0, 16], ids=["whole rows", "prefix of 16"])
def many_files(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Plain:
    """Files of 50 rows, each a random sample, as folders of notes are, with codes; read only."""
    made = Plain(tmp_path_factory.mktemp("many") / "collection")
    size = 50
    with pytest.MonkeyPatch.context() as patch:
        make_codes_from_500_rows(patch)
        for start in range(0, 6_000, size):
            made.add(f"f{start // size}", clustered(size, seed=start), sync=start == 6_000 - size)
        assert made.build(prefix_dim=request.param) is not None
    return made


@pytest.mark.parametrize("share", [0.5, 0.1, 0.05, 0.01, 0.001])
def test_filters_keep_the_promised_recall_and_give_k_hits(many_files: Plain, share: float) -> None:
    from indexer.storage.filters.where import Documents

    plain = many_files
    with plain.reader() as reader:
        documents = reader.documents(limit=1_000)
        chosen = documents[: max(1, round(share * len(documents)))]
        where = Documents(frozenset(item.id for item in chosen))
        names = {item.path.decode().strip("/") for item in chosen}
        live = {text: v for text, v in plain.vectors.items() if text.partition("/")[0] in names}
        shares = []
        for query in QUERIES:
            hits = reader.dense(query, 10, where)
            chunks = reader.chunks([hit.chunk_id for hit in hits])
            got = [chunks[hit.chunk_id].text for hit in hits]
            true = sorted(live, key=lambda text: -float(live[text] @ query))[:10]
            assert len(got) == len(true) == 10
            shares.append(len(set(got) & set(true)) / 10)
        assert np.mean(shares) >= 0.98


@pytest.mark.parametrize(
    ("scan", "asks_codes"), [(Scan.CHEAPEST, False), (Scan.EXACT, False), (Scan.CODES, True)]
)
def test_codes_of_a_small_collection_are_built_and_searched_only_to_be_measured(
    plain: Plain, monkeypatch: Any, scan: Scan, asks_codes: bool
) -> None:
    plain.add("a", clustered(400))
    assert build(plain.folder, BuildWishes(even_if_small=True), lambda *_: None) is not None
    assert not is_due(plain.folder, BuildWishes())
    monkeypatch.setattr(VectorIndex, "_is_exact_cheaper", lambda *_: True)
    asked: list[int] = []
    search = Codes.search

    def counting(*arguments: Any) -> Any:
        asked.append(1)
        return search(*arguments)

    monkeypatch.setattr(Codes, "search", counting)
    with plain.reader() as reader, reader.snapshot() as now:
        hits = now.dense(QUERIES[0], 5, scan=scan)
        best = max(plain.vectors.items(), key=lambda item: float(item[1] @ QUERIES[0]))
        assert now.chunks([hits[0].chunk_id])[hits[0].chunk_id].text == best[0]
    assert bool(asked) is asks_codes
