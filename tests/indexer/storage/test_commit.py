from typing import Any

import numpy as np
import pytest

from indexer.errors import ContractError, StoreError
from indexer.types import Changes, FileChange


def test_commit_new_file_is_found_by_vector_and_by_words(world: Any) -> None:
    world.add(world.file("/a.md", "tulips bloom in spring", "herons fish at dawn"))
    assert world.nearest("herons fish at dawn") == ["herons fish at dawn"]
    assert world.lexical("blooming tulip") == ["tulips bloom in spring"]


def test_commit_changed_file_keeps_document_and_unchanged_chunk_ids(world: Any) -> None:
    world.add(world.file("/a.md", "one", "two", "three"))
    with world.reader() as reader:
        before = {reader.chunks([i])[i].text: i for i in (1, 2, 3)}
    world.add(world.file("/a.md", "one", "two", "drei"))
    with world.reader() as reader:
        document = reader.document(1)
        assert document.text == "onetwodrei"
        assert [passage.id for passage in document.chunks] == [before["one"], before["two"], 4]
        assert reader.chunks([before["three"]]) == {}
        assert reader.status().vectors == 3
    assert "three" not in world.lexical("one two three drei")


def test_commit_same_text_in_two_files_is_two_documents_and_one_vector(world: Any) -> None:
    world.add(world.file("/a", "same"), world.file("/b", "same"))
    with world.reader() as reader:
        status = reader.status()
        assert (status.documents, status.chunks, status.vectors) == (2, 2, 1)
        assert [hit.chunk_id for hit in reader.dense(world.vector_of("same"), 5)] == [1, 2]
    world.commit(Changes(removed=(b"/a",)))
    with world.reader() as reader:
        assert [hit.chunk_id for hit in reader.dense(world.vector_of("same"), 5)] == [2]


def test_commit_removed_file_is_gone_from_catalog_and_copies(world: Any) -> None:
    world.add(world.file("/a", "alpha"), world.file("/b", "beta"))
    world.commit(Changes(removed=(b"/a", b"/never-known")))
    assert world.nearest("alpha", 5) == ["beta"]
    assert world.lexical("alpha") == []
    with world.reader() as reader:
        status = reader.status()
        assert (status.files, status.documents, status.chunks, status.vectors) == (1, 1, 1, 1)


def test_commit_moved_file_keeps_ids_and_is_found_by_its_new_name(world: Any) -> None:
    world.add(world.file("/old/tulip.md", "text"))
    moved = world.stamp("/new/heron.md")
    world.commit(Changes(moved=((b"/old/tulip.md", moved),)))
    with world.reader() as reader:
        assert reader.chunks([1])[1].path == b"/new/heron.md"
        assert [hit.chunk_id for hit in reader.lexical("heron", 3)] == [1]
        assert reader.lexical("tulip", 3) == []
        assert reader.status().vectors == 1


def test_commit_swapped_names_swap_contents(world: Any) -> None:
    world.add(world.file("/a", "alpha"), world.file("/b", "beta"))
    world.commit(Changes(moved=((b"/a", world.stamp("/b")), (b"/b", world.stamp("/a")))))
    with world.reader() as reader:
        assert {c.path: c.text for c in reader.chunks([1, 2]).values()} == {
            b"/b": "alpha",
            b"/a": "beta",
        }


def test_commit_move_onto_another_file_replaces_it(world: Any) -> None:
    world.add(world.file("/a", "alpha"), world.file("/b", "beta"))
    world.commit(Changes(moved=((b"/a", world.stamp("/b")),)))
    assert world.nearest("beta", 5) == ["alpha"]
    with world.writer() as writer:
        assert set(writer.known_files()) == {b"/b"}


def test_commit_touched_file_remembers_the_stamp_and_keeps_the_generation(world: Any) -> None:
    world.add(world.file("/a", "alpha"))
    stamp = world.stamp("/a", "touched")
    assert world.commit(Changes(touched=(stamp,))) == 1
    with world.writer() as writer:
        assert writer.known_files() == {b"/a": stamp}


def test_commit_member_gone_from_file_takes_its_document(world: Any) -> None:
    def lines(*members: Any) -> Any:
        documents = tuple(world.document(f"text {m}", member=m) for m in members)
        return FileChange(world.stamp("/lines.jsonl", members), documents)

    world.add(lines("x", "y"))
    world.add(lines("y", "z"))
    with world.reader() as reader:
        assert [(d.id, d.member) for d in reader.documents()] == [(2, "y"), (3, "z")]
    assert world.nearest("text x", 5)[:1] != ["text x"]


def test_commit_new_title_is_searchable_though_chunks_stay(world: Any) -> None:
    world.add(world.file("/a", "body", title="Tulips"))
    world.add(world.file("/a", "body", title="Herons"))
    with world.reader() as reader:
        assert [hit.chunk_id for hit in reader.lexical("herons", 3)] == [1]
        assert reader.lexical("tulips", 3) == []


def test_commit_key_without_vector_is_refused_before_any_change(world: Any) -> None:
    file = world.file("/a", "alpha")
    with world.writer() as writer:
        with pytest.raises(StoreError, match="/a, chunk 0: its vector .* neither stored nor"):
            writer.commit(Changes(files=(file,), removed=(b"/x",)))
        assert writer.known_files() == {}
    with world.reader() as reader:
        assert reader.status().generation == 0


