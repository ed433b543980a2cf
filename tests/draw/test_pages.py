"""The pages as text: complete, self-contained, escaped, each picture once."""

from __future__ import annotations

import dataclasses
import json
import re
from html.parser import HTMLParser
from typing import Any

import pytest

from cutaway.draw import html
from cutaway.draw.checks import check_page
from cutaway.draw.html import Book, embedded, kind_of, policy
from cutaway.draw.page import lead, looks_words, phases, report_page
from cutaway.draw.sweep import Trial, sweep_page
from cutaway.reports import EpochRow, Finding, Report
from cutaway.reports.metrics import wilson
from cutaway.verbs.report_files import shown_names

PNG = b"\x89PNG\r\n\x1a\n tiny"


class Reader(HTMLParser):
    """Collects what a page would load, its scripts, headings, ids and visible text."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.loads: list[str] = []
        self.tags: list[str] = []
        self.ids: list[str] = []
        self.words: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        given = dict(attrs)
        self.loads += [given[k] or "" for k in ("src", "srcset", "action", "data") if k in given]
        if tag in ("link", "a", "use", "image"):
            self.loads += [given[k] or "" for k in ("href", "xlink:href") if k in given]
        if given.get("id"):
            self.ids.append(given["id"] or "")
        assert not any(k.startswith("on") for k in given), attrs

    def handle_data(self, data: str) -> None:
        self.words.append(data)

    @property
    def text(self) -> str:
        return re.sub(r"\s+", " ", "".join(self.words))


def data_of(page: str) -> Any:
    return json.loads(re.findall(r'<script type="application/json" id="page-data">(.*?)</script>', page, re.S)[0])


def nothing() -> Report:
    return Report(
        title="empty", created="", command="", recipe={}, network="", network_name="none", parameters=0, trainable=0,
        contract="", classes=("a", "b"), counts={}, findings=(), epochs=(), val=None, test=None, looks=0, baselines=(),
        diagnoses=(), environment={}, timings={}, peak_memory_mb=0.0,
    )  # fmt: skip


def trials() -> list[Trial]:
    return [
        Trial({"depth": str(d)}, c / 300, *wilson(c, 300), seconds=s, parameters=1000 * d)
        for d, c, s in ((2, 240, 3.0), (3, 285, 9.0), (4, 288, 30.0))
    ]


def test_what_stands_on_a_report_gets_its_pictures_before_what_a_click_opens(digits_run: Any) -> None:
    """However many answers are wrong, no tile of a mistake or a finding is left without its thumbnail."""
    pairs = tuple((f"train[{i}]", f"test[{i}]") for i in range(99))
    seen = digits_run.report.test
    assert seen is not None
    cells = {"0,0": tuple(f"right[{i}]" for i in range(500)), "0,1": tuple(f"wrong[{i}]" for i in range(500))}
    report = dataclasses.replace(
        digits_run.report,
        test=dataclasses.replace(seen, cells=cells),
        findings=(Finding("leak", "stop", "175 pictures.", pairs=pairs),),
    )

    names = shown_names(report)

    mistakes = [m.name for m in seen.mistakes]
    assert names[: len(mistakes)] == list(dict.fromkeys(mistakes))
    assert names[len(mistakes) :][:16] == [name for pair in pairs[:8] for name in pair], "those that the page shows"
    assert names[len(mistakes) + 16 :][:4] == ["right[0]", "wrong[0]", "right[1]", "wrong[1]"], "each cell in turn"
    assert len(names) == 600


def test_the_report_says_everything_it_was_given(digits_run: Any) -> None:
    page = report_page(digits_run.report, digits_run.thumbnails, digits_run.pictures)
    read = Reader(page)
    r = digits_run.report
    text = read.text.replace("\u00a0", " ")
    assert lead(r) in text
    assert re.search(
        r"\d\d\.\d % of 597 test photos right \(95 % interval \d\d\.\d–\d\d\.\d\), 1 look at the test", text
    )
    for wanted in [d.text for d in r.diagnoses] + [d.next for d in r.diagnoses] + [f.text for f in r.findings]:
        assert wanted in text
    for wanted in ("majority class", "colour histogram + HOG", "MaxPool2d", "peak memory", "412 MB", "2 cores"):
        assert wanted in text
    assert read.tags.count("h1") == 1
    assert read.tags.count("section") == read.tags.count("h2") - 1 == 11  # the dialog has a heading of its own
    assert len(read.ids) == len(set(read.ids))


def test_each_picture_is_embedded_once_and_every_cell_is_there(digits_run: Any) -> None:
    page = report_page(digits_run.report, digits_run.thumbnails, digits_run.pictures)
    data = data_of(page)
    assert len(data["pictures"]) == len(set(data["pictures"]))
    for uri in data["pictures"][:5]:
        assert page.count(uri) == 1
    assert data["cells"].keys() == digits_run.report.test.cells.keys()
    assert all(at >= 0 for cell in data["cells"].values() for _, at in cell)
    shown = {name for cell in digits_run.report.test.cells.values() for name in cell}
    assert len(data["pictures"]) < len(shown) + 20  # not the whole data set


@pytest.mark.parametrize("kind", ["report", "empty", "sweep", "check"])
def test_pages_ask_nothing_of_any_network(kind: str, digits_run: Any) -> None:
    page = {
        "report": lambda: report_page(digits_run.report, digits_run.thumbnails, digits_run.pictures),
        "empty": lambda: report_page(nothing(), {}),
        "sweep": lambda: sweep_page(trials(), title="s", photos=300),
        "check": lambda: check_page("d", digits_run.report.findings, digits_run.thumbnails, digits_run.report.counts),
    }[kind]()
    assert all(load.startswith(("data:", "#")) for load in Reader(page).loads)
    assert "url(" not in page.replace("data:", "")
    assert "@import" not in page
    assert page.index("Content-Security-Policy") < page.index("<title>")
    assert "default-src &#39;none&#39;" in page


def test_a_class_named_like_a_script_is_a_name(hostile_run: Any) -> None:
    run = hostile_run
    page = report_page(run.report, run.thumbnails, run.pictures)
    assert page.count("<script") == 2  # the data and the page's own
    assert "<img src=x" not in page
    assert "</title><b>" not in page
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page
    assert data_of(page)["classes"][0] == "<script>alert(1)</script>"
    Reader(page)  # no attribute beginning with on


def test_sections_with_nothing_to_show_say_so() -> None:
    read = Reader(report_page(nothing(), {}))
    for sentence in (
        "Nothing was measured in this run.", "nothing was measured in this run.",
        "No baseline and no test fold was measured", "there is nothing to tell by class", "no answers to compare",
        "no mistakes to show", "Calibration was not measured", "no learning curves", "No sample of augmented photos",
        "found nothing to object to", "No counts of the folds", "No text of the network", "No command was recorded",
        "No recipe was recorded", "No environment was recorded", "still sealed",
    ):  # fmt: skip
        assert sentence in read.text, sentence
    assert read.tags.count("section") == 11


def test_a_run_without_a_mistake_says_so(digits_run: Any) -> None:
    test = dataclasses.replace(digits_run.report.test, mistakes=(), correct=597)
    page = report_page(dataclasses.replace(digits_run.report, test=test), {})
    assert "Not one of 597 test photos was answered wrongly." in Reader(page).text
    assert '<div class="shot none">no thumbnail kept</div>' in page


def test_leads_and_looks(digits_run: Any) -> None:
    sealed = dataclasses.replace(digits_run.report, test=None, looks=0)
    assert lead(sealed).endswith("; the test fold has not been looked at.")
    assert "validation photos right" in lead(sealed)
    assert lead(dataclasses.replace(digits_run.report, looks=3)).endswith("3 looks at the test fold.")
    assert looks_words(3).startswith("3, this report included.")
    again = Reader(report_page(dataclasses.replace(digits_run.report, looks=3), {})).text
    assert "has been looked at 3 times" in again


def test_phases_are_shaded_only_where_there_are_several() -> None:
    def row(number: int, phase: str) -> EpochRow:
        return EpochRow(number, phase, 1, 0.5, 1, 0.5, 0.1, 1, False)

    assert phases((row(1, "train"), row(2, "train"))) == []
    assert phases((row(1, "head"), row(2, "head"), row(1, "all"), row(2, "all"))) == [(1, 2, "head"), (2, 4, "all")]


def test_a_sweep_names_the_best_and_the_cheapest_that_is_as_good() -> None:
    text = Reader(sweep_page(trials(), title="digits", photos=300, command="cutaway sweep digits")).text
    text = text.replace("\u00a0", " ")
    assert "3 trials: depth 4 answers 96.0 % of 300 validation photos rightly" in text
    assert "depth 3 is within the noise of that and takes 9 s." in text
    assert "No trial was finished." in Reader(sweep_page([], title="x", photos=0)).text
    alone = Reader(sweep_page(trials()[:1], title="x", photos=300)).text
    assert "1 trial: depth 2" in alone
    assert "nothing faster comes within its noise." in alone


def test_a_check_shows_copies_side_by_side_and_the_gravest_first() -> None:
    findings = [
        Finding("near-duplicate", "warn", "One pair.", pairs=(("a.png", "b.png"),)),
        Finding("unreadable", "stop", "One file.", names=("<c>.png",)),
    ]
    page = check_page("photos", findings, {"a.png": PNG, "b.png": PNG}, {"train": {"x": 3, "y": 1}})
    text = Reader(page).text
    assert text.index("One file.") < text.index("One pair.")
    assert "4 pictures in 2 classes: 1 thing to put right before training." in text.replace("\u00a0", " ")
    assert len(data_of(page)["pictures"]) == 1
    assert page.count('data-pic="0"') == 2
    assert "&lt;c&gt;.png" in page
    clean = Reader(check_page("photos", [], {}, {"train": {"x": 3}})).text
    assert "3 pictures in 1 class: nothing stands in the way of training." in clean
    assert "1 thing to look at" in Reader(check_page("p", findings[:1], {}, {})).text


def test_a_doubtful_label_is_shown_with_the_class_it_looks_like() -> None:
    doubt = Finding("label-error", "warn", "One label.", names=("cat/1.png",), pairs=(("cat/1.png", "<dog>"),))
    page = check_page("photos", [doubt], {"cat/1.png": PNG}, {})
    assert "looks like <dog>" in Reader(page).text
    assert '<div class="shot none">' not in page
    assert "by name" not in Reader(page).text


def test_book_policy_and_data() -> None:
    book = Book({"a": PNG, "b": PNG, "c": b""})
    assert (book.at("a"), book.at("b"), book.at("c"), book.at("d")) == (0, 0, -1, -1)
    assert [kind_of(head) for head in (PNG, b"\xff\xd8\xff", b"RIFF....WEBP", b"GIF89a", b"??")] == [
        "image/png", "image/jpeg", "image/webp", "image/gif", "image/jpeg",
    ]  # fmt: skip
    assert "script-src 'sha256-" in policy("x")
    assert embedded({"a": "</script>&"}) == '{"a":"\\u003c/script\\u003e\\u0026"}'
    assert json.loads(embedded({"a": "</script>&"})) == {"a": "</script>&"}
    assert html.tied("97.3 % of 400 photos in 3 s") == "97.3\u00a0% of 400\u00a0photos in 3\u00a0s"


def test_a_name_that_is_not_utf8_can_be_written(digits_run: Any) -> None:
    report = dataclasses.replace(digits_run.report, title="caf\udce9")
    assert report_page(report, {}).encode()
