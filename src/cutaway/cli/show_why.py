"""Why channels are silent, on the terminal: of each layer the reasons with their counts, and one channel's sentence."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from rich.console import Console
from rich.markup import escape

_LAYERS = 3
_REASONS = 3


def show_why(console: Console, rows: Sequence[Any]) -> None:
    """Rows with a `name` and `why` (a tuple of Why) -> printed; nothing where nothing is silent."""
    told = [row for row in rows if row.why]
    for row in told[:_LAYERS]:
        counts: dict[str, int] = {}
        for why in row.why:
            counts[why.words] = counts.get(why.words, 0) + 1
        common = sorted(counts.items(), key=lambda item: -item[1])
        text = ", ".join(f"{words} ({count})" for words, count in common[:_REASONS])
        more = sum(count for _, count in common[_REASONS:])
        example = next(why for why in row.why if why.words == common[0][0])
        console.print(f"[bold]{escape(row.name)}[/]: {escape(text)}{f', other ({more})' if more else ''}.")
        console.print(f"  [dim]{escape(example.sentence)}[/]")
    if len(told) > _LAYERS:
        others = len(told) - _LAYERS
        console.print(f"[dim]Reasons in {others} more layer{'s' * (others != 1)}: --json.[/]")
