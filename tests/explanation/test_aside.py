"""A library that calls back, as a generator: questions and answers in turn, errors both ways, nothing left behind."""

from __future__ import annotations

import threading

import numpy as np
import pytest

from cutaway.explanation.aside import Ask, aside


def adding(ask: Ask) -> float:
    return sum(ask(i) + np.random.rand() for i in range(3))


def test_questions_and_answers_take_turns() -> None:
    np.random.seed(1)
    library = aside(adding, 7)
    asked = [next(library)]
    for _ in range(2):
        np.random.rand()  # what the caller draws in between changes nothing
        asked.append(library.send(asked[-1] * 10))
    assert asked == [0, 1, 2]
    np.random.rand()
    with pytest.raises(StopIteration) as end:
        library.send(20)
    own = np.random.RandomState(7)
    assert end.value.value == pytest.approx(30 + sum(own.rand() for _ in range(3)))
    again = np.random.RandomState(1)
    for _ in range(3):
        again.rand()
    assert np.array_equal(np.random.get_state()[1], again.get_state()[1])


def test_an_error_of_the_library_arrives() -> None:
    def broken(ask: Ask) -> None:
        raise ValueError(f"got {ask(1)}")

    library = aside(broken, 0)
    assert next(library) == 1
    with pytest.raises(ValueError, match="got 2"):
        library.send(2)


@pytest.mark.parametrize("how", [KeyboardInterrupt, RuntimeError])
def test_an_error_of_the_caller_ends_the_library(how: type[BaseException]) -> None:
    before = threading.active_count()
    library = aside(adding, 0)
    next(library)
    with pytest.raises(how):
        library.throw(how())
    assert threading.active_count() == before
    library = aside(adding, 0)
    library.close()  # never started
    assert threading.active_count() == before
