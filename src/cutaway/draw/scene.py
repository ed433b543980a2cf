"""Marks on a page (words, boxes, lines, hatching, pixels) -> the same picture as PNG or SVG.

Lengths are in points of a page 1600 wide; the PNG has two pixels for each, so that it stays crisp on a beamer.
"""

from __future__ import annotations

import base64
import dataclasses
import functools
import io
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from cutaway.draw.colours import Pixels as Pixels
from cutaway.draw.colours import Rgb as Rgb
from cutaway.draw.svg import tag, text
from cutaway.errors import BadInput

if TYPE_CHECKING:
    from PIL.Image import Image as PilImage
    from PIL.ImageDraw import ImageDraw
    from PIL.ImageFont import FreeTypeFont

PAGE_WIDTH = 1600.0
MARGIN = 40.0
SHARP = 2
"""Pixels of the PNG for each point."""
MOST_PIXELS = 120_000_000
"""Pixels of a PNG: beyond this a page of feature maps takes a GB to draw, and viewers refuse it."""
PAPER: Rgb = (255, 255, 255)
INK: Rgb = (28, 32, 36)
MUTED: Rgb = (89, 98, 109)
RULE: Rgb = (212, 213, 207)
BLUE: Rgb = (11, 98, 176)

# Letters that Pillow's own font lacks (Korean class names, say) are looked for in these, where they are installed.
_OTHER_FONTS = ("NotoSansCJK-Regular.ttc", "NotoSans-Regular.ttf", "DejaVuSans.ttf", "AppleGothic.ttf", "malgun.ttf",
                "msyh.ttc", "arialuni.ttf")  # fmt: skip
Anchor = Literal["start", "middle", "end"]


@dataclass(frozen=True, slots=True)
class Words:
    """One line of text; y is its baseline."""

    x: float
    y: float
    text: str
    size: float = 13
    colour: Rgb = INK
    anchor: Anchor = "start"
    strong: bool = False


@dataclass(frozen=True, slots=True)
class Box:
    x: float
    y: float
    width: float
    height: float
    fill: Rgb | None = None
    edge: Rgb | None = None
    thick: float = 1


@dataclass(frozen=True, slots=True)
class Line:
    x: float
    y: float
    to_x: float
    to_y: float
    colour: Rgb = RULE
    thick: float = 1


@dataclass(frozen=True, slots=True, eq=False)
class Raster:
    """uint8 (H, W, 3) over a box; `smooth` only for photos, numbers stay squares."""

    x: float
    y: float
    width: float
    height: float
    pixels: Pixels
    smooth: bool = False


Mark = Words | Box | Line | Raster


