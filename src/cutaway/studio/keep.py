"""Keep: what was made last under a key, up to a number of them; safe between threads, made once."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

V = TypeVar("V")


class Keep(Generic[V]):
    """The `most` values used last. While one is being made, others who ask for it wait; its error reaches them too."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._found: OrderedDict[Hashable, V] = OrderedDict()
        self._lock = threading.Lock()
        self._making: dict[Hashable, threading.Lock] = {}

    def get(self, key: Hashable, make: Callable[[], V]) -> V:
        """Key, how to make its value -> the value, made now or before. Whatever `make` raises goes through."""
        with self._lock:
            if key in self._found:
                self._found.move_to_end(key)
                return self._found[key]
            making = self._making.setdefault(key, threading.Lock())
        with making:
            with self._lock:
                if key in self._found:
                    return self._found[key]
            try:
                value = make()
            finally:
                with self._lock:
                    self._making.pop(key, None)
            with self._lock:
                self._found[key] = value
                while len(self._found) > self._most:
                    self._found.popitem(last=False)
            return value

    def drop(self, key: Hashable) -> None:
        """Forgets what was made under a key: it is made anew when next asked for."""
        with self._lock:
            self._found.pop(key, None)
