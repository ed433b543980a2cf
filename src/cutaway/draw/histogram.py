"""Counts between edges -> a histogram: an SVG chart of the house, or a block of a sheet."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from cutaway.draw.axes import BOTTOM, HEIGHT, LEFT, RIGHT, TOP, WIDTH, empty, labels, x_ticks, y_grid
from cutaway.draw.colours import Rgb
from cutaway.draw.scale import Axis, Writer, plain, rounded_out, ticks, whole_ticks
from cutaway.draw.scene import INK, MUTED, RULE, Block, Box, Line, Mark, Words, number
from cutaway.draw.svg import Content, hover, picture, tag
from cutaway.errors import must_be

_BAR: Rgb = (11, 98, 176)


def counted_histogram(
    counts: Sequence[int], edges: Sequence[float], *, title: str, x_label: str, y_label: str = "count",
    write: Writer = plain,
) -> Content:  # fmt: skip
    """n counts between n + 1 rising edges -> SVG; the line at zero where it lies inside. Raises BadInput."""
    _checked(counts, edges)
    if not sum(counts):
        return empty(title)
    low, high = rounded_out(edges[0], edges[-1])
    x = Axis(low, high, LEFT, WIDTH - RIGHT)
    y = Axis(0, rounded_out(0, max(counts))[1], HEIGHT - BOTTOM, TOP - 16)
    body = [*y_grid(y, whole_ticks(0, y.high), plain), *x_ticks(x, ticks(low, high), write)]
    for n, left, right in zip(counts, edges, edges[1:], strict=False):
        words = hover(f"{write(left)} to {write(right)}: {n:,}")
        wide = max(0.5, x.at(right) - x.at(left) - 0.6)
        body.append(tag("rect", words, x=x.at(left), y=y.at(n), width=wide, height=y.start - y.at(n), class_="f1"))
    if low < 0 < high:
        body.append(tag("line", x1=x.at(0), x2=x.at(0), y1=y.end, y2=y.start, class_="ideal"))
    body += labels(x_label, y_label)
    says = f"{sum(counts):,} values from {write(edges[0])} to {write(edges[-1])}."
    return picture(WIDTH, HEIGHT, title, says, *body)


def histogram_block(counts: Sequence[int], edges: Sequence[float], width: float, height: float, title: str) -> Block:
    """n counts between n + 1 rising edges -> bars with a title, the ends, zero and the highest count written."""
    _checked(counts, edges)
    x = Axis(edges[0], edges[-1], 0, width)
    top, base, most = 26.0, height - 22, max([*counts, 1])
    marks: list[Mark] = [Words(0, 13, title, 14, INK, strong=True)]
    for n, left, right in zip(counts, edges, edges[1:], strict=False):
        tall = (base - top) * n / most
        if n:
            marks.append(Box(x.at(left), base - max(0.5, tall), max(0.5, x.at(right) - x.at(left) - 0.5),
                             max(0.5, tall), _BAR))  # fmt: skip
    marks += [Line(0, base, width, base, MUTED, 0.5), Words(0, base + 15, number(edges[0]), 11.5, MUTED),
              Words(width, base + 15, number(edges[-1]), 11.5, MUTED, "end")]  # fmt: skip
    if edges[0] < 0 < edges[-1]:
        marks.append(Line(x.at(0), top, x.at(0), base, RULE, 0.5))
        if 60 < x.at(0) < width - 60:
            marks.append(Words(x.at(0), base + 15, "0", 11.5, MUTED, "middle"))
    return Block(height, tuple(marks))


def _checked(counts: Sequence[int], edges: Sequence[float]) -> None:
    if len(edges) != len(counts) + 1 or not counts:
        raise must_be("edges", f"one more than the {len(counts)} counts, and at least two", len(edges))
    if any(b <= a for a, b in pairwise(edges)):
        raise must_be("edges", "rising numbers", list(edges)[:4])
