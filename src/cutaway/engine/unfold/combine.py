"""Two numbers into one (add, multiply), and many into one (mean, sum, largest over axes)."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import fx

from cutaway.engine.unfold.dense import unreadable
from cutaway.engine.unfold.place import Place, short
from cutaway.engine.unfold.terms import Arithmetic, Line, Source


def _over(a: float, b: float) -> float:
    if b == 0:
        return math.nan if a == 0 or math.isnan(a) else math.copysign(math.inf, a) * math.copysign(1, b)
    return a / b


def _power(a: float, b: float) -> float:
    found = np.float64(a) ** np.float64(b)
    return float(found)


PAIRS: dict[str, tuple[str, Callable[[float, float], float]]] = {
    "add": ("+", lambda a, b: a + b),
    "sub": ("-", lambda a, b: a - b),
    "mul": ("×", lambda a, b: a * b),
    "truediv": ("/", _over),
    "div": ("/", _over),
    "maximum": ("or, the larger,", max),
    "minimum": ("or, the smaller,", min),
    "pow": ("to the power of", _power),
}


def pair(place: Place) -> Arithmetic:
    """a + b, a × b and so on, sizes of 1 stretched to fit."""
    sign, work = PAIRS[_name(place)]
    both = (place.argument(0, "input"), place.argument(1, "other", place.node.kwargs.get("exponent")))
    if set(place.node.kwargs) - {"input", "other", "exponent"}:  # alpha, rounding_mode
        return unreadable(place)
    numbers, sources, lines = [], [], []
    for argument, letter in zip(both, "ab"):
        value, source, said = operand(place, argument)
        numbers.append(value)
        sources += source
        lines.append(Line(f"{letter}: {said}", value))
    total = work(*numbers)
    lines.append(Line("total", total, f"{short(numbers[0])} {sign} {short(numbers[1])}"))
    return place.found(total, f"a {sign} b", lines=lines, leads_to=sources)


def addcmul(place: Place) -> Arithmetic:
    """a + value × b × c."""
    value = float(place.settled(place.node.kwargs.get("value", 1)))
    numbers, sources, lines = [], [], []
    for argument, letter in zip(place.node.args, "abc"):
        number, source, said = operand(place, argument)
        numbers.append(number)
        sources += source
        lines.append(Line(f"{letter}: {said}", number))
    total = numbers[0] + value * numbers[1] * numbers[2]
    lines.append(Line("total", total))
    factor = "" if value == 1 else f"{value:g} × "
    return place.found(total, f"a + {factor}b × c", lines=lines, leads_to=sources)


def operand(place: Place, argument: Any) -> tuple[float, list[Source], str]:
    """One side of a sum -> its number here, where it came from, and in words."""
    value = place.settled(argument)
    if not isinstance(value, torch.Tensor):
        return float(value), [], "a fixed number"
    at = place.at[len(place.at) - value.ndim :]
    cell = tuple(0 if n == 1 else c for c, n in zip(at, value.shape))
    number = float(value.detach()[cell])
    if not isinstance(argument, fx.Node):
        return number, [], "a fixed number"
    source = place.cell(argument, cell)
    shown = ", ".join(str(axis[0]) for axis in source.axes)
    return number, [source], f"{source.step}[{shown}]" if shown else source.step


def reduced(place: Place) -> Arithmetic:
    """mean, sum, amax, max and norm (root of the sum of squares) over axes -> the cells and what is made of them."""
    shape = place.shape(place.input)
    name = _name(place)
    axis = place.settled(place.argument(2 if name == "norm" else 1, "dim", place.node.kwargs.get("axis")))
    if (name == "max" and axis is not None) or (name == "norm" and place.settled(place.argument(1, "p", 2)) != 2):
        return unreadable(place)
    gone = set(range(len(shape))) if axis is None or axis == () else {int(a) % len(shape) for a in _listed(axis)}
    kept = iter(place.at if len(place.at) < len(shape) else [c for i, c in enumerate(place.at) if i not in gone])
    axes = tuple(tuple(range(n)) if i in gone else (next(kept),) for i, n in enumerate(shape))
    count = math.prod(len(a) for a in axes)
    sources = [place.source(place.input, axes)]
    if name in ("amax", "max"):
        window = place.window(place.input, axes)
        picked = tuple(int(i) for i in np.unravel_index(int(window.values.argmax()), window.values.shape))
        window = dataclasses.replace(window, picked=picked)
        total = float(window.values[picked])
        lines = [Line(f"largest of {count:,}", total)]
        return place.found(total, "the largest value", windows=[window], lines=lines, leads_to=sources)
    if name == "norm":
        window = place.window(place.input, axes)
        window = dataclasses.replace(window, terms=window.values**2)
        total = math.sqrt(window.sum)
        lines = [Line(f"sum of {count:,} squares", window.sum), Line("its root", total)]
        return place.found(total, "√(sum of the squares)", windows=[window], lines=lines, leads_to=sources)
    weight = 1 / count if name == "mean" else 1.0
    window = place.window(place.input, axes, np.full(tuple(len(a) for a in axes), weight))
    summed = float(window.values.sum())
    lines = [Line(f"sum of {count:,} cells", summed)]
    total = summed
    if name == "mean":
        total = summed / count
        lines.append(Line(f"divided by {count:,}", total, f"{summed:.6g} / {count}"))
    formula = "mean: sum / number of cells" if name == "mean" else "sum of the cells"
    return place.found(total, formula, windows=[window], lines=lines, leads_to=sources)


def _listed(axis: Any) -> list[Any]:
    return [axis] if isinstance(axis, int) else list(axis)


def _name(place: Place) -> str:
    return str(getattr(place.node.target, "__name__", place.node.target))
