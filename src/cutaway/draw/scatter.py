"""Trials of a sweep -> accuracy with intervals against cost, and which of them are worth their cost."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from cutaway.draw.axes import BOTTOM, HEIGHT, LEFT, RIGHT, TOP, WIDTH, empty, labels, legend, x_ticks, y_grid
from cutaway.draw.scale import Axis, Writer, log_ticks, percent, plain, rounded_out, ticks
from cutaway.draw.svg import Content, hover, path, picture, shortened, tag, text


@dataclass(frozen=True, slots=True)
class Point:
    """One trial of a sweep: cost `x` > 0, accuracy `y` in [0, 1] with its interval."""

    name: str
    x: float
    y: float
    low: float
    high: float


def scatter(points: Sequence[Point], *, title: str, x_label: str, write: Writer = plain) -> Content:
    """Trials -> accuracy with intervals against cost on a logarithmic axis; the Pareto front joined and named."""
    shown = [p for p in points if math.isfinite(p.x) and p.x > 0 and math.isfinite(p.y)]
    if not shown:
        return empty(title)
    low, high = rounded_out(min(p.low for p in shown), max(p.high for p in shown))
    least, most = min(p.x for p in shown) / 1.25, max(p.x for p in shown) * 1.25
    x = Axis(least, most, LEFT, WIDTH - RIGHT, log=True)
    y = Axis(max(0.0, low), min(1.0, high), HEIGHT - BOTTOM, TOP)
    front = pareto(shown)
    body = [*y_grid(y, ticks(y.low, y.high), percent), *x_ticks(x, log_ticks(least, most, 5), write)]
    body.append(tag("path", d=path([(x.at(shown[i].x), y.at(shown[i].y)) for i in front]), class_="line s2 dash"))
    for i in sorted(range(len(shown)), key=lambda i: i in front):
        p, colour = shown[i], 2 if i in front else 1
        cx, cy = x.at(p.x), y.at(p.y)
        label = f"{p.name}: {percent(p.y, 1)} ({percent(p.low, 1)} to {percent(p.high, 1)}) for {write(p.x)}"
        bar = tag("line", x1=cx, x2=cx, y1=y.at(p.low), y2=y.at(p.high), class_=f"whisker s{colour}",
                  stroke_opacity=0.35)  # fmt: skip
        dot = tag("circle", cx=cx, cy=cy, r=5.0, class_=f"f{colour}" if colour == 2 else "hollow s1")
        body.append(tag("g", hover(label), bar, dot, class_="point", data_name=p.name))
    body += _front_names(shown, front, x, y)
    body += legend([("trial", "hollow s1"), ("best for its cost", "f2")], dots=True)
    body += labels(x_label, "accuracy")
    says = "best for their cost: " + ", ".join(f"{shown[i].name} {percent(shown[i].y, 1)}" for i in front)
    return picture(WIDTH, HEIGHT, title, f"{len(shown)} trials; {says}.", *body)


def pareto(points: Sequence[Point]) -> list[int]:
    """Trials -> indices of those that no other beats in both cost and accuracy, cheapest first."""
    front: list[int] = []
    best = -math.inf
    for i in sorted(range(len(points)), key=lambda i: (points[i].x, -points[i].y)):
        if points[i].y > best:
            front.append(i)
            best = points[i].y
    return front


def _front_names(points: Sequence[Point], front: Sequence[int], x: Axis, y: Axis) -> list[Content]:
    """-> names above and left of the front's points (nothing can lie there: it would be on the front itself).

    Names that would leave the plot or meet one already written are left to the hover title.
    """
    drawn: list[Content] = []
    taken: list[tuple[float, float, float]] = []  # left, right, baseline
    for i in reversed(front):
        words = shortened(points[i].name, 34)
        right, base = x.at(points[i].x) - 6, y.at(points[i].y) - 5
        left = right - 5.9 * len(words)
        clear = all(abs(base - b) > 12 or left > r + 4 or right < a - 4 for a, r, b in taken)
        if left > LEFT and clear:
            drawn.append(text(words, right, base, anchor="end", class_="ink", font_size="11"))
            taken.append((left, right, base))
    return drawn
