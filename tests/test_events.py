"""Events: plain, frozen, comparable values that any door can show or send."""

from __future__ import annotations

import dataclasses
import json

import pytest

from cutaway.events import Done, Epoch, Found, Note, Progress

EVENTS = [
    Note("Chosen for you."),
    Progress("read pictures", 3, None, "pictures"),
    Epoch(1, 10, 0.9, 0.5, 1.0, 0.4, 0.001, 2.5, True),
    Found("duplicate", "Two are the same.", ("a.jpg", "b.jpg")),
]


@pytest.mark.parametrize("event", EVENTS, ids=lambda e: type(e).__name__)
def test_they_are_values(event: object) -> None:
    assert event == dataclasses.replace(event)  # type: ignore[type-var]
    assert hash(event) == hash(dataclasses.replace(event))  # type: ignore[type-var]
    assert json.loads(json.dumps(dataclasses.asdict(event)))  # type: ignore[call-overload]
    with pytest.raises(dataclasses.FrozenInstanceError):
        setattr(event, dataclasses.fields(event)[0].name, 0)  # type: ignore[arg-type]
    assert not hasattr(event, "__dict__")


def test_defaults() -> None:
    assert Progress("x", 1, 2).unit == "items"
    assert Found("x", "y").names == ()
    assert EVENTS[2].phase == "train"  # type: ignore[union-attr]


def test_done_carries_anything() -> None:
    held = object()
    assert Done(held).result is held
