"""Points of a map -> one picture for a slide: every photo a mark, classes by colour and shape, figures beside."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from cutaway.draw.points import Points, colour_of, shape_of, unit_square
from cutaway.draw.scene import (
    INK,
    MARGIN,
    MUTED,
    PAGE_WIDTH,
    RULE,
    Block,
    Box,
    Line,
    Mark,
    Raster,
    Rgb,
    Scene,
    Words,
    cut,
    cut_middle,
    page,
    width_of,
)

if TYPE_CHECKING:
    from PIL.ImageDraw import ImageDraw

SIDE = 940.0  # of the map's longer side
_SHORT = 560.0  # of a map that is much wider than high
_FINE = 4  # pixels to a point while marks are drawn; halved at the end
MOST_CLASSES = 24
_WRONG: Rgb = (20, 22, 24)


def map_picture(points: Points, *, title: str, lines: Sequence[str], figures: Sequence[tuple[str, str, str]]) -> Scene:
    """Points, title, lines below it, (name, value, small print) of each figure -> the picture.

    Photos that the model names wrongly have a black ring.
    """
    left = SIDE + 44
    wide = PAGE_WIDTH - 2 * MARGIN - left
    drawn = marked(points)
    tall = SIDE * drawn.shape[0] / drawn.shape[1]
    marks: list[Mark] = [Raster(0, 0, SIDE, tall, drawn, smooth=True), Box(0, 0, SIDE, tall, None, RULE, 1)]
    y = 0.0
    for name, value, small in figures:
        marks += [
            Words(left, y + 15, cut(name, wide, 15), 15, MUTED),
            Words(left, y + 46, value, 27, INK, strong=True),
            Words(left, y + 68, cut(small, wide, 13), 13, MUTED),
            Line(left, y + 82, left + wide, y + 82, RULE, 1),
        ]
        y += 102
    listed, end = _legend(points, left, y + 6, wide, SIDE - y - 6)
    return page(title, lines, [Block(max(tall, end), (*marks, *listed))])


def marked(points: Points) -> NDArray[np.uint8]:
    """Points -> uint8 (H, W, 3), two pixels to a point of the page; mixed in order so that no class covers another."""
    from PIL import Image, ImageDraw

    square = unit_square(points.xy)
    side = round(SIDE * _FINE)
    tall = round(_FINE * max(_SHORT, SIDE * min(1.0, 0.06 + float(np.ptp(square[:, 1])))))
    sheet = Image.new("RGB", (side, tall), (255, 255, 255))
    pen = ImageDraw.Draw(sheet)
    radius = _FINE * (2.4 if len(points.xy) > 4000 else 3.4 if len(points.xy) > 800 else 5.0)
    inside = 3 * radius
    placed = inside + square * (side - 2 * inside)
    placed[:, 1] -= (side - tall) / 2
    kinds = points.label if points.labelled else points.predicted
    order = np.random.default_rng(0).permutation(len(placed))
    wrong = points.wrong if points.wrong is not None else np.zeros(len(placed), bool)
    for i in [*order[~wrong[order]], *order[wrong[order]]]:
        x, y = placed[i]
        if wrong[i]:
            pen.ellipse((x - 1.75 * radius, y - 1.75 * radius, x + 1.75 * radius, y + 1.75 * radius), _WRONG)
            pen.ellipse((x - 1.4 * radius, y - 1.4 * radius, x + 1.4 * radius, y + 1.4 * radius), (255, 255, 255))
        _mark(pen, float(x), float(y), radius, int(kinds[i]))
    half = sheet.resize((side // 2, tall // 2), Image.Resampling.BOX)
    return np.asarray(half)


def _mark(pen: ImageDraw, x: float, y: float, r: float, number: int) -> None:
    """A class's mark; shapes have the circle's area, about."""
    fill = colour_of(number) if number >= 0 else MUTED
    match shape_of(number) if number >= 0 else "circle":
        case "circle":
            pen.ellipse((x - r, y - r, x + r, y + r), fill)
        case "square":
            pen.rectangle((x - 0.88 * r, y - 0.88 * r, x + 0.88 * r, y + 0.88 * r), fill)
        case "triangle":
            pen.polygon([(x, y - 1.25 * r), (x + 1.15 * r, y + 0.85 * r), (x - 1.15 * r, y + 0.85 * r)], fill)
        case "diamond":
            pen.polygon([(x, y - 1.3 * r), (x + 1.3 * r, y), (x, y + 1.3 * r), (x - 1.3 * r, y)], fill)
        case _:
            thick = max(2, round(0.7 * r))
            pen.line((x - r, y - r, x + r, y + r), fill, thick)
            pen.line((x - r, y + r, x + r, y - r), fill, thick)


def _legend(points: Points, left: float, top: float, wide: float, tall: float) -> tuple[list[Mark], float]:
    """-> the marks, and where they end."""
    from PIL import Image, ImageDraw

    kinds, names = (points.label, points.classes) if points.labelled else (points.predicted, points.answers)
    counts = np.bincount(kinds[kinds >= 0], minlength=len(names))
    there = [int(i) for i in np.argsort(-counts, kind="stable") if counts[i]]
    fits = max(1, min(MOST_CLASSES, int(tall // 26) - 3))
    heading = "class" if points.labelled else "the model's answer"
    marks: list[Mark] = [Words(left, top + 12, heading, 15, MUTED)]
    y = top + 22
    for i in there[:fits]:
        swatch = Image.new("RGB", (72, 72), (255, 255, 255))
        _mark(ImageDraw.Draw(swatch), 36, 36, 20, i)
        number = f"{counts[i]:,}"
        marks += [
            Raster(left, y + 2, 18, 18, np.asarray(swatch), smooth=True),
            Words(left + 26, y + 16, cut_middle(names[i], wide - 50 - width_of(number, 14), 15), 15),
            Words(left + wide, y + 16, number, 14, MUTED, "end"),
        ]
        y += 26
    if len(there) > fits:
        marks.append(Words(left + 26, y + 16, f"and {len(there) - fits} classes more", 14, MUTED))
        y += 26
    if points.wrong is not None:
        ring = Image.new("RGB", (72, 72), (255, 255, 255))
        pen = ImageDraw.Draw(ring)
        pen.ellipse((6, 6, 66, 66), _WRONG)
        pen.ellipse((12, 12, 60, 60), (255, 255, 255))
        marks += [
            Raster(left, y + 8, 18, 18, np.asarray(ring), smooth=True),
            Words(left + 26, y + 22, "ring: named wrongly by the model", 15),
            Words(left + wide, y + 22, f"{int(points.wrong.sum()):,}", 14, MUTED, "end"),
        ]
        y += 34
    return marks, y
