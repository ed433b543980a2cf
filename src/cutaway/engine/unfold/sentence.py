"""Sentence: one cell's arithmetic in one line that a person can read out."""

from __future__ import annotations

import math
import re

from cutaway.engine.unfold.terms import Arithmetic


def sentence(told: Arithmetic) -> str:
    """Arithmetic -> "relu[3, 10, 12] = max(0, 0.4312) = 0.4312": its name, how it came about, what it gives."""
    name = f"{told.step}[{', '.join(map(str, told.index))}]"
    total = brief(told.total)
    if not told.unfolded or told.kind == "input":
        return f"{name} = {total}"
    if told.formula.startswith("the same number as"):
        return f"{name} = {total}, {told.formula}"
    return f"{name} = {_how(told)} = {total}"


def _how(told: Arithmetic) -> str:
    numbers = dict(told.parameters)
    summed = next((line.value for line in told.lines if line.label.startswith("sum of")), None)
    if told.windows and summed is not None and told.formula.startswith("sum "):
        products = sum(w.values.size for w in told.windows)
        added = f"{products:,} product{'s' * (products != 1)}, added up"
        return f"{added}: {brief(summed)}, + bias {bracketed(numbers['bias'])}" if "bias" in numbers else added
    if "variance" in numbers and told.lines and not told.windows:
        return _normalised(told, numbers)
    if told.windows and told.windows[0].picked is not None:
        return f"the largest of {told.windows[0].values.size:,} cells"
    if told.lines and told.lines[-1].text and len(told.lines[-1].text) < 60:
        return re.sub(r"\(\(([^()]+)\)\)", r"(\1)", told.lines[-1].text).replace("-", "−")
    return told.formula


def _normalised(told: Arithmetic, numbers: dict[str, float]) -> str:
    x = told.lines[0].value
    said = f"({brief(x)} − {bracketed(numbers['mean'])}) / √({brief(numbers['variance'])} + {numbers['epsilon']:g})"
    said += f" × {bracketed(numbers['gamma'])}" if "gamma" in numbers else ""
    return said + (f" + {bracketed(numbers['beta'])}" if "beta" in numbers else "")


def brief(value: float) -> str:
    """Four digits, with a minus sign that is one."""
    if not math.isfinite(value):
        return "not a number" if math.isnan(value) else "∞" if value > 0 else "−∞"
    return f"{value:.4g}".replace("-", "−")


def bracketed(value: float) -> str:
    """The same, negative ones in brackets, as they stand behind another sign."""
    return f"({brief(value)})" if value < 0 else brief(value)
