"""Events of a verb -> progress bars with the time left, curves' numbers as they come, notes; the result at the end."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Generator
from types import FrameType
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeRemainingColumn
from rich.text import Text

from cutaway import events as ev


def watch(events: Generator[Any, None, None], *, quiet: bool) -> Any:
    """Runs the events out -> the result that Done carries.

    The first Ctrl-C is handed to the work at its next event, where it can keep what is done; the second ends at once.
    """
    console = _Teller(stderr=True, highlight=False, soft_wrap=not sys.stderr.isatty(), quiet=quiet)
    columns = (
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(bar_width=30),
        MofNCompleteColumn(),
        TextColumn("{task.fields[unit]}"),
        TimeRemainingColumn(),
    )
    hidden = quiet or not sys.stderr.isatty()
    with _Interrupts(quiet) as pressed, Progress(*columns, console=console, transient=True, disable=hidden) as bars:
        shown = _Shown(console, bars)
        while True:
            try:
                event = events.throw(KeyboardInterrupt()) if pressed.to_be_handed_on() else next(events)
            except Exception:
                if pressed.times > 1:  # in the middle of an import an interrupt comes out as any error
                    raise KeyboardInterrupt from None
                raise
            if isinstance(event, ev.Done):
                return event.result
            shown.show(event)


class _Teller(Console):
    """A console whose reader may leave (`cutaway train photos 2>&1 | head`): the work goes on unheard."""

    def on_broken_pipe(self) -> None:
        self.quiet = True
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stderr.fileno())


_WHOLES = {"sweep", "explain"}  # tasks that consist of others


class _Interrupts:
    """Ctrl-C while the work goes on: the first is kept for the next event, since it could fall into an import or a
    half-written file, where no library expects it; the second raises KeyboardInterrupt wherever it falls."""

    def __init__(self, quiet: bool) -> None:
        self.times, self._handed_on, self._quiet = 0, False, quiet

    def __enter__(self) -> _Interrupts:
        self._before = signal.signal(signal.SIGINT, self._press)
        return self

    def __exit__(self, *_: object) -> None:
        signal.signal(signal.SIGINT, self._before)

    def to_be_handed_on(self) -> bool:
        """True once, after the first Ctrl-C."""
        due = self.times > 0 and not self._handed_on
        self._handed_on = self._handed_on or due
        return due

    def _press(self, number: int, frame: FrameType | None) -> None:
        self.times += 1
        if self.times > 1:
            signal.default_int_handler(number, frame)
        if not self._quiet:  # os.write: a handler may not touch a stream that is being written
            os.write(2, b"\nStopping after this step; Ctrl-C again ends at once.\n")


class _Shown:
    """One bar at a time, below that of the whole where there is one; a bar goes when the next task begins."""

    def __init__(self, console: Console, bars: Progress) -> None:
        self._console, self._bars = console, bars
        self._tasks: dict[str, Any] = {}
        self._epoch_head = False

    def show(self, event: Any) -> None:
        if isinstance(event, ev.Progress):
            self._progress(event)
        elif isinstance(event, ev.Epoch):
            self._epoch(event)
        elif isinstance(event, ev.Found):
            return  # the result lists them
        elif isinstance(event, ev.Note):
            self._console.print(Text(event.text))

    def _progress(self, event: ev.Progress) -> None:
        if event.task not in self._tasks:
            for name in [name for name in self._tasks if name not in _WHOLES]:
                self._bars.remove_task(self._tasks.pop(name))
            self._tasks[event.task] = self._bars.add_task(event.task, total=event.total, unit=event.unit)
        self._bars.update(self._tasks[event.task], completed=event.done, total=event.total)
        if event.total is not None and event.done >= event.total:
            self._bars.remove_task(self._tasks.pop(event.task))

    def _epoch(self, e: ev.Epoch) -> None:
        if not self._epoch_head:
            self._console.print(Text("  epoch   train loss  accuracy    val loss  accuracy   seconds", style="dim"))
            self._epoch_head = True
        if e.of > 12 and not e.best and e.number != e.of and e.number % 5:
            return  # a long run of quick epochs: the better ones, and every fifth
        mark = "  best so far" if e.best else ""
        self._console.print(
            Text(
                f"{e.number:>4}/{e.of:<4}{e.train_loss:>11.4f}{e.train_accuracy:>10.1%}"
                f"{e.val_loss:>12.4f}{e.val_accuracy:>10.1%}{e.seconds:>10.1f}{mark}"
            )
        )
