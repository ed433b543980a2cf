"""Events of a verb -> progress bars with the time left, curves' numbers as they come, notes; the result at the end."""

from __future__ import annotations

import contextlib
import signal
import sys
from collections.abc import Generator, Iterator
from types import FrameType
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeRemainingColumn
from rich.text import Text

from cutaway import events as ev


def watch(events: Generator[Any, None, None], *, quiet: bool) -> Any:
    """Runs the events out -> the result that Done carries. Ctrl-C is handed to the work, which keeps what is done."""
    console = Console(stderr=True, highlight=False, soft_wrap=True, quiet=quiet)
    columns = (
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(bar_width=30),
        MofNCompleteColumn(),
        TextColumn("{task.fields[unit]}"),
        TimeRemainingColumn(),
    )
    hidden = quiet or not sys.stderr.isatty()
    with _interrupts() as heard, Progress(*columns, console=console, transient=True, disable=hidden) as bars:
        shown = _Shown(console, bars)
        thrown = False
        while True:
            try:
                event = events.throw(KeyboardInterrupt()) if thrown else next(events)
                thrown = False
                heard.clear()
                if isinstance(event, ev.Done):
                    return event.result
                shown.show(event)
            except KeyboardInterrupt:
                if thrown:
                    raise
                thrown = True
            except Exception:
                if heard:
                    raise KeyboardInterrupt from None
                raise


@contextlib.contextmanager
def _interrupts() -> Iterator[list[int]]:
    """Ctrl-C raises KeyboardInterrupt as ever and is listed: in the middle of an import it comes out as any error."""
    heard: list[int] = []

    def note(number: int, frame: FrameType | None) -> None:
        heard.append(number)
        signal.default_int_handler(number, frame)

    before = signal.signal(signal.SIGINT, note)
    try:
        yield heard
    finally:
        signal.signal(signal.SIGINT, before)


class _Shown:
    """One bar at a time; a bar goes when the next task begins."""

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
            for old in self._tasks.values():
                self._bars.update(old, visible=False)
            self._tasks[event.task] = self._bars.add_task(event.task, total=event.total, unit=event.unit)
        self._bars.update(self._tasks[event.task], completed=event.done, total=event.total)
        if event.total is not None and event.done >= event.total:
            self._bars.update(self._tasks.pop(event.task), visible=False)

    def _epoch(self, e: ev.Epoch) -> None:
        if not self._epoch_head:
            self._console.print(Text("  epoch   train loss  accuracy    val loss  accuracy   seconds", style="dim"))
            self._epoch_head = True
        if e.of > 12 and not e.best and e.number != e.of and e.number % 5:
            return  # a long run of quick epochs: the better ones, and every fifth
        mark = "  best so far" if e.best else ""
        self._console.print(
            Text(
                f"{e.number:>4}/{e.of:<4}{e.train_loss:>9.4f}{e.train_accuracy:>10.1%}"
                f"{e.val_loss:>12.4f}{e.val_accuracy:>10.1%}{e.seconds:>10.1f}{mark}"
            )
        )
