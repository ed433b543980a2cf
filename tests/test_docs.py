"""The documentation builds without a warning, asks nothing of another host, and leaves no room and no verb out."""

from __future__ import annotations

import html
import os
import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
LOADED = {("script", "src"), ("link", "href"), ("img", "src"), ("iframe", "src"), ("source", "src"), ("video", "src")}


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The site as `make docs` builds it, in a folder of its own."""
    folder = tmp_path_factory.mktemp("site")
    done = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(folder)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        env={**os.environ, "NO_MKDOCS_2_WARNING": "1"},
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return folder


class Requests(HTMLParser):
    """Collects the addresses a browser fetches by itself when it shows a page; links to follow are not among them."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        if tag == "link" and given.get("rel") in {"canonical", "next", "prev"}:
            return
        self.found += [value or "" for name, value in attrs if (tag, name) in LOADED]


def requests_of(page: str) -> list[str]:
    parser = Requests()
    parser.feed(page)
    return [
        *parser.found,
        *re.findall(r"url\(\s*['\"]?([^'\")]+)", page),
        *re.findall(r"@import\s+['\"]([^'\"]+)", page),
    ]


def abroad(addresses: list[str]) -> list[str]:
    return [a for a in addresses if re.match(r"(?i)(?:[a-z]+:)?//", a)]


def test_no_page_asks_another_host(site: Path) -> None:
    pages = [*site.rglob("*.html"), *site.rglob("*.css")]
    assert len(pages) > 10
    assert {p.name: abroad(requests_of(p.read_text(encoding="utf-8"))) for p in pages} == {p.name: [] for p in pages}


@pytest.mark.parametrize(
    ("page", "found"),
    [
        ('<link rel="stylesheet" href="https://fonts.example/a.css">', ["https://fonts.example/a.css"]),
        ('<script src="//cdn.example/a.js"></script>', ["//cdn.example/a.js"]),
        ("a { background: url(https://x.example/a.png) }", ["https://x.example/a.png"]),
        ('<a href="https://example.org">follow me</a><img src="data:image/png;base64,//8=">', []),
        ('<link rel="canonical" href="https://example.org/"><img src="a.png">', []),
    ],
)
def test_the_search_for_requests_finds_them(page: str, found: list[str]) -> None:
    assert abroad(requests_of(page)) == found


def test_every_room_has_its_page(site: Path) -> None:
    entries = (ROOT / "src" / "cutaway").iterdir()
    rooms = {p.stem for p in entries if p.suffix == ".py" or (p / "__init__.py").exists()} - {"__init__", "__main__"}
    assert rooms - {p.stem for p in (site / "reference").glob("*.html")} == set()


def test_a_room_page_shows_what_the_room_holds(site: Path) -> None:
    errors = (site / "reference" / "errors.html").read_text(encoding="utf-8")
    assert 'id="cutaway.errors.BadPicture"' in errors
    assert "One file that is not a usable picture" in errors


def test_the_first_page_leads_everywhere(site: Path) -> None:
    first = (site / "index.html").read_text(encoding="utf-8")
    pages = {str(p.relative_to(ROOT / "docs").with_suffix(".html")) for p in (ROOT / "docs").rglob("*.md")}
    assert pages - {"index.html"} - set(re.findall(r'href="([^"#]+)"', first)) == set()


def test_links_between_the_files_beside_docs_hold() -> None:
    for page in (ROOT / "README.md", ROOT / "CONTRIBUTING.md", ROOT / "CHANGELOG.md"):
        links = re.findall(r"\]\((?!https?:|#)([^)#]+)", page.read_text(encoding="utf-8"))
        assert [link for link in links if not (ROOT / link).exists()] == [], page.name


def test_the_report_guide_explains_every_diagnosis() -> None:
    source = (ROOT / "src" / "cutaway" / "reports" / "diagnosis.py").read_text(encoding="utf-8")
    rules = set(re.findall(r'Diagnosis\(\s*"([a-z-]+)"', source))
    guide = (ROOT / "docs" / "guides" / "report.md").read_text(encoding="utf-8")
    assert len(rules) > 5
    assert rules - set(re.findall(r"^\| ([a-z-]+) \|", guide, re.MULTILINE)) == set()


def test_the_check_guide_explains_every_finding() -> None:
    from cutaway.dataset.checks import KINDS

    guide = (ROOT / "docs" / "guides" / "check.md").read_text(encoding="utf-8")
    assert re.findall(r"^\| `([a-z-]+)` \|", guide, re.MULTILINE) == list(KINDS)


def test_the_page_of_verbs_has_every_option(site: Path) -> None:
    from cutaway.options import fields_of
    from cutaway.verbs import VERBS, verb

    page = html.unescape((site / "reference" / "index.html").read_text(encoding="utf-8"))
    for name in VERBS:
        assert f'id="{name}"' in page
        for field in fields_of(verb(name).options):  # type: ignore[arg-type]
            assert field.help.replace("`", "") in re.sub(r"</?code>", "", page), f"{name} --{field.name}"


def test_the_guide_to_bad_pictures_explains_every_code() -> None:
    import typing

    from cutaway.errors import PictureCode

    guide = (ROOT / "docs" / "guides" / "bad-pictures.md").read_text(encoding="utf-8")
    assert {code for code in typing.get_args(PictureCode) if f"`{code}`" not in guide} == set()


def test_a_tree_in_a_docstring_stays_a_tree(site: Path) -> None:
    page = (site / "reference" / "errors.html").read_text(encoding="utf-8")
    assert any("├── BadInput" in block for block in re.findall(r"<pre>.*?</pre>", page, re.DOTALL))
