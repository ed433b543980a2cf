"""A long function that yields Progress while it works -> the same function for who only wants the result."""

from __future__ import annotations

from collections.abc import Generator
from typing import TypeVar

from cutaway.events import Event, Progress

Result = TypeVar("Result")
Steps = Generator[Progress, None, Result]


def result_of(steps: Generator[Event, None, Result]) -> Result:
    """A generator that yields events and returns a result -> the result; the events are dropped."""
    while True:
        try:
            next(steps)
        except StopIteration as end:
            result: Result = end.value
            return result
