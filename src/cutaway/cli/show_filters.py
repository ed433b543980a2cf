"""filters on the terminal: what the layer's weights are, its weakest filters, the sheet's path."""

from __future__ import annotations

from typing import Any

from rich.console import Console
from rich.markup import escape

_SHOWN = 12


def show(console: Console, result: Any) -> None:
    """FiltersResult -> printed."""
    outs, ins, high, wide = result.shape
    groups = f", {result.groups} groups" if result.groups > 1 else ""
    console.print(
        f"[bold]{escape(result.layer)}[/] {escape(result.kind)}: {outs} filters, {ins} x {high} x {wide} each{groups}"
    )
    total = outs * ins * high * wide
    zeros = f", {result.zeros:,} are exactly zero" if result.zeros else ""
    console.print(
        f"{total:,} weights from {result.min:.3g} to {result.max:.3g}, mean {result.mean:.3g}, "
        f"standard deviation {result.std:.3g}{zeros}."
    )
    order = sorted(range(outs), key=lambda i: -result.strengths[i])
    console.print(
        f"Strength (root of the sum of squares): {result.strengths[order[0]]:.3g} (filter {order[0]}) down to "
        f"{result.strengths[order[-1]]:.3g} (filter {order[-1]})."
    )
    if result.weak:
        some = ", ".join(map(str, result.weak[:_SHOWN])) + (", ..." if len(result.weak) > _SHOWN else "")
        console.print(f"Nearly zero, below a hundredth of the strongest: {len(result.weak)} ({some}).")
    console.print(f"Wrote [bold]{escape(str(result.path))}[/]", soft_wrap=True)
