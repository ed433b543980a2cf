"""animate on the terminal: what moves, at how many places it stops, the file."""

from __future__ import annotations

from typing import Any

from rich.console import Console
from rich.markup import escape


def show(console: Console, result: Any) -> None:
    """AnimateResult -> printed."""
    rows, columns = result.output_shape
    stops = f"all {result.places:,} places" if result.frames == result.places else (
        f"{result.frames:,} of {result.places:,} places (--frames shows more)"
    )  # fmt: skip
    console.print(
        f"[bold]{escape(result.layer)}[/] [dim]{escape(result.kind)}[/], channel {result.channel}: "
        f"{rows} x {columns} places, the window stops at {stops} in {result.seconds:g} s."
    )
    console.print(f"Wrote [bold]{escape(str(result.path))}[/]", soft_wrap=True)
