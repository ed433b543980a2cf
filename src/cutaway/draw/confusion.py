"""Confusion counts -> SVG heatmap whose cells a page can open; from 2 classes to 100."""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence

from cutaway.draw.scale import percent
from cutaway.draw.svg import Content, hover, picture, shortened, tag, text

WIDTH = 520.0
LARGEST_CELL = 76.0
NUMBERS_FROM = 20.0  # px of a cell below which its count is no longer readable and is left to the hover title


def confusion_heatmap(
    matrix: Sequence[Sequence[int]], classes: Sequence[str], *, title: str, opens: Collection[str] = ()
) -> Content:
    """Counts (K, K), rows true, columns answered -> SVG. Cells are shaded by their share of the row: right answers in
    one hue, wrong ones in another. Cells named "t,p" in `opens` are buttons (role, label, data-cell)."""
    k = len(classes)
    longest = min(18, max([len(c) for c in classes] + [1]))
    font = max(6.0, min(12.0, 0.8 * (WIDTH - 80) / max(1, k)))
    margin = 30 + 0.58 * font * longest
    side = min(LARGEST_CELL, (WIDTH - margin - 8) / max(1, k))
    width, height = max(170.0, margin + side * k + 8), margin + side * k + 8
    every = math.ceil(font / side)  # name every n-th class when rows are thinner than letters
    body = [text("true class ↓   answered →", 2, 12, font_size="11")] if k > 1 else []
    for i, name in enumerate(classes):
        if i % every == 0:
            at = margin + side * (i + 0.5)
            label = shortened(name, 18)
            body.append(text(label, margin - 6, at + font * 0.35, anchor="end", class_="ink", font_size=f"{font:g}"))
            body.append(_across(label, at, margin, font, flat=len(label) * 0.58 * font < side))
    first = True
    for t, row in enumerate(matrix):
        total = sum(row)
        for p, n in enumerate(row):
            if k <= 30 or n:  # an empty cell of a large matrix is the background, one rect for all of them
                key = f"{t},{p}"
                body.append(_cell(key, n, total, classes, margin, side, button=key in opens, tab=first))
                first = first and key not in opens
    if k > 30:
        frame = tag("rect", x=margin, y=margin, width=side * k, height=side * k, class_="empty", fill_opacity=0.5)
        body.insert(0, frame)
    right = sum(matrix[i][i] for i in range(k))
    n = sum(map(sum, matrix))
    says = f"{right} of {n} pictures on the diagonal; worst confusion: {worst(matrix, classes)}"
    return picture(width, height, title, f"{says}.", *body, role="group" if opens else "img")


def worst(matrix: Sequence[Sequence[int]], classes: Sequence[str]) -> str:
    """Counts (K, K) -> the largest wrong cell in words, or "none"."""
    wrong = [(n, t, p) for t, row in enumerate(matrix) for p, n in enumerate(row) if t != p and n]
    if not wrong:
        return "none"
    n, t, p = max(wrong, key=lambda cell: (cell[0], -cell[1], -cell[2]))
    return f"{n} of “{classes[t]}” answered “{classes[p]}”"


def _cell(
    key: str, n: int, total: int, classes: Sequence[str], margin: float, side: float, *, button: bool, tab: bool
) -> Content:
    t, p = map(int, key.split(","))
    share = n / total if total else 0.0
    gap = 1.0 if side > 12 else 0.25 if side > 5 else 0.0
    box = {
        "x": margin + side * p + gap,
        "y": margin + side * t + gap,
        "width": side - 2 * gap,
        "height": side - 2 * gap,
    }
    kind = "empty" if not n else "heat" if t == p else "miss"
    # wrong cells start stronger: one mistake among hundreds must still be seen
    opacity = 1.0 if not n else (0.10 + 0.85 * share if t == p else min(1.0, 0.22 + 0.78 * (2 * share) ** 0.6))
    label = f"{n} of {total} “{classes[t]}” answered “{classes[p]}” ({percent(share, 1)})"
    rounding = 2.0 if side > 12 else None
    parts = [hover(label), tag("rect", **box, rx=rounding, class_=kind, fill_opacity=opacity)]
    if n and side >= NUMBERS_FROM:
        size = min(14.0, side * 0.42, 1.5 * side / len(str(n)))
        x, y = margin + side * (p + 0.5), margin + side * (t + 0.5) + size * 0.35
        dark = "onheat" if opacity > 0.62 else None
        parts.append(text(str(n), x, y, anchor="middle", font_size=f"{size:g}", class_=dark))
    parts.append(tag("rect", **box, rx=rounding, class_="edge"))
    role = {"role": "button", "tabindex": "0" if tab else "-1", "aria_label": label, "data_cell": key} if button else {}
    return tag("g", *parts, class_="cell", **role)


def _across(label: str, at: float, margin: float, font: float, flat: bool) -> Content:
    if flat:
        return text(label, at, margin - 7, anchor="middle", class_="ink", font_size=f"{font:g}")
    turned = f"translate({at + font * 0.35:g} {margin - 7:g}) rotate(-90)"
    return tag("g", text(label, 0, 0, class_="ink", font_size=f"{font:g}"), transform=turned)
