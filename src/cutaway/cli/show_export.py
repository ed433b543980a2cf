"""What `export` wrote -> text: the file, how far off it is when read back, and how to feed it."""

from __future__ import annotations

from typing import Any

from rich.console import Console
from rich.markup import escape

from cutaway.cli.show_open import some


def show(console: Console, made: Any) -> None:
    """Exported -> printed."""
    off = f"{made.difference:.1g}" if made.difference else "0"
    console.print(
        f"Wrote {escape(str(made.path))} ({made.size_bytes / 1e6:.1f} MB). Read back, its answers differ by {off}."
    )
    gives = "probabilities" if made.probabilities else "logits"
    console.print(f"Input: {escape(made.input)}", soft_wrap=True)
    console.print(f"Output: {gives} of classes: {escape(some(made.classes))}", soft_wrap=True)
