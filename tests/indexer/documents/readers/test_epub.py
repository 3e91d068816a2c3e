from ..conftest import Parse, Refuse
from ..files import EPUB, zipped

CONTAINER = '<container><rootfiles><rootfile full-path="OPS/book.opf"/></rootfiles></container>'
PACKAGE = """<package xmlns="http://www.idpf.org/2007/opf" xmlns:dc="http://purl.org/dc/elements/1.1/">
<metadata><dc:title>Walden</dc:title><dc:creator>Thoreau</dc:creator></metadata><manifest>
<item id="two" href="b.xhtml" media-type="application/xhtml+xml"/>
<item id="one" href="a%20b.xhtml" media-type="application/xhtml+xml"/>
<item id="toc" href="nav.xhtml" media-type="application/xhtml+xml" properties="nav"/></manifest>
<spine><itemref idref="toc"/><itemref idref="one"/><itemref idref="two"/></spine></package>"""


def book(**parts: str) -> bytes:
    page = "<html><body><h1>{}</h1><p>Text of {}.</p></body></html>"
    return zipped(
        {
            "META-INF/container.xml": CONTAINER,
            "OPS/book.opf": PACKAGE,
            "OPS/a b.xhtml": page.format("Economy", "one"),
            "OPS/b.xhtml": page.format("Sounds", "two"),
            "OPS/nav.xhtml": page.format("Contents", "nav"),
            **parts,
        },
        EPUB,
    )


def test_epub_chapters_come_in_reading_order_as_places(parse: Parse) -> None:
    (document,) = parse("a.epub", book())
    assert document.text == "Economy\n\nText of one.\n\nSounds\n\nText of two.\n"
    assert document.title == "Walden"
    assert document.metadata == {"author": "Thoreau"}
    assert [(place.start, place.label) for place in document.places] == [
        (0, "chapter 1"),
        (23, "chapter 2"),
    ]


def test_epub_under_rights_management_is_encrypted(refuse: Refuse) -> None:
    method = '<EncryptionMethod Algorithm="http://www.w3.org/2001/04/xmlenc#aes128-cbc"/>'
    data = book(**{"META-INF/encryption.xml": f"<encryption>{method}</encryption>"})
    assert refuse("a.epub", data).reason == "encrypted"
