"""The frame every chart shares: 460 px wide, readable on a phone and half a page on a desk; grid, ticks, legend."""

from __future__ import annotations

from collections.abc import Sequence

from cutaway.draw.scale import Axis, Writer
from cutaway.draw.svg import Content, picture, tag, text

WIDTH = 460.0
HEIGHT = 290.0
LEFT, RIGHT, TOP, BOTTOM = 72.0, 22.0, 34.0, 44.0


def empty(title: str) -> Content:
    """-> a chart that says that there is nothing to draw."""
    words = text("nothing measured", WIDTH / 2, 44, anchor="middle")
    return picture(WIDTH, 80, title, "Nothing measured.", words)


def y_grid(y: Axis, at: Sequence[float], write: Writer) -> list[Content]:
    lines = [tag("line", x1=LEFT, x2=WIDTH - RIGHT, y1=y.at(t), y2=y.at(t), class_="grid") for t in at]
    return lines + [text(write(t), LEFT - 7, y.at(t) + 4, anchor="end") for t in at]


def x_ticks(
    x: Axis, at: Sequence[float], write: Writer, bottom: float = HEIGHT - BOTTOM, top: float | None = None
) -> list[Content]:
    drawn = [tag("line", x1=x.start, x2=x.end, y1=bottom, y2=bottom, class_="axis")]
    for t in at:
        if top is not None:
            drawn.append(tag("line", x1=x.at(t), x2=x.at(t), y1=top, y2=bottom, class_="grid"))
        drawn.append(tag("line", x1=x.at(t), x2=x.at(t), y1=bottom, y2=bottom + 4, class_="axis"))
        drawn.append(text(write(t), x.at(t), bottom + 17, anchor="middle"))
    return drawn


def labels(x_label: str, y_label: str, height: float = HEIGHT) -> list[Content]:
    across = text(x_label, (LEFT + WIDTH - RIGHT) / 2, height - 8, anchor="middle")
    middle = (TOP + height - BOTTOM) / 2
    up = tag("g", text(y_label, 0, 0, anchor="middle"), transform=f"translate(12 {middle:g}) rotate(-90)")
    return [across, up]


def legend(entries: Sequence[tuple[str, str]], dots: bool = False) -> list[Content]:
    """Names with their class words ("line s1 dash") -> the legend above the plot."""
    drawn, at = [], LEFT
    for name, kind in entries:
        if dots:
            drawn.append(tag("circle", cx=at + 8, cy=14.0, r=4.5, class_=kind))
        else:
            drawn.append(tag("line", x1=at, x2=at + 22, y1=14.0, y2=14.0, class_=kind))
        gap = 18 if dots else 28
        drawn.append(text(name, at + gap, 18, class_="ink"))
        at += gap + 16 + 6.6 * len(name)
    return drawn
