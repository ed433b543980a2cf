"""What stands right of the equals sign: numbers, pairs, channels, a word with arguments, a layer with settings."""

from __future__ import annotations

import json
import math
import re
from typing import Any

from cutaway.errors import BadInput

_CALL = re.compile(r"(?P<name>[A-Za-z_][\w]*)\s*(?:\((?P<inside>.*)\))?", re.DOTALL)
MOST_CHANNELS = 100_000


def number_of(text: str, what: str) -> float:
    """ "0.5" -> 0.5. Raises BadInput."""
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise BadInput(f"{what} must be a number. Got {text!r}.")
    return value


def whole_of(text: str, what: str) -> int:
    """ "3" -> 3. Raises BadInput."""
    try:
        return int(text)
    except ValueError:
        raise BadInput(f"{what} must be a whole number. Got {text!r}.") from None


def size_of(text: str, what: str) -> int | tuple[int, int]:
    """ "3" -> 3; "3x5" and "3,5" -> (3, 5), height before width. Raises BadInput."""
    parts = re.split(r"\s*[x,]\s*", text.strip())
    if len(parts) == 1:
        return whole_of(parts[0], what)
    if len(parts) == 2:
        return whole_of(parts[0], what), whole_of(parts[1], what)
    raise BadInput(f"{what} must be a whole number, or two for height and width such as 3x5. Got {text!r}.")


def channels_of(text: str) -> tuple[int, ...]:
    """ "5,7" -> (5, 7); "0:4" -> (0, 1, 2, 3); both mixed. Raises BadInput."""
    found: list[int] = []
    for part in text.split(","):
        first, colon, last = (p.strip() for p in part.partition(":"))
        if not colon:
            found.append(_from_zero(first))
            continue
        low, high = _from_zero(first or "0"), _from_zero(last)
        if not 0 < high - low <= MOST_CHANNELS:
            raise BadInput(f"channels {part.strip()} hold none; {low}:{low + 4} are {low} to {low + 3}.")
        found += range(low, high)
    return tuple(found)


def axes_of(text: str) -> tuple[tuple[int, ...], ...]:
    """ "3,0" -> ((3,), (0,)); "0:2" -> ((0, 1),); ":" -> (()): all of that axis. Raises BadInput."""
    return tuple(() if part.strip() == ":" else channels_of(part) for part in text.split(","))


def _from_zero(text: str) -> int:
    if not text.isdecimal() or not text.isascii():
        raise BadInput(f"channels are whole numbers from 0, such as 5,7 or 0:4. Got {text!r}.")
    return int(text)


def call_of(text: str) -> tuple[str, str] | None:
    """ "noise(0.1)" -> ("noise", "0.1"); "zero" -> ("zero", ""); None where it is neither."""
    found = _CALL.fullmatch(text.strip())
    return (found["name"], (found["inside"] or "").strip()) if found else None


def layer_of(text: str) -> tuple[str, dict[str, Any]]:
    """ "Conv2d(kernel_size=3)" -> ("Conv2d", {"kernel_size": 3}). Raises BadInput."""
    called = call_of(text)
    if called is None:
        raise BadInput(f"a layer reads KIND or KIND(setting=value, ...). Got {text!r}.")
    settings: dict[str, Any] = {}
    parts = _parts(called[1])
    if len(parts) == 1 and "=" not in parts[0]:  # leaky_relu(0.2)
        return called[0], {"parameter": number_of(parts[0], f"{called[0]}'s parameter")}
    for part in parts:
        name, equals, value = (p.strip() for p in part.partition("="))
        if not equals or not name.isidentifier() or not value:
            raise BadInput(f"a layer's settings read NAME=VALUE, such as kernel_size=3. Got {part!r}.")
        settings[name] = plain_of(value)
    return called[0], settings


def plain_of(text: str) -> Any:
    """A plain value as Python or JSON write it: 3, 0.5, (3, 3), True, none, or a bare word."""
    written = {"True": "true", "False": "false", "None": "null", "none": "null"}.get(text, text)
    if written.startswith("(") and written.endswith(")"):
        written = f"[{written[1:-1].rstrip(', ')}]"
    try:
        value = json.loads(written)
    except (ValueError, RecursionError):
        return text.strip("'\"")
    return value


def _parts(text: str) -> list[str]:
    """Text split at commas that lie in no bracket."""
    return split_outside(text, ",") if text.strip() else []


def split_outside(text: str, mark: str) -> list[str]:
    """ "a, f(b, c)", "," -> ["a", "f(b, c)"]: commas in brackets and quotes hold together."""
    parts, depth, quoted, start = [], 0, "", 0
    for at, letter in enumerate(text):
        if quoted:
            quoted = "" if letter == quoted else quoted
        elif letter in "\"'":
            quoted = letter
        elif letter in "([{":
            depth += 1
        elif letter in ")]}":
            depth -= 1
        elif letter == mark and depth == 0:
            parts.append(text[start:at].strip())
            start = at + 1
    return [part for part in [*parts, text[start:].strip()] if part]
