"""What an answer must be to count as the vectors of these texts: both formats, by one contract."""

import base64
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from indexer.embedding.remote.faults import AnswerFault
from indexer.embedding.remote.openai import OpenAIFormat
from indexer.embedding.remote.tei import TeiFormat
from indexer.embedding.remote.wire import WireFormat

FORMATS = ["openai-float", "openai-base64", "tei"]
GOOD = [[1.0, 2.0, 3.0], [0.5, -0.5, 0.25]]


@pytest.fixture(params=FORMATS)
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def format_of(name: str) -> WireFormat:
    return TeiFormat() if name == "tei" else OpenAIFormat("m")


def answer_of(name: str, rows: list[Any]) -> Any:
    """These rows as a server of that format would give them."""
    if name == "tei":
        return rows
    if name == "openai-base64":
        rows = [base64.b64encode(np.array(row, dtype="<f4").tobytes()).decode() for row in rows]
    return {"data": [{"index": i, "embedding": row} for i, row in enumerate(rows)]}


def test_good_answer_gives_its_vectors(name: str) -> None:
    found = format_of(name).vectors(answer_of(name, GOOD), 2, 3)
    assert found.dtype == np.float32
    np.testing.assert_array_equal(found, np.array(GOOD, dtype=np.float32))


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        (GOOD[:1], "gave 1 vectors for 2 texts"),
        ([*GOOD, GOOD[0]], "gave 3 vectors for 2 texts"),
        ([GOOD[0], [1.0, 2.0]], "vectors of 2 values where the model gives 3"),
        ([GOOD[0], [1.0] * 4], "vectors of 4 values where the model gives 3"),
        ([GOOD[0], [1.0, float("nan"), 2.0]], "NaN or infinity in 1 of 2 vectors"),
        ([GOOD[0], [1.0, float("inf"), 2.0]], "NaN or infinity in 1 of 2 vectors"),
        ([GOOD[0], [0.0, 0.0, 0.0]], "a vector of zeros among 2"),
    ],
)
def test_wrong_vectors_are_refused(name: str, rows: list[Any], said: str) -> None:
    with pytest.raises(AnswerFault, match=said):
        format_of(name).vectors(answer_of(name, rows), 2, 3)


@pytest.mark.parametrize("name", ["openai-float", "tei"])
@pytest.mark.parametrize(
    "row",
    [
        [1.0, None, 2.0],
        [None, None, None],
        [1.0, "2.0", 3.0],
        [1.0, [2.0], 3.0],
        [1.0, True, 3.0],
        [1.0, {}, 3.0],
        None,
        3,
        {"0": 1.0},
    ],
)
def test_what_is_no_number_is_refused(name: str, row: Any) -> None:
    with pytest.raises(AnswerFault, match=r"something else than numbers|where a vector belongs"):
        format_of(name).vectors(answer_of(name, [GOOD[0], row]), 2, 3)


@pytest.mark.parametrize("name", ["openai-float", "tei"])
@pytest.mark.parametrize("value", [1e39, -1e308, 10**400])
def test_number_beyond_float32_is_refused(name: str, value: float) -> None:
    with pytest.raises(AnswerFault, match=r"infinity|too large"):
        format_of(name).vectors(answer_of(name, [GOOD[0], [1.0, value, 0.0]]), 2, 3)


def test_rows_are_placed_by_index() -> None:
    answer = answer_of("openai-float", GOOD)
    answer["data"].reverse()
    np.testing.assert_array_equal(
        OpenAIFormat("m").vectors(answer, 2, 3), np.array(GOOD, dtype=np.float32)
    )


@pytest.mark.parametrize("index", [0, 2, -1, None, "1", True, 1.0])
def test_index_that_is_not_each_place_once_is_refused(index: Any) -> None:
    answer = answer_of("openai-float", GOOD)
    answer["data"][1]["index"] = index
    with pytest.raises(AnswerFault, match="each of 0 to 1 belongs once"):
        OpenAIFormat("m").vectors(answer, 2, 3)


@pytest.mark.parametrize(
    "text",
    ["!!!!", "AAAA", "AAAAA", "\u00e9" * 16, "AAAAAAAAAAAAAAAAAAAA", ""],
)
def test_damaged_base64_is_refused(text: str) -> None:
    answer = answer_of("openai-float", GOOD)
    answer["data"][1]["embedding"] = text
    with pytest.raises(AnswerFault, match=r"base64|values where the model gives 3"):
        OpenAIFormat("m").vectors(answer, 2, 3)


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        ({}, "gave no list `data`:"),
        ([], "gave no list `data`:"),
        (None, "gave no list `data`:"),
        ({"data": {}}, "gave no list `data`:"),
        ({"error": {"message": "out of\nmemory"}}, "but the error 'out of memory'"),
        ({"data": ["x", "y"]}, "gave index None"),
    ],
)
def test_another_services_answer_is_refused(answer: Any, said: str) -> None:
    with pytest.raises(AnswerFault, match=said):
        OpenAIFormat("m").vectors(answer, 2, 3)


def test_tei_refuses_what_is_no_list() -> None:
    with pytest.raises(AnswerFault, match="does not speak TEI's /embed"):
        TeiFormat().vectors({"data": []}, 2, 3)


def test_base64_is_asked_for_until_floats_come() -> None:
    wire = OpenAIFormat("m")
    assert wire.request(["a"])["encoding_format"] == "base64"
    wire.vectors(answer_of("openai-float", GOOD), 2, 3)
    assert wire.request(["a"]) == {"model": "m", "input": ["a"]}


def test_refusal_after_base64_has_worked_means_something_else() -> None:
    wire = OpenAIFormat("m")
    request = wire.request(["a", "b"])
    wire.vectors(answer_of("openai-base64", GOOD), 2, 3)
    assert not wire.asks_otherwise(request, 400)
    assert wire.request(["a"])["encoding_format"] == "base64"


@pytest.mark.parametrize(("status", "otherwise"), [(400, True), (422, True), (401, False)])
def test_refusal_before_is_answered_with_floats_once(status: int, otherwise: bool) -> None:
    wire = OpenAIFormat("m")
    request = wire.request(["a"])
    assert wire.asks_otherwise(request, status) is otherwise
    assert ("encoding_format" in wire.request(["a"])) is not otherwise
    assert not wire.asks_otherwise({"model": "m", "input": ["a"]}, status)


def test_dimensions_are_never_sent() -> None:
    assert set(OpenAIFormat("m").request(["a"])) == {"model", "input", "encoding_format"}
    assert TeiFormat().request(["a"]) == {"inputs": ["a"], "normalize": True, "truncate": False}


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["data", "index", "embedding", "error"]), inner)
    ),
    max_leaves=12,
)


@settings(deadline=None)
@given(JSON)
def test_any_json_is_vectors_or_a_fault(answer: Any) -> None:
    for wire in (OpenAIFormat("m"), TeiFormat()):
        try:
            found = wire.vectors(answer, 2, 3)
        except AnswerFault:
            continue
        assert found.shape == (2, 3)
        assert np.isfinite(found).all()
