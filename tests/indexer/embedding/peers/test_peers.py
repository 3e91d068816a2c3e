"""The references give our vectors, so that their speed is that of the same work."""

import numpy as np
import pytest

from indexer.embedding.local import LocalEmbedder
from indexer.embedding.peers import peer as peers
from indexer.embedding.peers.peer import Peer, device_of, missing_package, open_peer
from indexer.errors import PlacementError
from indexer.modes import Placement, Precision
from indexer.types import Kind

TEXTS = ["a", "Bread rises because yeast eats sugar.", "the model of a document " * 30, "面包"]


@pytest.mark.parametrize("peer", list(Peer))
@pytest.mark.parametrize("model", ["minilm", "tiny"])
def test_peers_give_our_vectors_in_input_order(
    peer: Peer, model: str, request: pytest.FixtureRequest
) -> None:
    """accelerate's hooks are tried without a GPU: layers travel from RAM to RAM."""
    ours: LocalEmbedder = request.getfixturevalue(model)
    embed = open_peer(peer, ours.spec, "cpu", Precision.FP32, threads=2)
    found = embed(TEXTS)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, ours.embed(TEXTS, Kind.DOCUMENT), atol=1e-5)


def test_peer_in_bf16_computes_in_it(tiny: LocalEmbedder) -> None:
    found = open_peer(Peer.TRANSFORMERS, tiny.spec, "cpu", Precision.BF16, threads=2)(TEXTS)
    cosines = np.sum(found * tiny.embed(TEXTS, Kind.DOCUMENT), axis=1)
    assert cosines.min() > 0.99
    assert cosines.min() < 1 - 1e-6


@pytest.mark.parametrize(
    ("peer", "command"),
    [
        (Peer.TRANSFORMERS, "pip install transformers"),
        (Peer.SENTENCE_TRANSFORMERS, "pip install sentence-transformers"),
        (Peer.ACCELERATE, "pip install 'semsearch[offload]'"),
    ],
)
def test_peer_whose_package_is_missing_names_the_command(
    peer: Peer, command: str, tiny: LocalEmbedder, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert missing_package(peer) is None
    monkeypatch.setattr(peers, "find_spec", lambda _: None)
    with pytest.raises(
        PlacementError, match=f"^{peer} is not installed: {command}".replace("[", r"\[")
    ):
        open_peer(peer, tiny.spec, "cpu", Precision.FP32, threads=2)


def test_peers_compute_on_the_gpu_in_every_placement_that_needs_one() -> None:
    devices = {place: device_of(place) for place in Placement if place is not Placement.REMOTE}
    assert devices == {"gpu": "cuda", "offload": "cuda", "cpu": "cpu"}
