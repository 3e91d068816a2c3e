"""Bytes to text: find the encoding, then make the text fit for the index."""

import codecs
import re

_BOMS = (  # UTF-32 first: its little-endian mark starts with that of UTF-16
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_SAMPLE_BYTES = 1 << 16
_MIN_BYTES_PER_NUL = 500  # a stray NUL does not make a text binary
# Encodings still met in the wild, the likelier first. Left to all of its 90, charset-normalizer
# calls short Latin-1 texts Hebrew or Mac Turkish; left to its own order, French Central European.
_LEGACY = (
    *("cp1252", "gb18030", "big5", "cp932", "euc_jp", "cp949", "euc_kr"),
    *("cp1251", "koi8_r", "cp1250", "cp1253", "cp1254", "cp1255", "cp1256"),
)
_KANA = re.compile("[\u3041-\u30fa]")
_BEYOND_ASCII = re.compile("[^\x00-\x7f]")
_SURROGATE = re.compile("[\ud800-\udfff]")
_CONTROL = re.compile("[\0-\x08\x0e-\x1a\x1c-\x1f\x7f]")


def decode(data: bytes, declared: str | None = None) -> str | None:
    """The text of `data` with LF line ends, or None when it is not text.

    Args:
        data: a whole file.
        declared: the encoding the file names itself, believed if the bytes agree.
    """
    text = _decode(data, declared)
    if text is None or _is_noise(text):
        return None
    return clean(text)


def clean(text: str) -> str:
    """Text without NUL and lone surrogates, with LF line ends."""
    if "\r" in text:
        text = text.replace("\r\n", "\n").replace("\r", "\n")
    if "\0" in text:
        text = text.replace("\0", "\ufffd")
    if not text.isascii() and _SURROGATE.search(text):
        # A pair of escapes may stand for one character; what cannot be joined is replaced.
        text = text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    return text


def _decode(data: bytes, declared: str | None) -> str | None:
    for bom, name in _BOMS:
        if data.startswith(bom):
            return data[len(bom) :].decode(name, "replace")
    wide = _wide_encoding(data)
    if wide:
        return data.decode(wide, "replace")
    sample = data[:_SAMPLE_BYTES]
    if sample.count(0) * _MIN_BYTES_PER_NUL > len(sample):
        return None
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        return _decode_declared(data, declared) or _decode_damaged(data) or _decode_legacy(data)


def _wide_encoding(data: bytes) -> str | None:
    """UTF-16 without a mark: text of any Western kind has a zero in nearly every other byte."""
    sample = data[:4096]
    if len(sample) < 4 or b"\0" not in sample:
        return None
    half = len(sample) // 2
    odd, even = sample[1::2].count(0), sample[0::2].count(0)
    if odd > 0.6 * half and even < 0.05 * half:
        return "utf-16-le"
    if even > 0.6 * half and odd < 0.05 * half:
        return "utf-16-be"
    return None


def _decode_declared(data: bytes, declared: str | None) -> str | None:
    if not declared:
        return None
    try:
        if not codecs.lookup(declared)._is_text_encoding:
            return None
        return data.decode(declared)
    except (LookupError, UnicodeError):
        return None


def _decode_damaged(data: bytes) -> str | None:
    """UTF-8 with a few broken bytes (a file cut in the middle, two files joined)."""
    text = data.decode("utf-8", "replace")
    broken = text.count("\ufffd")
    sound = sum(1 for character in text[:_SAMPLE_BYTES] if character > "\x7f") - broken
    return text if sound > 20 * broken else None


def _decode_legacy(data: bytes) -> str:
    sample = data[:_SAMPLE_BYTES]
    if len(data) > len(sample):  # never judge half a character
        sample = sample[: sample.rfind(b"\n") + 1] or sample
    name = _japanese(sample) or _likeliest(sample)
    return data.decode(name, "replace")


def _japanese(sample: bytes) -> str | None:
    """A Japanese encoding, if it shows kana: charset-normalizer takes Shift-JIS for Korean."""
    for name in ("cp932", "euc_jp"):
        try:
            text = sample.decode(name)
        except UnicodeDecodeError:
            continue
        if len(_KANA.findall(text)) * 5 > len(_BEYOND_ASCII.findall(text)):
            return name
    return None


def _likeliest(sample: bytes) -> str:
    from charset_normalizer import from_bytes

    matches = from_bytes(sample, cp_isolation=list(_LEGACY))
    ranked = sorted(
        (round(match.chaos, 2), -round(match.coherence, 2), _LEGACY.index(name), name)
        for match in matches
        for name in (match.encoding, *match.could_be_from_charset)
        if name in _LEGACY
    )
    return ranked[0][-1] if ranked else "cp1252"


def _is_noise(text: str) -> bool:
    """True for bytes that decode by chance: too many control characters to be text."""
    sample = text[:_SAMPLE_BYTES]
    return len(_CONTROL.findall(sample)) * 50 > len(sample)
