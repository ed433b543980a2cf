"""Events on standard error: lines that stay, bars that go, and what Ctrl-C does between two events."""

from __future__ import annotations

import os
import re
import signal
from collections.abc import Generator
from typing import Any

import pytest

from cutaway.cli.progress import watch
from cutaway.events import Done, Epoch, Found, Note, Progress


def told(*events: Any) -> Generator[Any, None, None]:
    yield from events
    yield Done("result")


def epoch(number: int, of: int, best: bool = False) -> Epoch:
    return Epoch(number, of, 1.25, 0.5, 1.5, 0.25, 0.001, 12.34, best)


def test_notes_and_epochs_are_lines_bars_are_for_people_only(capsys: pytest.CaptureFixture[str]) -> None:
    said = told(
        Note("Read [this] now."),
        Progress("read pictures", 1, 2, "pictures"),
        Found("leak", "the result lists them", ("a.png",)),
        epoch(1, 2, best=True),
        epoch(2, 2),
    )
    assert watch(said, quiet=False) == "result"
    out, err = capsys.readouterr()
    assert out == ""
    assert err.splitlines() == [
        "Read [this] now.",
        "  epoch   train loss  accuracy    val loss  accuracy   seconds",
        "   1/2        1.2500     50.0%      1.5000     25.0%      12.3  best so far",
        "   2/2        1.2500     50.0%      1.5000     25.0%      12.3",
    ]


def test_a_long_run_tells_the_better_epochs_and_every_fifth(capsys: pytest.CaptureFixture[str]) -> None:
    watch(told(*(epoch(n, 40, best=n in (1, 2, 7)) for n in range(1, 34))), quiet=False)
    lines = capsys.readouterr().err.splitlines()[1:]
    assert [int(line.split("/")[0]) for line in lines] == [1, 2, 5, 7, 10, 15, 20, 25, 30]


def test_the_columns_of_an_epoch_stand_under_their_names(capsys: pytest.CaptureFixture[str]) -> None:
    watch(told(epoch(1, 12), Epoch(12, 12, 123.4567, 1.0, 98.7654, 1.0, 0.1, 12345.6, False)), quiet=False)
    head, *rows = capsys.readouterr().err.splitlines()
    ends = [found.end() for found in re.finditer(r"train loss|accuracy|val loss|seconds", head)]
    for row in rows:
        assert [found.end() for found in re.finditer(r"[\d.]+%?", row.split("/", 1)[1])][1:] == [
            end - len(row.split("/", 1)[0]) - 1 for end in ends
        ]


def test_quiet_says_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    assert watch(told(Note("a"), epoch(1, 1)), quiet=True) == "result"
    assert capsys.readouterr() == ("", "")


def press() -> None:
    os.kill(os.getpid(), signal.SIGINT)


def test_the_first_ctrl_c_waits_for_the_next_event_and_is_handed_to_the_work(capfd: pytest.CaptureFixture[str]) -> None:
    done = []

    def work() -> Generator[Any, None, None]:
        press()
        done.append("the step in hand")
        try:
            yield Note("step 1")
            done.append("never")
        except KeyboardInterrupt:
            yield Note("Stopped: the best weights so far are kept.")
        done.append("report")
        yield Done(tuple(done))

    assert watch(work(), quiet=False) == ("the step in hand", "report")
    err = capfd.readouterr().err
    assert "Stopping after this step; Ctrl-C again ends at once." in err
    assert err.endswith("Stopped: the best weights so far are kept.\n")


def test_work_that_keeps_nothing_ends(capfd: pytest.CaptureFixture[str]) -> None:
    def work() -> Generator[Any, None, None]:
        press()
        yield Note("a")
        raise AssertionError("went on")

    with pytest.raises(KeyboardInterrupt):
        watch(work(), quiet=True)
    assert capfd.readouterr().err == ""


def test_the_second_ends_at_once() -> None:
    def work() -> Generator[Any, None, None]:
        press()
        try:
            yield Note("a")
        except KeyboardInterrupt:
            press()
            raise AssertionError("went on") from None
        yield Done(None)

    with pytest.raises(KeyboardInterrupt):
        watch(work(), quiet=True)


def test_an_interrupt_that_a_library_turned_into_an_error_is_still_one() -> None:
    def work() -> Generator[Any, None, None]:
        press()
        try:
            press()
        except KeyboardInterrupt:
            raise RecursionError("import of numpy") from None
        yield Done(None)

    with pytest.raises(KeyboardInterrupt):
        watch(work(), quiet=True)


def test_a_fault_after_one_ctrl_c_stays_a_fault() -> None:
    def work() -> Generator[Any, None, None]:
        press()
        try:
            yield Note("a")
        except KeyboardInterrupt:
            raise ZeroDivisionError("ours") from None
        yield Done(None)

    with pytest.raises(ZeroDivisionError, match="ours"):
        watch(work(), quiet=True)


def test_ctrl_c_is_as_before_afterwards() -> None:
    before = signal.getsignal(signal.SIGINT)
    watch(told(), quiet=True)
    assert signal.getsignal(signal.SIGINT) is before
