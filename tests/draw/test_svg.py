"""SVG text: escaped, well-formed, readable in light and dark."""

from __future__ import annotations

from xml.etree import ElementTree

from hypothesis import given
from hypothesis import strategies as st

from cutaway.draw.svg import DARK, LIGHT, clean, picture, shortened, standalone, tag, text

NS = "{http://www.w3.org/2000/svg}"


@given(st.text(alphabet=st.characters(exclude_categories=())))
def test_any_text_survives_as_xml(words: str) -> None:
    parsed = ElementTree.fromstring(picture(10, 10, words, "says", text(words, 1, 2)))
    assert parsed.find(f"{NS}text") is not None


def test_markup_in_names_is_text() -> None:
    assert clean("<script>&\"'") == "&lt;script&gt;&amp;&quot;&#x27;"
    assert clean("a\x00b\udcff") == "a\ufffdb?"


def test_tag_writes_attributes_as_svg_names_them() -> None:
    assert (
        tag("rect", x=1.0, stroke_width=0.333, class_="a", fill=None) == '<rect x="1" stroke-width="0.33" class="a"/>'
    )


def test_a_file_of_its_own_carries_both_palettes() -> None:
    alone = standalone(picture(460, 290, "t", "s", tag("rect", class_="f1")))
    root = ElementTree.fromstring(alone)
    assert (root.get("width"), root.get("height")) == ("460", "290")
    assert LIGHT["c1"] in alone
    assert DARK["c1"] in alone
    assert "prefers-color-scheme:dark" in alone


def luminance(colour: str) -> float:
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    r, g, b = (p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts)
    return 0.2126 * r + 0.7152 * g + 0.0722 * b


def test_text_and_series_colours_have_contrast_aa_on_every_surface() -> None:
    """WCAG 2.2, 1.4.3: (L1 + 0.05) / (L2 + 0.05) >= 4.5."""
    for palette in (LIGHT, DARK):
        for surface in ("bg", "panel", "soft"):
            for name in ("ink", "muted", "accent", "c1", "c2", "c3", "stop", "warn", "info", "good", "miss"):
                a, b = sorted((luminance(palette[surface]), luminance(palette[name])))
                assert (b + 0.05) / (a + 0.05) >= 4.5, (surface, name)


def test_shortened() -> None:
    assert shortened("abc", 3) == "abc"
    assert shortened("abcdef", 4) == "abc…"
    assert shortened("abcdef", 0) == "…"
