"""Verb: one operation a person can ask for. Options in, events while it works, a result at the end: for every door."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass
from typing import Any, Generic, ParamSpec, TypeVar

from cutaway.events import Done, Event
from cutaway.options import given

P = ParamSpec("P")
R = TypeVar("R")


@dataclass(frozen=True, slots=True)
class Verb(Generic[P, R]):
    """`options` is a dataclass whose fields are the flags; `run(options)` yields events and returns the result."""

    name: str
    options: Callable[P, Any]
    run: Callable[[Any], Generator[Event, None, R]]

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R:
        """Options as arguments -> the result, events unseen. Ctrl-C reaches the work, which keeps what is done."""
        for event in self.stream(*args, **kwargs):
            if isinstance(event, Done):
                result: R = event.result
                return result
        raise AssertionError("a verb ends with Done")

    def stream(self, *args: P.args, **kwargs: P.kwargs) -> Iterator[Event | Done[R]]:
        """Options as arguments -> the events as they happen, then Done with the result."""
        return self.events(given(self.options, *args, **kwargs))

    def events(self, options: Any) -> Generator[Event | Done[R], None, None]:
        result = yield from self.run(options)
        yield Done(result)

    @property
    def sentence(self) -> str:
        """What it does, in one line: the first of its options' docstring."""
        return (self.options.__doc__ or "").strip().splitlines()[0]
