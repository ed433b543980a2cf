"""Shares and counts -> charts as SVG text: dots with intervals, reliability, bars, histogram."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from cutaway.draw.axes import BOTTOM, HEIGHT, LEFT, RIGHT, TOP, WIDTH, empty, labels, x_ticks, y_grid
from cutaway.draw.scale import Axis, Writer, finite, percent, plain, rounded_out, ticks, whole_ticks
from cutaway.draw.svg import Content, hover, picture, shortened, tag, text


@dataclass(frozen=True, slots=True)
class Interval:
    """A measured share with its interval, all in [0, 1]; `strong` is the one the chart is about."""

    name: str
    value: float
    low: float
    high: float
    strong: bool = False
    note: str = ""


def dot_whisker(rows: Sequence[Interval], *, title: str, x_label: str = "accuracy") -> Content:
    """Shares with intervals -> one row each: a dot at the value, a whisker over the interval, the numbers beside."""
    if not rows:
        return empty(title)
    pitch, top = 46.0, 12.0
    height = top + pitch * len(rows) + 40
    low, _ = rounded_out(min(r.low for r in rows), 1.0)
    x = Axis(max(0.0, low), 1.0, 18.0, WIDTH - 22)
    body = x_ticks(x, ticks(x.low, x.high), percent, bottom=height - 40, top=top)
    for i, row in enumerate(rows):
        y, colour = top + pitch * i + 30, 1 if row.strong else 0
        words = f"{percent(row.value, 1)}  ({percent(row.low, 1)} to {percent(row.high, 1)})"
        body.append(
            tag(
                "g",
                hover(f"{row.name}: {words} {row.note}".strip()),
                text(shortened(row.name, 34), x.start, y - 12, class_="strong" if row.strong else "ink"),
                text(words, WIDTH - 22, y - 12, anchor="end", class_="strong" if row.strong else None),
                tag("line", x1=x.at(row.low), x2=x.at(row.high), y1=y, y2=y, class_=f"whisker s{colour}"),
                tag("circle", cx=x.at(row.value), cy=y, r=5.5 if row.strong else 4.5, class_=f"f{colour}"),
            )
        )
    body.append(text(x_label, (x.start + x.end) / 2, height - 6, anchor="middle"))
    says = "; ".join(f"{r.name} {percent(r.value, 1)}, {percent(r.low, 1)} to {percent(r.high, 1)}" for r in rows)
    return picture(WIDTH, height, title, f"{says}.", *body)


def reliability_diagram(
    counts: Sequence[int], confidences: Sequence[float], accuracies: Sequence[float], *, title: str
) -> Content:
    """Bins of equal width over [0, 1] -> accuracy bars against the diagonal, with the pictures per bin below."""
    height, strip = 360.0, 46.0
    base = height - BOTTOM - strip - 8
    x, y = Axis(0, 1, LEFT, WIDTH - RIGHT), Axis(0, 1, base, TOP - 16)
    body = y_grid(y, ticks(0, 1), percent)
    wide = (x.end - x.start) / max(1, len(counts))
    most = max([*counts, 1])
    for i, (n, confidence, accuracy) in enumerate(zip(counts, confidences, accuracies, strict=True)):
        if not n:
            continue
        left, above = x.start + i * wide + 1, accuracy < confidence
        ends = sorted((y.at(accuracy), y.at(confidence)))
        foot, tall = height - BOTTOM, max(1.5, strip * n / most)
        label = f"{n} pictures: sure to {percent(confidence, 1)}, right in {percent(accuracy, 1)}"
        body.append(
            tag(
                "g",
                hover(label),
                tag(
                    "rect",
                    x=left,
                    y=y.at(accuracy),
                    width=wide - 2,
                    height=base - y.at(accuracy),
                    class_="f1",
                    fill_opacity=0.75,
                ),
                tag(
                    "rect",
                    x=left,
                    y=ends[0],
                    width=wide - 2,
                    height=max(0.5, ends[1] - ends[0]),
                    class_="f2" if above else "f3",
                    fill_opacity=0.45,
                ),
                tag("rect", x=left, y=foot - tall, width=wide - 2, height=tall, class_="f0", fill_opacity=0.6),
            )
        )
    body.append(tag("line", x1=x.start, y1=y.start, x2=x.end, y2=y.end, class_="ideal"))
    body += x_ticks(x, ticks(0, 1), percent, bottom=height - BOTTOM)
    body += labels("confidence (probability of the answer)", "accuracy", height)
    body.append(text("pictures", LEFT - 8, height - BOTTOM - 2, anchor="end", font_size="10"))
    says = (
        f"{sum(counts)} pictures in {sum(1 for n in counts if n)} of {len(counts)} bins; the dotted diagonal is honest"
    )
    return picture(WIDTH, height, title, f"{says}.", *body)


def bar_chart(
    names: Sequence[str], values: Sequence[float], *, title: str, x_label: str, write: Writer = plain
) -> Content:
    """Names and values >= 0 -> horizontal bars with the name before and the value behind."""
    if not names:
        return empty(title)
    pitch, right = 24.0, 64.0
    left = 16 + 6.8 * min(18, max(map(len, names)))
    height = 10 + pitch * len(names) + 40
    high = rounded_out(0.0, max([*finite(values), 1e-12]))[1]
    x = Axis(0.0, high, left, WIDTH - right)
    body = x_ticks(x, ticks(0, high, 4), write, bottom=height - 40, top=6)
    for i, (name, value) in enumerate(zip(names, values, strict=True)):
        y = 10 + pitch * i
        bar = tag("rect", x=left, y=y, width=max(0.0, x.at(value) - left), height=pitch - 8, class_="f1")
        label = text(shortened(name, 18), left - 8, y + 12, anchor="end", class_="ink")
        body.append(tag("g", hover(f"{name}: {write(value)}"), bar, label, text(write(value), x.at(value) + 6, y + 12)))
    body.append(text(x_label, (x.start + x.end) / 2, height - 6, anchor="middle"))
    says = "; ".join(f"{n} {write(v)}" for n, v in zip(names, values, strict=True))
    return picture(WIDTH, height, title, f"{says}.", *body)


def histogram(values: Sequence[float], *, title: str, x_label: str, bins: int = 30, write: Writer = plain) -> Content:
    """Values -> how many lie in each of `bins` equal steps between round ends."""
    kept = finite(values)
    if not kept:
        return empty(title)
    low, high = rounded_out(min(kept), max(kept))
    counts = [0] * bins
    for v in kept:
        counts[min(bins - 1, int((v - low) / (high - low) * bins))] += 1
    x = Axis(low, high, LEFT, WIDTH - RIGHT)
    y = Axis(0, rounded_out(0, max(counts))[1], HEIGHT - BOTTOM, TOP - 16)
    step, wide = (high - low) / bins, (x.end - x.start) / bins
    body = [*y_grid(y, whole_ticks(0, y.high), plain), *x_ticks(x, ticks(low, high), write)]
    for i, n in enumerate(counts):
        label = f"{write(low + i * step)} to {write(low + (i + 1) * step)}: {n}"
        bar = tag("rect", hover(label), x=x.start + i * wide + 0.5, y=y.at(n), width=wide - 1,
                  height=y.start - y.at(n), class_="f1")  # fmt: skip
        body.append(bar)
    body += labels(x_label, "count")
    skipped = len(values) - len(kept)
    says = f"{len(kept)} values from {write(min(kept))} to {write(max(kept))}" + (
        f", {skipped} not finite" if skipped else ""
    )
    return picture(WIDTH, HEIGHT, title, f"{says}.", *body)
