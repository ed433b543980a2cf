"""Knobs to turn: "conv1.activation=relu,sigmoid,tanh", "scale conv2[3]=0..2x5" -> the edits of every setting."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass

from cutaway.errors import BadInput
from cutaway.surgery.values import split_outside

MOST_VALUES = 200
MOST_SETTINGS = 500
STEPS = 5
"""Values of a range whose number is not said."""


@dataclass(frozen=True, slots=True)
class Knob:
    """`name`: what stands left of the equals sign; `values`: each as it is typed right of it."""

    name: str
    values: tuple[str, ...]

    def texts(self, value: str) -> tuple[str, ...]:
        """One value -> the texts of its edits; "a.stride + b.stride" turns both."""
        parts = [f"{part.strip()}={value}" for part in self.name.split("+")]
        return (parts[0] if len(parts) == 1 else f"together {'; '.join(parts)}",)

    @property
    def numbers(self) -> tuple[float, ...] | None:
        """The values as numbers, None where one is none."""
        try:
            found = tuple(float(value) for value in self.values)
        except ValueError:
            return None
        return found if all(map(math.isfinite, found)) else None


def read_knobs(texts: Sequence[str]) -> tuple[Knob, ...]:
    """KNOB=VALUES texts -> Knobs. Values are separated by commas; a..b of whole numbers is each of them, of others five
    at equal distances, a..bxN always N.

    Raises BadInput for no text, one without =, a range that is none, too many values, a knob that is there twice.
    """
    if not texts:
        raise BadInput("Say what to vary, for example --knob conv1.activation=relu,sigmoid or --knob pool1.size=2,3.")
    knobs = tuple(map(_knob, texts))
    names = [knob.name for knob in knobs]
    for name in names:
        if names.count(name) > 1:
            raise BadInput(f"--knob {name} was given twice; write its values in one, separated by commas.")
    count = math.prod(len(knob.values) for knob in knobs)
    if count > MOST_SETTINGS:
        raise BadInput(f"These knobs have {count:,} settings together; {MOST_SETTINGS} are the most at a time.")
    return knobs


def settings_of(knobs: Sequence[Knob]) -> tuple[dict[str, str], ...]:
    """Knobs -> every combination of their values, knob: value."""
    names = [knob.name for knob in knobs]
    return tuple(
        dict(zip(names, values, strict=True)) for values in itertools.product(*(knob.values for knob in knobs))
    )


def _knob(text: str) -> Knob:
    name, equals, values = (part.strip() for part in text.partition("="))
    found = [v for part in split_outside(values, ",") for v in _values(name, part)] if equals and name else []
    if not found:
        raise BadInput(
            f"--knob must be KNOB=VALUES such as conv1.stride=1,2 or conv1.activation=relu,tanh. Got {text!r}."
        )
    if len(found) > MOST_VALUES:
        raise BadInput(f"{name} has {len(found)} values; {MOST_VALUES} are the most.")
    return Knob(name, tuple(dict.fromkeys(found)))


def _values(name: str, part: str) -> list[str]:
    low, dots, rest = part.partition("..")
    if not dots:
        return [part]
    high, _, steps = rest.partition("x")
    try:
        first, last = float(low), float(high)
        count = int(steps) if steps else 0
        whole = not steps and first == int(first) and last == int(last) and "." not in low + high
    except (ValueError, OverflowError):
        raise BadInput(f"The range of {name} reads 0.5..2 or 0.5..2x5. Got {part!r}.") from None
    if not (math.isfinite(first) and math.isfinite(last) and first < last) or (steps and count < 2):
        raise BadInput(f"The range of {name} must go from a number to a larger one in 2 steps or more. Got {part!r}.")
    count = int(last - first) + 1 if whole else count or STEPS
    if count > MOST_VALUES:
        raise BadInput(f"{name} has {count:,} values; {MOST_VALUES} are the most.")
    step = (last - first) / (count - 1)
    return [f"{first + i * step:.6g}" for i in range(count)]
