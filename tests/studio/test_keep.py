"""Keep: the values used last, made once, errors let through."""

from __future__ import annotations

import threading
import time

import pytest

from cutaway.studio.keep import Keep


def test_the_least_used_goes_first() -> None:
    kept: Keep[int] = Keep(2)
    made: list[str] = []

    def make(key: str) -> int:
        made.append(key)
        return len(made)

    for key in ("a", "b", "a", "c", "a", "b"):
        kept.get(key, lambda key=key: make(key))  # type: ignore[misc]
    assert made == ["a", "b", "c", "b"]


def test_what_two_ask_for_at_once_is_made_once() -> None:
    kept: Keep[int] = Keep(4)
    made: list[int] = []
    found: list[int] = []

    def slow() -> int:
        made.append(1)
        time.sleep(0.05)
        return 7

    askers = [threading.Thread(target=lambda: found.append(kept.get("k", slow))) for _ in range(8)]
    for one in askers:
        one.start()
    for one in askers:
        one.join()
    assert (found, made) == ([7] * 8, [1])


def test_another_key_does_not_wait() -> None:
    kept: Keep[str] = Keep(4)
    begun, go = threading.Event(), threading.Event()

    def slow() -> str:
        begun.set()
        go.wait(5)
        return "slow"

    asking = threading.Thread(target=lambda: kept.get("a", slow))
    asking.start()
    begun.wait(5)
    assert kept.get("b", lambda: "at once") == "at once"
    go.set()
    asking.join()


def test_an_error_goes_through_and_is_not_kept() -> None:
    kept: Keep[int] = Keep(4)

    def broken() -> int:
        raise ValueError("no")

    for _ in range(2):
        with pytest.raises(ValueError, match="no"):
            kept.get("k", broken)
    assert kept.get("k", lambda: 3) == 3
