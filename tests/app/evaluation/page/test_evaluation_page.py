"""The files of an evaluation: what they say, and that strings in results can do no harm."""

import csv
import io
from html.parser import HTMLParser
from pathlib import Path

import pytest

from app.evaluation.page.csv_file import csv_text
from app.evaluation.page.evaluation_page import page_html, write_pages
from app.evaluation.page.markdown_file import markdown_text
from app.evaluation.results import Data, NotRun
from evaluation_results import CHECKSUMS, MODEL, cell, results, typical_cells
from indexer.errors import UsageError

VOID = {"meta", "link", "br", "img"}


class Page(HTMLParser):
    """Tags, attributes and text; every tag must be closed in its turn."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[str] = []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.words.append(data.strip())

    @property
    def text(self) -> str:
        return "\n".join(word for word in self.words if word)

    @property
    def labels(self) -> list[str]:
        return [str(a["aria-label"]) for tag, a in self.tags if tag == "svg"]


def test_page_says_what_was_measured_where_and_how() -> None:
    page = Page(page_html(results(problems=("The machine was busy.",))))
    for words in (
        "cranfield: 1,400 documents, 200 judged queries, 1,837 judgements; chunked",
        "A CPU of two cores, 2 cores, 2 threads, 24.0 GiB RAM, no GPU",
        CHECKSUMS["corpus.jsonl"],
        "onnxruntime 1.23.2",
        "8ed4a59",
        "semsearch eval beir/cranfield --modes all",
        "5 rounds",
        "10 calls of each kind",
        "moved by up to 6% between rounds",
        "The machine was busy.",
        f"{MODEL} 384 gpu:fp16: no NVIDIA GPU found",
        "12 [11.5, 12.5]",
        "0.9900 [0.9860, 0.9940]",
        "1,500 MiB",
        f"Take {MODEL} 384 cpu:int8 exact",
    ):
        assert words in page.text, words
    assert "weaker substitute" not in page.text


def test_known_items_are_called_a_weaker_substitute() -> None:
    data = results().data
    found = results(data=data.model_copy(update={"known_items": True}))
    assert "known items: weaker substitute" in Page(page_html(found)).text
    assert "known items: weaker substitute" in markdown_text(found)


def test_page_fetches_nothing_and_runs_nothing() -> None:
    text = page_html(results())
    page = Page(text)
    assert {tag for tag, _ in page.tags}.isdisjoint(
        {"script", "link", "img", "iframe", "object", "embed", "base", "form", "image", "use"}
    )
    for _, attributes in page.tags:
        assert not any(name.startswith("on") for name in attributes)
        assert attributes.keys().isdisjoint({"src", "href", "srcset", "xlink:href", "action"})
    assert "://" not in text
    assert "url(" not in text
    assert "@import" not in text
    assert "default-src 'none'" in text


def test_plots_have_titles_and_words_for_those_who_cannot_see_them() -> None:
    page = Page(page_html(results()))
    assert [label.split(":")[0] for label in page.labels] == [
        "Quality against latency",
        "Answer time, 1 client",
        "Answer time, 8 clients at once",
        "Answer time, 32 clients at once",
        "Peak memory of each cell. cpu",
        "Recall against search effort",
    ]
    assert "remote:fp16 exact: 180 MiB RAM, 1,500 MiB VRAM" in page.labels[4]
    assert all(attributes["role"] == "img" for tag, attributes in page.tags if tag == "svg")
    assert "32 lists, 640 candidates: recall@10 0.9870 in 0.5 ms" in page.text


def test_plots_with_nothing_to_show_are_left_out() -> None:
    page = Page(page_html(results(cell("cpu:fp32", p50_ms=None))))
    assert [label.split(".")[0] for label in page.labels] == ["Peak memory of each cell"]


def test_dimensions_of_one_model_are_drawn() -> None:
    kept = {384: 0.0, 256: 0.02, 128: 0.08}
    cells = [cell("cpu:fp32", dimension=size, lost=lost) for size, lost in kept.items()]
    page = Page(page_html(results(*cells)))
    assert "ndcg@10 by dimension: ndcg@10 (dense) against dimensions of a vector" in page.labels[-2]
    assert page.labels[-1].startswith("recall@100 by dimension")
    mean = cells[2].quality["dense"]["ndcg@10"].mean
    said = f"128 dimensions: {mean.value:.3f} [{mean.low:.3f}, {mean.high:.3f}]"
    assert said in page.text


HOSTILE = '<script>alert("1")</script>'


def hostile() -> str:
    cells = [
        cell("cpu:fp32", model=HOSTILE, engine=HOSTILE),
        cell(f"{HOSTILE}\u202e\x00", "codes", model="=1+1|`x`"),
    ]
    data = Data(
        name=HOSTILE,
        documents=1,
        query_ids=results().data.query_ids,
        judgements=1,
        checksums={HOSTILE: HOSTILE},
        whole_documents=True,
    )
    found = results(
        *cells,
        data=data,
        command=HOSTILE,
        versions={HOSTILE: HOSTILE},
        commit=HOSTILE,
        not_run=(NotRun(label=HOSTILE, reason=HOSTILE),),
        problems=(HOSTILE,),
    )
    assert "\x00" not in markdown_text(found)
    assert "<script" not in markdown_text(found).replace("\\<", "")
    return page_html(found)


def test_strings_of_results_are_text_whatever_they_hold() -> None:
    text = hostile()
    page = Page(text)
    assert "script" not in {tag for tag, _ in page.tags}
    assert "<script" not in text
    assert "&lt;script&gt;alert(&quot;1&quot;)&lt;/script&gt;" in text
    assert HOSTILE in page.text
    assert "\u202e" not in text
    assert "\x00" not in text


def test_csv_read_back_gives_the_values() -> None:
    cells = typical_cells()
    rows = list(csv.DictReader(io.StringIO(csv_text(results(*cells)))))
    assert [row["cell"] for row in rows] == [one.label for one in cells]
    for row, one in zip(rows, cells, strict=True):
        assert one.speed is not None
        measure = one.quality["hybrid"]["ndcg@10"]
        assert float(row["hybrid_ndcg@10"]) == measure.mean.value
        assert float(row["hybrid_ndcg@10_low"]) == measure.mean.low
        assert row["hybrid_ndcg@10_p"] == ("" if measure.p is None else str(measure.p))
        assert float(row["search_8_clients_p95_ms"]) == one.speed.search_ms[8].p95.value
        assert float(row["embed_4_p50_ms_high"]) == one.speed.embed_ms[4].p50.high
        assert float(row["tokens_per_s"]) == one.speed.tokens_per_s.value
        assert int(row["peak_ram_bytes"]) == one.peak_ram_bytes
        assert row["peak_vram_bytes"] == str(one.peak_vram_bytes or "")
        assert row["ann_recall_10"] == ("" if one.ann is None else "0.99")
    assert float(rows[5]["hybrid_ndcg@10_difference"]) < -0.1


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@SUM(A1)", " =1", "＝1"])
def test_csv_holds_no_formula(text: str) -> None:
    found = results(cell("cpu:fp32", model=text, engine=text))
    (row,) = csv.DictReader(io.StringIO(csv_text(found), newline=""))
    assert (row["model"], row["engine"]) == (f"'{text}", f"'{text}")
    assert row["cell"].startswith("'")


@pytest.mark.parametrize("sign", ["\r", "\n", "\t", "\x00"])
def test_csv_holds_no_sign_that_begins_a_row_or_hides_a_formula(sign: str) -> None:
    """A lone carriage return is not quoted by Python's writer, and begins a row for its reader."""
    found = results(cell("cpu:fp32", model=f"{sign}=1", engine=f"a{sign}=1"))
    (row,) = csv.DictReader(io.StringIO(csv_text(found), newline=""))
    assert (row["model"], row["engine"]) == ("\ufffd=1", "a\ufffd=1")


