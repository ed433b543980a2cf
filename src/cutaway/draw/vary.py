"""Settings of a knob and what each costs -> a plot: one row a setting, or a curve where the settings are numbers."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

from cutaway.draw.scale import Axis, plain, rounded_out, ticks, whole_ticks
from cutaway.draw.scene import (
    BLUE,
    INK,
    MARGIN,
    MUTED,
    PAGE_WIDTH,
    RULE,
    Block,
    Box,
    Line,
    Mark,
    Rgb,
    Scene,
    Words,
    cut,
    moved,
    number,
    page,
    width_of,
)

PITCH = 34.0
_WIDE = PAGE_WIDTH - 2 * MARGIN
_GREY: Rgb = (128, 136, 146)
_CURVE_FROM = 4
"""Numeric settings from which a curve is drawn above the rows."""


@dataclass(frozen=True, slots=True)
class VaryPoint:
    """One setting: its place on the knob's axis (None: no number), a share in [0, 1] with its interval, the loss.

    `value` None: it could not be measured, `note` says why; else the note stands at the row's end.
    """

    name: str
    place: float | None
    value: float | None
    low: float | None
    high: float | None
    loss: float | None
    note: str = ""


def vary_page(points: Sequence[VaryPoint], *, title: str, subtitle: Sequence[str], what: str, knob: str = "") -> Scene:
    """Settings, the model as it is first -> the plot; with `knob` the settings are numbers on that knob's axis."""
    blocks = [_rows(points, what)]
    measured = [p for p in points[1:] if p.value is not None and p.place is not None]
    if knob and len(measured) >= _CURVE_FROM:
        blocks.insert(0, _curves(points[0], measured, knob, what))
    return page(title, subtitle, blocks, gap=30)


def _rows(points: Sequence[VaryPoint], what: str) -> Block:
    with_loss = any(p.loss is not None for p in points)
    names = min(420.0, max(width_of(p.name, 15, strong=True) for p in points) + 4)
    span = _WIDE - names - 30 - (430 if with_loss else 300)
    x = Axis(0.0, 1.0, names + 14, names + 14 + span)
    loss_at, note_at = x.end + 84, x.end + (170 if with_loss else 100)
    top, foot = 26.0, 26.0 + len(points) * PITCH
    marks: list[Mark] = [Words(x.start, 14, what, 13, MUTED)]
    if with_loss:
        marks.append(Words(loss_at + 62, 14, "loss, nats", 13, MUTED, "end"))
    for tick in ticks(0, 1):
        marks += [Line(x.at(tick), top, x.at(tick), foot, (236, 236, 230), 1),
                  Words(x.at(tick), foot + 18, f"{100 * tick:g} %", 12, MUTED, "middle")]  # fmt: skip
    if points and points[0].value is not None:
        at = x.at(points[0].value)
        marks.append(Line(at, top, at, foot, _GREY, 1.5))
    for i, point in enumerate(points):
        marks += moved(_row(point, x, loss_at, note_at, first=i == 0), 0, top + i * PITCH)
    return Block(foot + 24, tuple(marks))


def _row(point: VaryPoint, x: Axis, loss_at: float, note_at: float, *, first: bool) -> list[Mark]:
    colour = _GREY if first else BLUE
    middle = PITCH / 2
    marks: list[Mark] = [
        Words(x.start - 14, middle + 5, cut(point.name, x.start - 14, 15, strong=first), 15, INK, "end", strong=first)
    ]
    if point.value is None:
        marks.append(Words(x.start, middle + 5, cut(point.note, _WIDE - x.start, 13), 13, MUTED))
        return marks
    if point.low is not None and point.high is not None:
        marks.append(Line(x.at(point.low), middle, x.at(point.high), middle, colour, 2))
    at = x.at(point.value)
    marks.append(Box(at - 5, middle - 5, 10, 10, colour))
    marks.append(Words(x.end + 12, middle + 5, f"{100 * point.value:.1f} %", 15, strong=True))
    if point.loss is not None:
        marks.append(Words(loss_at + 62, middle + 5, number(point.loss), 14, INK, "end"))
    if point.note and not first:
        marks.append(Words(note_at, middle + 5, cut(point.note, _WIDE - note_at, 13), 13, MUTED))
    return marks


def _curves(base: VaryPoint, points: Sequence[VaryPoint], knob: str, what: str) -> Block:
    """Shares, and the loss where it is known, over the knob's values: one panel each."""
    high = 300.0
    shown = sorted(points, key=lambda p: p.place or 0.0)
    with_loss = all(p.loss is not None for p in shown) and base.loss is not None
    wide = (_WIDE - 70) / 2 if with_loss else _WIDE
    marks = _panel(shown, [p.value or 0.0 for p in shown], base.value, (0.0, 1.0), knob, what, wide, high, share=True)
    if with_loss:
        losses = [p.loss or 0.0 for p in shown]
        ends = rounded_out(0.0, max([*losses, base.loss or 0.0]))
        right = _panel(shown, losses, base.loss, ends, knob, "loss in nats", wide, high, share=False)
        marks += moved(right, wide + 70, 0)
    return Block(high + 44, tuple(marks))


def _panel(
    points: Sequence[VaryPoint],
    values: Sequence[float],
    base: float | None,
    ends: tuple[float, float],
    knob: str,
    what: str,
    wide: float,
    high: float,
    *,
    share: bool,
) -> list[Mark]:
    places = [p.place or 0.0 for p in points]
    x = Axis(*rounded_out(min(places), max(places)), 60.0, wide - 10)
    y = Axis(*ends, high, 24.0)
    marks: list[Mark] = [Words(60, 14, what, 14, INK, strong=True)]
    for tick in ticks(*ends):
        written = f"{100 * tick:g} %" if share else plain(tick)
        marks += [Line(x.start, y.at(tick), x.end, y.at(tick), (236, 236, 230), 1),
                  Words(x.start - 8, y.at(tick) + 4, written, 12, MUTED, "end")]  # fmt: skip
    whole = all(place == int(place) for place in places)
    for tick in whole_ticks(x.low, x.high) if whole else ticks(x.low, x.high, 6):
        marks += [Line(x.at(tick), high, x.at(tick), high + 5, RULE, 1),
                  Words(x.at(tick), high + 19, plain(tick), 12, MUTED, "middle")]  # fmt: skip
    marks.append(Words((x.start + x.end) / 2, high + 40, cut(knob, wide, 14), 14, INK, "middle"))
    if base is not None:
        marks.append(Line(x.start, y.at(base), x.end, y.at(base), _GREY, 1.5))
        below = values[-1] >= base and y.at(base) < high - 18  # the curve ends above the line
        marks.append(Words(x.end, y.at(base) + (15 if below else -6), "as it is", 12, _GREY, "end"))
    spots = [(x.at(place), y.at(value)) for place, value in zip(places, values, strict=True)]
    marks += [Line(*a, *b, BLUE, 2.5) for a, b in itertools.pairwise(spots)]
    for point, (at, up) in zip(points, spots, strict=True):
        if share and point.low is not None and point.high is not None:
            marks.append(Line(at, y.at(point.low), at, y.at(point.high), BLUE, 1.5))
        marks.append(Box(at - 4.5, up - 4.5, 9, 9, BLUE))
    return marks
