"""Which URL is asked, and which ones are refused before anything is sent."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from indexer.embedding.remote.address import address_of
from indexer.embedding.wishes import Endpoint, EndpointApi
from indexer.errors import UsageError


@pytest.mark.parametrize(
    ("given_url", "url", "models_url"),
    [
        ("http://gpu:30000", "http://gpu:30000/v1/embeddings", "http://gpu:30000/v1/models"),
        ("http://gpu:30000/", "http://gpu:30000/v1/embeddings", "http://gpu:30000/v1/models"),
        ("http://gpu:30000/v1", "http://gpu:30000/v1/embeddings", "http://gpu:30000/v1/models"),
        ("https://a.org/v1/embeddings", "https://a.org/v1/embeddings", "https://a.org/v1/models"),
        ("https://a.org/team/x/", "https://a.org/team/x/embeddings", "https://a.org/team/x/models"),
        ("http://[::1]:80/v1", "http://[::1]:80/v1/embeddings", "http://[::1]:80/v1/models"),
    ],
)
def test_openai_base_url_is_completed(given_url: str, url: str, models_url: str) -> None:
    address = address_of(Endpoint(given_url))
    assert (address.url, address.models_url) == (url, models_url)
    assert address.api is EndpointApi.OPENAI


@pytest.mark.parametrize(
    ("endpoint", "url"),
    [
        (Endpoint("http://tei:8080/embed"), "http://tei:8080/embed"),
        (Endpoint("http://tei:8080/x/embed/"), "http://tei:8080/x/embed"),
        (Endpoint("http://tei:8080", api=EndpointApi.TEI), "http://tei:8080/embed"),
    ],
)
def test_tei_url_ends_in_embed(endpoint: Endpoint, url: str) -> None:
    address = address_of(endpoint)
    assert (address.url, address.api, address.models_url) == (url, EndpointApi.TEI, None)


@pytest.mark.parametrize(
    "url",
    [
        *("", "gpu:30000", "ftp://gpu/v1", "http://", "http://gpu:99999/v1", "http://gpu:0/v1"),
        *("http://gpu/v1?x=1", "http://gpu/v1#x", "http://gp u/v1", "http://gpu/v1\n", "file:///x"),
        *("http://[::1/v1", "http://gpü/v1"),
    ],
)
def test_unusable_url_is_refused_by_name(url: str) -> None:
    with pytest.raises(UsageError, match=r"Give one like http://127\.0\.0\.1:30000/v1"):
        address_of(Endpoint(url))


def test_key_in_the_url_is_refused_and_not_repeated() -> None:
    with pytest.raises(UsageError, match="SEMSEARCH_ENDPOINT_KEY") as caught:
        address_of(Endpoint("https://me:sk-secret@gpu:30000/v1"))
    assert "sk-secret" not in str(caught.value)
    assert "https://***@gpu:30000/v1" in str(caught.value)


@pytest.mark.parametrize("key", ["", " ", "sk-1\n", "sk-1\r\nHost: x", "sk-ü", "sk\0"])
def test_key_that_no_header_carries_is_refused_and_not_shown(key: str) -> None:
    with pytest.raises(UsageError, match="no header can carry") as caught:
        address_of(Endpoint("http://gpu/v1", key=key))
    assert "sk" not in str(caught.value)


def test_endpoint_never_shows_its_key() -> None:
    assert "sk-secret" not in repr(Endpoint("http://gpu/v1", key="sk-secret"))


@given(st.text(alphabet=st.characters(exclude_categories=[]), max_size=60))
def test_any_text_is_an_address_or_a_usage_error(text: str) -> None:
    for url in (text, f"http://{text}", f"http://gpu/{text}"):
        try:
            address = address_of(Endpoint(url))
        except UsageError as error:
            str(error).encode()  # can be printed
        else:
            assert address.url.startswith(("http://", "https://"))
            assert address.host
