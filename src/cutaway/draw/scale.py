"""Values -> places on an axis and the round numbers to write beside it."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

STEPS = (1.0, 2.0, 2.5, 5.0, 10.0)


@dataclass(frozen=True, slots=True)
class Axis:
    """Values from `low` to `high` over pixels from `start` to `end` (end may be smaller: an upward y axis)."""

    low: float
    high: float
    start: float
    end: float
    log: bool = False

    def at(self, value: float) -> float:
        """Value -> pixel, held inside the axis."""
        low, high, v = self.low, self.high, min(max(value, self.low), self.high)
        if self.log:
            low, high, v = math.log(low), math.log(high), math.log(v)
        share = (v - low) / (high - low) if high > low else 0.5
        return self.start + share * (self.end - self.start)


def ticks(low: float, high: float, about: int = 5) -> list[float]:
    """Range, wished number -> round ticks (1, 2, 2.5 or 5 times a power of ten) inside it."""
    if not (math.isfinite(low) and math.isfinite(high)) or _is_point(low, high):
        return [low] if math.isfinite(low) else []
    step = _step(low, high, about)
    first = math.ceil(low / step - 1e-9)
    last = math.floor(high / step + 1e-9)
    return [_tidy(i * step, step) for i in range(first, last + 1)]


def rounded_out(low: float, high: float, about: int = 5) -> tuple[float, float]:
    """Range -> the next ticks outside it, so that an axis begins and ends on a number."""
    if _is_point(low, high):
        pad = abs(low) / 10 or 1.0
        low, high = low - pad, high + pad
    step = _step(low, high, about)
    return _tidy(math.floor(low / step + 1e-9) * step, step), _tidy(math.ceil(high / step - 1e-9) * step, step)


def log_ticks(low: float, high: float, most: int = 6) -> list[float]:
    """Positive range -> ticks at 1, 2, 5 per decade, at 1 only or at every n-th decade where it is long."""
    decades = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    inside: list[float] = []
    for steps in ((1, 2, 5), (1, 3), (1,)):
        inside = [s * 10.0**d for d in decades for s in steps if low * 0.999 <= s * 10.0**d <= high * 1.001]
        if len(inside) <= most:
            break
    return inside[:: math.ceil(len(inside) / most)] if inside else [low, high]


def whole_ticks(low: float, high: float, about: int = 6) -> list[float]:
    """Like `ticks` for things that are counted (epochs): whole numbers only."""
    return [t for t in ticks(low, high, about) if t == int(t)] or [math.ceil(low)]


def finite(values: Sequence[float]) -> list[float]:
    return [v for v in values if math.isfinite(v)]


def plain(value: float) -> str:
    """1200000.0 -> "1,200,000"; 0.25 -> "0.25"; 0.0001 -> "0.0001"; 3.0 -> "3"."""
    if not math.isfinite(value):
        return "–"
    if value == int(value) and abs(value) < 1e15:
        return f"{int(value):,}"
    return f"{value:,.1f}" if abs(value) >= 100 else f"{value:.3g}"


def percent(share: float, digits: int | None = None) -> str:
    """0.973 -> "97.3 %"; `digits` after the point, as few as say it when None."""
    if not math.isfinite(share):
        return "–"
    if digits is None:
        return f"{round(100 * share, 1):g} %"
    return f"{100 * share:.{digits}f} %"


def seconds(value: float) -> str:
    """0.25 -> "0.25 s"; 90 -> "1.5 min"; 7200 -> "2 h"."""
    if not math.isfinite(value):
        return "–"
    for size, unit in ((86400.0, "d"), (3600.0, "h"), (60.0, "min")):
        if value >= size * 1.5:
            return f"{value / size:.3g} {unit}"
    return f"{value:.3g} s" if value < 100 else f"{value:.0f} s"


def short_count(value: float) -> str:
    """122570 -> "123k"; 25600000 -> "25.6M"."""
    for size, unit in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if value >= size:
            return f"{value / size:.3g}{unit}"
    return f"{value:.3g}"


Writer = Callable[[float], str]


def _is_point(low: float, high: float) -> bool:
    """True where the range is empty or so narrow that float64 holds no round numbers in it."""
    return high - low <= 1e-9 * max(abs(low), abs(high))


def _tidy(value: float, step: float) -> float:
    """0.30000000000000004 -> 0.3: rounded three digits below the step."""
    return round(value, 3 - math.floor(math.log10(step)))


def _step(low: float, high: float, about: int) -> float:
    raw = (high - low) / max(1, about)
    power = 10.0 ** math.floor(math.log10(raw))
    return next(s * power for s in STEPS if s * power >= raw * 0.999)
