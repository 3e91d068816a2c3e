import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from indexer.documents.encoding import clean, decode

GERMAN = "Über die Größe von Fußgängerzonen: schöne Straßen, süße Äpfel und kräftige Bäume.\n"
FRENCH = "L'été dernier, nous avons mangé à la crêperie près de l'église, où le garçon a souri.\n"
CHINESE = (
    "语义搜索把文档变成向量，然后在向量空间里寻找最接近问题的段落。这样即使用词不同也能找到答案。\n"
)
JAPANESE = "意味検索は文書をベクトルに変換し、質問に最も近い段落を見つけます。言葉が違っても。\n"
RUSSIAN = (
    "Семантический поиск превращает документы в векторы и находит ближайшие к вопросу абзацы.\n"
)


@pytest.mark.parametrize(
    ("text", "encoding"),
    [
        (GERMAN, "utf-8"),
        (CHINESE, "utf-8-sig"),
        (CHINESE, "utf-16"),
        (GERMAN, "utf-16-le"),
        (GERMAN, "utf-16-be"),
        (JAPANESE, "utf-32"),
        (CHINESE, "gbk"),
        (CHINESE, "gb18030"),
        (JAPANESE, "shift_jis"),
        (JAPANESE, "euc_jp"),
        (GERMAN, "latin-1"),
        (FRENCH, "latin-1"),
        (FRENCH, "cp1252"),
        (RUSSIAN, "cp1251"),
        (RUSSIAN, "koi8_r"),
    ],
)
@pytest.mark.parametrize("times", [1, 400])
def test_decode_text_in_any_encoding_gives_the_text(text: str, encoding: str, times: int) -> None:
    assert decode((text * times).encode(encoding)) == text * times


def test_decode_declared_encoding_is_believed_when_the_bytes_agree() -> None:
    assert decode("Łódź".encode("iso8859-2"), "iso8859-2") == "Łódź"
    assert decode("Łódź".encode(), "iso8859-2") == "Łódź"
    assert decode(GERMAN.encode("latin-1"), "no-such-encoding") == GERMAN
    assert decode(GERMAN.encode("latin-1"), "zlib_codec") == GERMAN


def test_decode_utf8_with_one_broken_byte_keeps_the_rest() -> None:
    data = (RUSSIAN * 3).encode()[:-4] + b"\xff\n"
    assert decode(data) == (RUSSIAN * 3)[:-3] + "\ufffd\n"


@pytest.mark.parametrize(
    "data",
    [b"\x00\x01\x02\x03" * 50, bytes(range(256)) * 8, b"GIF89a\x01\x00\x01\x00", b"\x01\x02" * 99],
)
def test_decode_binary_data_is_no_text(data: bytes) -> None:
    assert decode(data) is None


def test_decode_text_with_one_stray_nul_is_text() -> None:
    assert decode(b"word " * 200 + b"\0") == "word " * 200 + "\ufffd"


def test_clean_line_ends_nul_and_surrogates_are_made_harmless() -> None:
    assert clean("a\r\nb\rc\0d") == "a\nb\nc\ufffdd"
    assert clean(json.loads('"\\ud83d\\ude00 \\ud800x"')) == "😀 \ufffdx"


@given(st.binary(max_size=400))
def test_decode_any_bytes_gives_clean_text_or_nothing(data: bytes) -> None:
    text = decode(data)
    if text is not None:
        text.encode()
        assert "\0" not in text
        assert "\r" not in text


@given(st.text(st.characters(min_codepoint=32, codec="utf-8"), max_size=200))
def test_decode_utf8_text_comes_back_exactly(text: str) -> None:
    answer = decode(text.encode())
    assert answer is None or answer == clean(text.removeprefix("\ufeff"))
