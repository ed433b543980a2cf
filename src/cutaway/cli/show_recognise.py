"""What `recognise` found -> text: the sentence, then where the network departs."""

from __future__ import annotations

from typing import Any

from rich.console import Console
from rich.markup import escape

_OTHERS = 6


def show(console: Console, found: Any) -> None:
    """Recognition -> printed."""
    console.print(f"[bold]{escape(found.sentence)}[/]", soft_wrap=True)
    if found.departures:
        console.print(f"\nWhere it departs from {escape(found.network)}:")
        for departure in found.departures:
            console.print(f"  {escape(departure)}", soft_wrap=True)
    if found.others:
        more = f" and {len(found.others) - _OTHERS} more" if len(found.others) > _OTHERS else ""
        console.print(f"\nThe same layers have: {escape(', '.join(found.others[:_OTHERS]))}{more}", style="dim")