@pytest.mark.parametrize(
    ("vector", "message"),
    [
        (np.ones(3, np.float32), r"vector of shape \(3,\), the contract says \(16,\)"),
        (np.full(16, np.nan, np.float32), "holds NaN or infinity"),
        (np.full(16, np.inf, np.float32), "holds NaN or infinity"),
        (np.ones(16, np.float32), "has length 4 instead of 1"),
        (np.zeros(16, np.float32), "has length 0 instead of 1"),
    ],
)
def test_commit_bad_vector_is_refused_naming_the_chunk(
    world: Any, vector: Any, message: Any
) -> None:
    good, bad = world.file("/good", "alpha"), world.file("/bad", "beta")
    vectors = world.vectors_for(good) | {world.key_of("beta"): vector}
    with world.writer() as writer:
        with pytest.raises(StoreError, match=f"/bad, chunk 0: .*{message}"):
            writer.commit(Changes(files=(good, bad), vectors=vectors))
        assert writer.known_files() == {}
        assert writer.known_keys([world.key_of("alpha")]) == set()


@pytest.mark.parametrize("role", ["moved", "touched"])
def test_commit_unknown_path_is_refused_naming_it(world: Any, role: Any) -> None:
    stamp = world.stamp("/new")
    changes = Changes(moved=((b"/lost", stamp),)) if role == "moved" else Changes(touched=(stamp,))
    with world.writer() as writer, pytest.raises(StoreError, match=f"{role}, but the collection"):
        writer.commit(changes)


def test_commit_same_file_twice_is_refused(world: Any) -> None:
    file = world.file("/a", "alpha")
    with world.writer() as writer, pytest.raises(StoreError, match="/a: changed twice"):
        writer.commit(world.adding(file, file))


def test_commit_unused_vector_is_not_stored(world: Any) -> None:
    world.commit(Changes(vectors={world.key_of("x"): world.vector_of("x")}))
    with world.reader() as reader:
        assert reader.status().vectors == 0


def test_known_files_under_a_folder_excludes_its_namesakes(world: Any) -> None:
    world.add(*(world.file(p, p) for p in ("/d/a", "/d/b/c", "/d.md", "/d-2/a", "/e")))
    with world.writer() as writer:
        assert set(writer.known_files(b"/d")) == {b"/d/a", b"/d/b/c"}
        assert set(writer.known_files(b"/d.md")) == {b"/d.md"}
        assert set(writer.known_files(b"/")) == {b"/d/a", b"/d/b/c", b"/d.md", b"/d-2/a", b"/e"}


def test_remove_folder_takes_all_inside_and_nothing_else(world: Any) -> None:
    world.add(*(world.file(p, p) for p in ("/d/a", "/d/b/c", "/d.md")))
    with world.writer() as writer:
        assert writer.remove(b"/d") == 2
        assert set(writer.known_files()) == {b"/d.md"}


def test_file_name_that_is_not_utf8_survives(world: Any) -> None:
    path = b"/caf\xe9/\xff.md"
    stamp = world.stamp("/x")
    stamp = type(stamp)(path, stamp.size_bytes, stamp.mtime_ns, stamp.sha256)
    world.add(FileChange(stamp, (world.document("alpha"),)))
    with world.reader() as reader:
        assert reader.chunks([1])[1].path == path
        assert [d.path for d in reader.documents(under=b"/caf\xe9")] == [path]


def test_roots_are_recorded_once_and_can_be_forgotten(world: Any) -> None:
    with world.writer() as writer:
        for path in (b"/b", b"/a", b"/b"):
            writer.add_root(path)
        assert writer.roots() == (b"/a", b"/b")
        writer.remove_root(b"/b")
    with world.reader() as reader:
        assert reader.status().roots == (b"/a",)


def test_open_under_another_contract_shows_both_and_the_command(world: Any) -> None:
    world.add(world.file("/a", "alpha"))
    other = world.make_contract(model="other/model", max_tokens=64)
    old_print, new_print = world.contract.fingerprint[:12], other.fingerprint[:12]
    world.contract = other
    with pytest.raises(ContractError) as caught:
        world.writer()
    message = str(caught.value)
    assert "model: 'test/model' in the collection, 'other/model' asked for" in message
    assert "max_tokens: 128 in the collection, 64 asked for" in message
    assert "pooling" not in message
    assert old_print in message
    assert new_print in message
    assert "semsearch index --reembed" in message


def test_open_with_reembed_empties_keeps_roots_and_never_reuses_ids(world: Any) -> None:
    world.add(world.file("/a", "alpha"))
    with world.writer() as writer:
        writer.add_root(b"/")
    other = world.make_contract(model="other/model")
    with type(writer).open(world.folder, other, reembed=True) as writer:
        assert writer.roots() == (b"/",)
        assert writer.known_files() == {}
        writer.commit(world.adding(world.file("/b", "beta")))
        writer.sync()
    with world.reader() as reader:
        assert reader.contract == other
        assert list(reader.chunks([1, 2])) == [2]
        assert [hit.chunk_id for hit in reader.dense(world.vector_of("beta"), 3)] == [2]
        assert [hit.chunk_id for hit in reader.lexical("beta alpha", 3)] == [2]
