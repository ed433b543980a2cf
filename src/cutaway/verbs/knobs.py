"""Texts such as depth=2..6 -> a knob and its values."""

from __future__ import annotations

import math

from cutaway.errors import BadInput

Value = int | float | str
_MOST_VALUES = 100
_STEPS = 5


def parse_knobs(texts: tuple[str, ...], known: frozenset[str]) -> dict[str, tuple[Value, ...]]:
    """KNOB=VALUES texts -> knob: values. `a..b` of whole numbers is every one between; of others five, evenly in ratio.

    Raises BadInput for a text without =, an unknown knob, a knob given twice, a bad range.
    """
    if not texts:
        raise BadInput("Say what to vary, for example --vary depth=2..6 --vary filters=16,32,64.")
    knobs: dict[str, tuple[Value, ...]] = {}
    for text in texts:
        name, equals, values = text.partition("=")
        name = name.strip().replace("-", "_")
        if not equals or not values.strip():
            raise BadInput(f"--vary must be KNOB=VALUES such as depth=2..6. Got {text!r}.")
        if name not in known:
            raise BadInput(f"There is no knob {name!r} to vary here; there are {', '.join(sorted(known))}.")
        if name in knobs:
            raise BadInput(f"--vary {name} was given twice; write its values in one, separated by commas.")
        knobs[name] = _values(name, values)
    return knobs


def _values(name: str, text: str) -> tuple[Value, ...]:
    low, dots, high = text.partition("..")
    if not dots:
        return tuple(_value(part.strip()) for part in text.split(",") if part.strip())
    first, last = _value(low.strip()), _value(high.strip())
    if isinstance(first, str) or isinstance(last, str) or first >= last:
        raise BadInput(f"The range of {name} must go from a number to a larger one. Got {text!r}.")
    if isinstance(first, int) and isinstance(last, int):
        if last - first >= _MOST_VALUES:
            raise BadInput(f"The range {name}={text} has {last - first + 1} values; name at most {_MOST_VALUES}.")
        return tuple(range(first, last + 1))
    if first <= 0:
        raise BadInput(f"The range {name}={text} is stepped in equal ratios and must begin above 0.")
    ratio = math.exp(math.log(last / first) / (_STEPS - 1))
    return tuple(float(f"{first * ratio**i:.3g}") for i in range(_STEPS))


def _value(text: str) -> Value:
    for read in (int, float):
        try:
            return read(text)
        except ValueError:
            continue
    return text
