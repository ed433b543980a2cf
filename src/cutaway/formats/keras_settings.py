"""A layer's settings as a file gives them -> checked numbers, flags and words; a misfit is named by layer and key."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from cutaway.errors import BadModel

_ASK: Any = object()
_LARGEST = 1_000_000


class Settings:
    """Reads one layer's config. `where` opens every message ("Layer conv1 (Conv2D)")."""

    def __init__(self, config: Mapping[str, Any], where: str) -> None:
        self._config = config
        self._where = where

    def __contains__(self, key: str) -> bool:
        return self._config.get(key) is not None

    def raw(self, key: str, default: Any = None) -> Any:
        return self._config.get(key, default)

    def whole(self, key: str, default: Any = _ASK, low: int = 1) -> int:
        value = self._given(key, default)
        if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= _LARGEST:
            raise self.bad(key, f"a whole number from {low} to {_LARGEST}", value)
        return value

    def number(self, key: str, default: Any = _ASK) -> float:
        value = self._given(key, default)
        if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
            raise self.bad(key, "a finite number", value)
        return float(value)

    def flag(self, key: str, default: bool) -> bool:
        value = self._given(key, default)
        if not isinstance(value, bool):
            raise self.bad(key, "true or false", value)
        return value

    def word(self, key: str, default: str, among: tuple[str, ...]) -> str:
        value = self._given(key, default)
        if value not in among:
            raise self.bad(key, " or ".join(among), value)
        return str(value)

    def pair(self, key: str, default: Any = _ASK, low: int = 1) -> tuple[int, int]:
        """One number for both sides, or [height, width]."""
        first, second = self.wholes(key, 2, default, low)
        return first, second

    def wholes(self, key: str, count: int, default: Any = _ASK, low: int = 1) -> tuple[int, ...]:
        value = self._given(key, default)
        values = [value] * count if isinstance(value, int) else value
        fits = isinstance(values, list | tuple) and len(values) == count
        if not fits or not all(type(v) is int and low <= v <= _LARGEST for v in values):
            raise self.bad(key, f"{count} whole numbers from {low}", value)
        return tuple(values)

    def sides(self, key: str) -> tuple[int, int, int, int]:
        """One number, [vertical, horizontal] or [[top, bottom], [left, right]] -> top, bottom, left, right."""
        value = self._given(key, 1)
        pairs = [value, value] if isinstance(value, int) else value
        try:
            (top, bottom), (left, right) = ([v, v] if isinstance(v, int) else v for v in pairs)
        except (TypeError, ValueError):
            raise self.bad(key, "[[top, bottom], [left, right]]", value) from None
        if not all(type(v) is int and 0 <= v <= _LARGEST for v in (top, bottom, left, right)):
            raise self.bad(key, "[[top, bottom], [left, right]]", value)
        return top, bottom, left, right

    def axes(self, key: str, default: Any, rank: int) -> tuple[int, ...]:
        """Axis number(s) of a value with `rank` axes, the batch included -> each from 1 to rank - 1, sorted."""
        value = self._given(key, default)
        values = [value] if isinstance(value, int) else value
        if not isinstance(values, list | tuple) or not values or not all(type(v) is int for v in values):
            raise self.bad(key, "axis numbers", value)
        turned = sorted(v + rank if v < 0 else v for v in values)
        if not all(1 <= v < rank for v in turned) or len(set(turned)) != len(turned):
            raise self.bad(key, f"axis numbers of a value with {rank} axes", value)
        return tuple(turned)

    def numbers(self, key: str, default: Any = _ASK) -> tuple[float, ...]:
        """One number, or a (nested) list of them -> all of them in order."""
        value = self._given(key, default)
        flat: list[float] = []
        todo: list[Any] = [value]
        while todo and len(flat) + len(todo) <= _LARGEST:
            item = todo.pop(0)
            if isinstance(item, list | tuple):
                todo = [*item, *todo]
            elif isinstance(item, bool) or not isinstance(item, int | float) or not math.isfinite(item):
                raise self.bad(key, "finite numbers", value)
            else:
                flat.append(float(item))
        return tuple(flat)

    def bad(self, key: str, what: str, value: Any) -> BadModel:
        shown = repr(value)
        return BadModel(f"{self._where}: {key} must be {what}; the file says {shown[:60]}.")

    def _given(self, key: str, default: Any) -> Any:
        value = self._config.get(key)
        if value is not None:
            return value
        if default is _ASK:
            raise BadModel(f"{self._where}: the file does not say its {key}.")
        return default
