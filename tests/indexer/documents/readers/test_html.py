from indexer.documents.read import Reader

from ..conftest import Outline, Parse, Refuse

PAGE = """<!doctype html><html lang="en"><head><title>Site — Page</title>
<meta name="description" content="About ducks"><script>var x = "hidden";</script>
<style>p { color: red }</style></head><body>
<nav><ul><li>Menu</li></ul></nav>
<h1>Ducks &amp; Geese</h1>
<p>They <b>swim</b> and<br>fly. <img src="http://x/y.png" alt="A duck"></p>
<h2>Food</h2>
<ul><li>Bread<ul><li>White</li></ul></li><li>Grass</li></ul>
<table><caption>Prices</caption><tr><th>Item</th><th>Price</th></tr><tr><td>Egg</td><td>2</td></tr></table>
<pre>line one
  line two</pre>
<p style="display: none">invisible</p><div hidden>gone</div>
<dl><dt>Duck</dt><dd>A bird</dd></dl>
<div>Loose <span>text</span></div></body></html>"""


def test_html_visible_text_becomes_blocks(parse: Parse, outline: Outline) -> None:
    (document,) = parse("a.html", PAGE)
    assert outline(document) == [
        ("heading1", "Ducks & Geese"),
        ("paragraph", "They swim and\nfly. A duck"),
        ("heading2", "Food"),
        ("list", "- Bread\n  - White\n- Grass"),
        ("table", "Prices\nItem | Price\nEgg | 2"),
        ("code", "line one\n  line two"),
        ("list", "Duck\n  A bird"),
        ("paragraph", "Loose text"),
    ]
    assert document.title == "Site — Page"
    assert document.metadata == {"description": "About ducks", "language": "en"}


def test_html_main_part_is_preferred(parse: Parse) -> None:
    page = "<header>Logo</header><main><p>Real content here.</p></main><footer>(c)</footer>"
    assert parse("a.html", page)[0].text == "Real content here.\n"


def test_html_layout_tables_keep_their_headings(parse: Parse, outline: Outline) -> None:
    page = "<table><tr><td><h2>Part</h2><p>text</p></td><td><p>more</p></td></tr></table>"
    assert outline(parse("a.html", page)[0]) == [
        ("heading2", "Part"),
        ("paragraph", "text"),
        ("paragraph", "more"),
    ]


def test_html_declared_encoding_is_used(parse: Parse) -> None:
    page = '<meta charset="windows-1251"><p>Привет, мир и все остальные</p>'
    assert parse("a.html", page.encode("cp1251"))[0].text == "Привет, мир и все остальные\n"


def test_html_menu_items_marked_by_class_are_left_out(parse: Parse) -> None:
    page = "<ul><li class='x interlanguage-link'>Deutsch</li><li>Duck</li></ul>"
    assert parse("a.html", page)[0].text == "- Duck\n"


def test_html_without_text_is_empty(refuse: Refuse) -> None:
    assert refuse("a.html", "<html><script>1</script></html>").reason == "empty"
    assert refuse("a.html", "<!-- nothing -->").reason == "empty"


def test_html_nested_ten_thousand_deep_does_not_crash(reader: Reader) -> None:
    from pathlib import Path

    page = b"<div>" * 10_000 + b"<p>deep" + b"</div>" * 10_000
    answer = reader.read(Path("a.html"), page)
    assert answer is not None
    assert reader.read(Path("b.html"), b"<p>next")[0].text == "next\n"


def test_xml_article_keeps_its_sections(parse: Parse, outline: Outline) -> None:
    article = (
        "<article><front><journal-meta><journal-id>J</journal-id></journal-meta><article-meta>"
        "<title-group><article-title>On <i>Milk</i></article-title></title-group>"
        "<abstract><p>Short.</p></abstract></article-meta></front>"
        "<body><sec><title>Methods</title>"
        "<p>We <b>did</b> it.</p><sec><title>Detail</title><p>More.</p></sec></sec>"
        "</body></article>"
    )
    (document,) = parse("a.nxml", article)
    assert document.title == "On Milk"
    assert outline(document) == [
        ("heading1", "On Milk"),
        ("paragraph", "Short."),
        ("heading1", "Methods"),
        ("paragraph", "We did it."),
        ("heading2", "Detail"),
        ("paragraph", "More."),
    ]


def test_xml_fields_of_a_record_stand_together(parse: Parse, outline: Outline) -> None:
    (document,) = parse("a.xml", "<r><p><n>Ada</n><y>1815</y></p><p><n>Alan</n><y>1912</y></p></r>")
    assert outline(document) == [("paragraph", "Ada\n1815"), ("paragraph", "Alan\n1912")]