@dataclass(frozen=True, slots=True, eq=False)
class Block:
    """Marks from (0, 0) down to `height`."""

    height: float
    marks: tuple[Mark, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Scene:
    """A finished page; `title` is also what a screen reader says."""

    width: float
    height: float
    title: str
    marks: tuple[Mark, ...]

    def png(self) -> bytes:
        """-> PNG file's bytes, two pixels to a point; one where the page is very long. Raises BadInput beyond that."""
        out = io.BytesIO()
        self.image().save(out, "PNG", compress_level=6)
        return out.getvalue()

    def image(self) -> PilImage:
        """-> the PNG's pixels, as Pillow holds them."""
        from PIL import Image, ImageDraw

        sharp = _dots(self.width, self.height)
        sheet = Image.new("RGB", (round(self.width * sharp), round(self.height * sharp)), PAPER)
        pen = ImageDraw.Draw(sheet)
        for mark in self.marks:
            if isinstance(mark, Raster):
                size = (max(1, round(mark.width * sharp)), max(1, round(mark.height * sharp)))
                way = Image.Resampling.LANCZOS if mark.smooth else Image.Resampling.NEAREST
                made = Image.fromarray(mark.pixels).resize(size, way)
                sheet.paste(made, (round(mark.x * sharp), round(mark.y * sharp)))
            else:
                _ink(pen, mark, sharp)
        return sheet

    def svg(self) -> str:
        """-> text of an .svg file with its own light colours; pixels are embedded as PNG."""
        drawn = [tag("rect", width=self.width, height=self.height, fill=_hex(PAPER)), *map(_svg, self.marks)]
        return '<?xml version="1.0" encoding="UTF-8"?>\n' + tag(
            "svg", tag("title", text_of(self.title)), *drawn,
            xmlns="http://www.w3.org/2000/svg", viewBox=f"0 0 {self.width:g} {self.height:g}", width=self.width,
            height=self.height, font_family="Aileron, system-ui, 'Segoe UI', Roboto, 'Noto Sans', sans-serif",
        ) + "\n"  # fmt: skip


def markup(mark: Mark) -> str:
    """Mark -> its SVG element, for a picture that is put together elsewhere (an animation)."""
    return _svg(mark)


def page(title: str, subtitle: Sequence[str], blocks: Iterable[Block], gap: float = 18) -> Scene:
    """Title, lines below it, blocks -> a page of PAGE_WIDTH with them one under the other."""
    wide = PAGE_WIDTH - 2 * MARGIN
    marks: list[Mark] = [Words(MARGIN, MARGIN + 22, cut(title, wide, 28, strong=True), 28, strong=True)]
    y = MARGIN + 30
    for line in subtitle:
        y += 22
        marks.append(Words(MARGIN, y, cut(line, wide, 15), 15, MUTED))
    y += 24
    for block in blocks:
        marks += moved(block.marks, MARGIN, y)
        y += block.height + gap
    return Scene(PAGE_WIDTH, round(y - gap + MARGIN), title, tuple(marks))


def moved(marks: Iterable[Mark], dx: float, dy: float) -> list[Mark]:
    """Marks -> the same ones elsewhere."""
    return [
        dataclasses.replace(m, x=m.x + dx, y=m.y + dy, to_x=m.to_x + dx, to_y=m.to_y + dy)
        if isinstance(m, Line)
        else dataclasses.replace(m, x=m.x + dx, y=m.y + dy)
        for m in marks
    ]


def hatched(x: float, y: float, width: float, height: float, pitch: float = 7, colour: Rgb = MUTED) -> list[Mark]:
    """A box -> thin lines at 45 degrees across it, cut at its edges."""
    lines: list[Mark] = []
    at = pitch
    while at < width + height:
        left, right = max(0.0, at - height), min(at, width)
        lines.append(Line(x + left, y + at - left, x + right, y + at - right, colour, 0.5))
        at += pitch
    return lines


def width_of(words: str, size: float, strong: bool = False) -> float:
    """Words, size -> their length on the page."""
    return sum(f.getlength(w) for w, f in _runs(words, size)) + (0.018 * size * len(words) if strong else 0)


def cut(words: str, wide: float, size: float, strong: bool = False) -> str:
    """Words -> as many as fit into `wide`, with an ellipsis where some are left out."""
    if width_of(words, size, strong) <= wide:
        return words
    while words and width_of(words + "…", size, strong) > wide:
        words = words[:-1]
    return words.rstrip() + "…"


def cut_middle(words: str, wide: float, size: float, strong: bool = False) -> str:
    """A layer's name -> its beginning and its end, which tell it from its neighbours, with an ellipsis between."""
    for left_out in range(len(words)):
        kept = len(words) - left_out
        shown = words if not left_out else words[: kept // 2] + "…" + words[len(words) - (kept - kept // 2) :]
        if width_of(shown, size, strong) <= wide:
            return shown
    return "…"


def number(value: float) -> str:
    """3.14159 -> "3.14"; -0.0001234 -> "−0.000123"; 0.0 -> "0"."""
    return f"{value:.3g}".replace("-", "−")


def text_of(words: str) -> str:
    from cutaway.draw.svg import clean

    return clean(words)


def _dots(width: float, height: float) -> int:
    """Page's size -> pixels to a point. Raises BadInput where a PNG would be more than other programs open."""
    for sharp in (SHARP, 1):
        if width * height * sharp * sharp <= MOST_PIXELS:
            return sharp
    size = f"{round(width):,} x {round(height):,} px"
    raise BadInput(f"The picture would have {size}, more than most programs open; show fewer layers, or write an .svg.")


def _ink(pen: ImageDraw, mark: Words | Box | Line, sharp: int) -> None:
    if isinstance(mark, Words):
        size = mark.size * sharp
        wide = width_of(mark.text, size, mark.strong)
        x = mark.x * sharp - {"start": 0.0, "middle": wide / 2, "end": wide}[mark.anchor]
        for words, font in _runs(mark.text, size):
            bold = 0.018 * size if mark.strong else 0
            pen.text((x, mark.y * sharp), words, mark.colour, font, anchor="ls", stroke_width=bold)
            x += font.getlength(words)
    elif isinstance(mark, Line):
        ends = [(mark.x * sharp, mark.y * sharp), (mark.to_x * sharp, mark.to_y * sharp)]
        pen.line(ends, mark.colour, max(1, round(mark.thick * sharp)))
    else:
        left, top = round(mark.x * sharp), round(mark.y * sharp)
        right, bottom = round((mark.x + mark.width) * sharp) - 1, round((mark.y + mark.height) * sharp) - 1
        pen.rectangle(
            (left, top, max(left, right), max(top, bottom)), mark.fill, mark.edge, max(1, round(mark.thick * sharp))
        )


def _svg(mark: Mark) -> str:
    if isinstance(mark, Words):
        return text(mark.text, mark.x, mark.y, anchor=None if mark.anchor == "start" else mark.anchor,
                    font_size=float(mark.size), fill=_hex(mark.colour),
                    font_weight="600" if mark.strong else None)  # fmt: skip
    if isinstance(mark, Line):
        return tag("line", x1=float(mark.x), y1=float(mark.y), x2=float(mark.to_x), y2=float(mark.to_y),
                   stroke=_hex(mark.colour), stroke_width=float(mark.thick))  # fmt: skip
    place = {"x": float(mark.x), "y": float(mark.y), "width": float(mark.width), "height": float(mark.height)}
    if isinstance(mark, Box):
        return tag("rect", **place, fill=_hex(mark.fill) if mark.fill else "none",
                   stroke=_hex(mark.edge) if mark.edge else None, stroke_width=float(mark.thick))  # fmt: skip
    return tag("image", **place, href=f"data:image/png;base64,{base64.b64encode(_png(mark.pixels)).decode()}",
               preserveAspectRatio="none", style=None if mark.smooth else "image-rendering:pixelated")  # fmt: skip


def _png(pixels: Pixels) -> bytes:
    from PIL import Image

    out = io.BytesIO()
    Image.fromarray(pixels).save(out, "PNG", compress_level=6)
    return out.getvalue()


def _hex(colour: Rgb) -> str:
    return "#" + "".join(f"{c:02x}" for c in colour)


def _runs(words: str, size: float) -> list[tuple[str, FreeTypeFont]]:
    """Words -> stretches, each with a font that has its letters."""
    runs: list[tuple[str, FreeTypeFont]] = []
    for letter in words:
        font = _font_for(letter, size)
        if runs and runs[-1][1] is font:
            runs[-1] = (runs[-1][0] + letter, font)
        else:
            runs.append((letter, font))
    return runs


@functools.lru_cache(4096)
def _font_for(letter: str, size: float) -> FreeTypeFont:
    plain = _font("", size)
    assert plain is not None
    if _has(plain, letter):
        return plain
    others = (_font(name, size) for name in _OTHER_FONTS)
    return next((f for f in others if f is not None and _has(f, letter)), plain)


def _has(font: FreeTypeFont, letter: str) -> bool:
    """Whether the font draws the letter as something else than its box for letters it lacks."""
    return letter.isspace() or bytes(font.getmask(letter)) != bytes(font.getmask("\U0010fffe"))


@functools.lru_cache(256)
def _font(name: str, size: float) -> FreeTypeFont | None:
    from PIL import ImageFont

    try:
        found = ImageFont.truetype(name, size) if name else ImageFont.load_default(size)
    except OSError:
        return None
    assert isinstance(found, ImageFont.FreeTypeFont)
    return found