def test_markdown_has_a_row_for_each_cell() -> None:
    text = markdown_text(results())
    assert "| cpu:int8 codes | 0." in text
    assert "| cpu:fp32 exact | onnx | 620 MiB | - | 1,400 | 2,100 | 300,000 | 31 s | 29 s |" in text
    tables = [line for line in text.splitlines() if line.startswith("|")]
    assert all(line.endswith("|") for line in tables)
    assert f"Take {MODEL} 384 cpu:int8 exact" in text


def test_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("a file")
    with pytest.raises(UsageError, match=r"taken.*-o FOLDER"):
        write_pages(results(), tmp_path / "taken" / "below")


def test_zero_and_endless_numbers_are_not_drawn_and_break_nothing() -> None:
    """A file may come from anyone; a logarithmic axis has no zero."""
    broken = cell("cpu:int8", p50_ms=1.0)
    assert broken.speed is not None
    bad = broken.speed.search_ms[1].model_dump()
    for name, value in (("p50", 0.0), ("p95", -1.0), ("p99", 1e308)):
        bad[name]["value"] = value
    speed = broken.speed.model_dump() | {"search_ms": {1: bad}}
    found = results(cell("cpu:fp32"), cell("cpu:int8", speed=speed))
    page = Page(page_html(found))
    assert "cpu:int8" not in page.labels[0]
    assert "cpu:int8" not in page.labels[1]


@pytest.mark.parametrize("value", [-1.0, 0.0, 1e308])
def test_interval_that_cannot_be_drawn_is_closed_to_its_value(value: float) -> None:
    one = cell("cpu:fp32")
    assert one.speed is not None
    values = one.model_dump()
    values["quality"]["hybrid"]["ndcg@10"]["mean"]["high"] = value
    for end in ("low", "high"):
        values["speed"]["search_ms"][1]["p50"][end] = value
    page = Page(page_html(results(type(one)(**values), cell("cpu:int8", p50_ms=5.0))))
    assert page.labels[0].count("cpu:fp32") == 2
