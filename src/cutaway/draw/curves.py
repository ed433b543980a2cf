"""Curves over epochs -> SVG."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from cutaway.draw.axes import BOTTOM, HEIGHT, LEFT, RIGHT, TOP, WIDTH, empty, labels, legend, x_ticks, y_grid
from cutaway.draw.scale import Axis, Writer, finite, plain, rounded_out, ticks, whole_ticks
from cutaway.draw.svg import Content, hover, path, picture, shortened, tag, text


@dataclass(frozen=True, slots=True)
class Line:
    """One curve: x and y of equal length (gaps where y is not finite); `dashed` tells it apart without colour.

    `lows` and `highs`: the interval of each y, drawn as a whisker; `notes`: what each point is, for its hover title.
    """

    name: str
    xs: Sequence[float]
    ys: Sequence[float]
    colour: int = 1
    dashed: bool = False
    lows: Sequence[float] = ()
    highs: Sequence[float] = ()
    notes: Sequence[str] = ()


def line_chart(
    lines: Sequence[Line],
    *,
    title: str,
    x_label: str,
    y_label: str,
    write: Writer = plain,
    ceiling: float | None = None,
    floor: float | None = None,
    best: tuple[float, str] | None = None,
    phases: Sequence[tuple[float, float, str]] = (),
) -> Content:
    """Curves -> SVG. `best` marks one x (the kept epoch), `phases` shade stretches (start, end, name), `ceiling` and
    `floor` are values the y axis never passes (1.0 for accuracy, 0.0 for loss)."""
    xs = finite([x for line in lines for x in line.xs])
    ys = finite([y for line in lines for y in (*line.ys, *line.lows, *line.highs)])
    if not xs or not ys:
        return empty(title)
    low, high = rounded_out(min(ys), max(ys))
    low = low if floor is None else max(low, floor)
    high = high if ceiling is None else min(high, ceiling)
    x = Axis(min(xs), max(xs), LEFT, WIDTH - RIGHT)
    y = Axis(low, high, HEIGHT - BOTTOM, TOP)
    body = [*_phases(phases, x), *y_grid(y, ticks(low, high), write), *x_ticks(x, whole_ticks(x.low, x.high), plain)]
    if best is not None:
        at = x.at(best[0])
        body.append(tag("line", x1=at, x2=at, y1=TOP, y2=HEIGHT - BOTTOM, class_="ideal"))
    for line in lines:
        body += _curve(line, x, y, write, x_label)
    if best is not None:
        right = at < WIDTH * 0.6
        anchor = None if right else "end"
        body.append(text(best[1], at + (5 if right else -5), HEIGHT - BOTTOM - 7, anchor=anchor, class_="halo"))
    body += [*legend([(li.name, _style(li)) for li in lines]), *labels(x_label, y_label)]
    last = "; ".join(f"{line.name} ends at {write(line.ys[-1])}" for line in lines if len(line.ys))
    return picture(WIDTH, HEIGHT, title, f"{x_label} against {y_label}: {last}.", *body)


def _curve(line: Line, x: Axis, y: Axis, write: Writer, x_label: str) -> list[Content]:
    pieces: list[list[tuple[float, float]]] = [[]]
    for a, b in zip(line.xs, line.ys, strict=True):
        if math.isfinite(b):
            pieces[-1].append((x.at(a), y.at(b)))
        elif pieces[-1]:
            pieces.append([])
    drawn = [tag("path", d=path(p), class_=_style(line)) for p in pieces if len(p) > 1]
    few = len(line.xs) <= 40
    notes = [f", {note}" for note in line.notes] or [""] * len(line.xs)
    dots = [
        tag("circle", hover(f"{line.name}, {x_label} {plain(a)}{note}: {write(b)}"), cx=x.at(a), cy=y.at(b),
            r=3.0 if few else 1.6, class_=f"f{line.colour}")
        for a, b, note in zip(line.xs, line.ys, notes, strict=True) if math.isfinite(b)
    ]  # fmt: skip
    whiskers = [
        tag("line", x1=x.at(a), x2=x.at(a), y1=y.at(low), y2=y.at(high), class_=f"whisker s{line.colour}",
            stroke_opacity=0.35)
        for a, low, high in zip(line.xs, line.lows, line.highs, strict=False)
    ]  # fmt: skip
    return whiskers + drawn + dots


def _phases(phases: Sequence[tuple[float, float, str]], x: Axis) -> list[Content]:
    drawn = []
    for i, (start, end, name) in enumerate(phases):
        left, right = x.at(start), x.at(end)
        if i % 2 == 0:
            drawn.append(
                tag("rect", x=left, y=TOP, width=max(0.0, right - left), height=HEIGHT - TOP - BOTTOM, class_="band")
            )
        drawn.append(text(shortened(name, int((right - left) / 6.5)), left + 5, TOP + 13, font_size="11"))
    return drawn


def _style(line: Line) -> str:
    return f"line s{line.colour}" + (" dash" if line.dashed else "")
