"""SVG text from Python values: every attribute and every word escaped; colours are CSS variables of the page."""

from __future__ import annotations

import functools
import html
import re
from importlib import resources

Content = str  # finished markup: only `tag` and `text` make it

# One palette for charts and pages. Series colours start from Okabe-Ito's blue, vermillion and green, darkened or
# lightened to 4.5:1 on every surface (tested); dashes and hollow marks tell series apart without colour.
LIGHT = {
    "bg": "#fcfcfa", "panel": "#ffffff", "ink": "#1c2024", "muted": "#59626d", "rule": "#dfe0da", "grid": "#ecece6",
    "accent": "#0b5cab", "on-accent": "#ffffff", "c1": "#0b62b0", "c2": "#b04803", "c3": "#0a7656", "soft": "#eef3f8",
    "heat": "#0b62b0", "miss": "#b04803", "stop": "#b3261e", "warn": "#8a5800", "info": "#0b5cab", "good": "#0a7656",
}  # fmt: skip
DARK = {
    "bg": "#14171a", "panel": "#1b1f23", "ink": "#e9e7e2", "muted": "#a4adb7", "rule": "#333a41", "grid": "#272d33",
    "accent": "#7cbcf5", "on-accent": "#0d1318", "c1": "#6cb4f5", "c2": "#f2a154", "c3": "#55c99f", "soft": "#202932",
    "heat": "#6cb4f5", "miss": "#f2a154", "stop": "#ff9088", "warn": "#f0bd5c", "info": "#7cbcf5", "good": "#55c99f",
}  # fmt: skip


def tag(name: str, *children: Content, **attributes: object) -> Content:
    """Element name, finished children, attributes (`class_`, `stroke_width`) -> markup; None leaves one out."""
    words = [name]
    for key, value in attributes.items():
        if value is not None:
            shown = _number(value) if isinstance(value, float) else str(value)
            words.append(f'{key.rstrip("_").replace("_", "-")}="{clean(shown)}"')
    opening = " ".join(words)
    return f"<{opening}>{''.join(children)}</{name}>" if children else f"<{opening}/>"


def text(words: str, x: float, y: float, *, anchor: str | None = None, **attributes: object) -> Content:
    """Words at a place -> a text element, escaped."""
    return tag("text", clean(words), x=float(x), y=float(y), text_anchor=anchor, **attributes)


def hover(words: str) -> Content:
    """-> the title that a pointer or a screen reader shows for the element it is put in."""
    return tag("title", clean(words))


def path(points: list[tuple[float, float]]) -> str:
    """Points -> the d of a polyline."""
    return "M" + "L".join(f"{_number(x)} {_number(y)}" for x, y in points) if points else ""


def picture(width: float, height: float, title: str, says: str, *body: Content, role: str = "img") -> Content:
    """Size, title, one sentence for those who cannot see it, elements -> an <svg> that takes the page's colours.

    `role` is "group" where elements inside can be used: a picture hides its parts from screen readers.
    """
    return tag(
        "svg", *body,
        xmlns="http://www.w3.org/2000/svg", viewBox=f"0 0 {_number(width)} {_number(height)}", role=role,
        aria_label=f"{title}. {says}", class_="chart",
        style=f"max-width:{round(1.3 * width)}px",  # beyond, a small matrix would fill the page with giant letters
    )  # fmt: skip


def standalone(svg: Content) -> str:
    """An <svg> of this room -> the text of an .svg file that carries its own colours, light and dark."""
    wide, high = re.findall(r'viewBox="0 0 ([\d.]+) ([\d.]+)"', svg)[0]
    head, body = svg.split(">", 1)
    style = (
        f"svg{{{variables(LIGHT)}background:var(--bg)}}"
        f"@media (prefers-color-scheme:dark){{svg{{{variables(DARK)}}}}}{asset('chart.css')}"
    )
    return (
        f'<?xml version="1.0" encoding="UTF-8"?>\n{head} width="{wide}" height="{high}"><style>{style}</style>{body}\n'
    )


@functools.cache
def asset(name: str) -> str:
    """File name in draw/templates -> its text."""
    return (resources.files("cutaway.draw") / "templates" / name).read_text(encoding="utf-8")


def variables(palette: dict[str, str]) -> str:
    """Colours by name -> CSS custom properties."""
    return "".join(f"--{name}:{colour};" for name, colour in palette.items())


def shortened(words: str, most: int) -> str:
    """-> at most `most` characters, the end cut; names keep their full text in the hover title."""
    return words if len(words) <= most else words[: max(0, most - 1)] + "…"


def clean(words: str) -> str:
    """Any text -> escaped for XML and HTML, without the characters that neither may hold."""
    readable = words.encode("utf-8", "replace").decode("utf-8")  # file names may hold lone surrogates
    return html.escape(re.sub(r"[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]", "\ufffd", readable))


def _number(value: object) -> str:
    return f"{value:.2f}".rstrip("0").rstrip(".") if isinstance(value, float) else str(value)
