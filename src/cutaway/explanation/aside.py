"""A library that calls back -> a generator: between two of its questions everybody else goes on."""

from __future__ import annotations

import threading
from collections.abc import Callable, Generator
from typing import Any, TypeVar

import numpy as np

Found = TypeVar("Found")
Ask = Callable[[Any], Any]


class _Left(BaseException):
    """Nobody waits for the answer any more."""


def aside(work: Callable[[Ask], Found], seed: int) -> Generator[Any, Any, Found]:
    """`work(ask)`, seed -> yields what the library asks, takes the answer by `send`, returns what it returns.

    The library runs in a thread of its own, but never at the same time as its caller: one waits for the other. While
    it runs, numpy's global random numbers are its own, from `seed` on; the caller finds its own as they were. Closing
    the generator, or an error or Ctrl-C in it, ends the thread.
    """
    state = np.random.RandomState(seed).get_state()
    asked, answered = threading.Semaphore(0), threading.Semaphore(0)
    talk: dict[str, Any] = {}

    def ask(question: Any) -> Any:
        talk["question"] = question
        asked.release()
        answered.acquire()
        if "left" in talk:
            raise _Left
        return talk.pop("answer")

    def run() -> None:
        try:
            talk["found"] = work(ask)
        except _Left:
            pass
        except BaseException as error:
            talk["error"] = error
        asked.release()

    thread = threading.Thread(target=run, daemon=True)
    start = thread.start
    try:
        while True:
            state = _with_state(state, start, asked.acquire)
            if "question" not in talk:
                break
            talk["answer"] = yield talk.pop("question")
            start = answered.release
    finally:
        talk["left"] = True
        answered.release()
        if thread.ident is not None:
            thread.join()
    if "error" in talk:
        raise talk["error"]
    found: Found = talk["found"]
    return found


def _with_state(state: Any, go: Callable[[], None], until: Callable[[], object]) -> Any:
    """Let the library run under its random numbers until it asks or ends -> where these are now."""
    before = np.random.get_state()
    np.random.set_state(state)
    try:
        go()
        until()
        return np.random.get_state()
    finally:
        np.random.set_state(before)
