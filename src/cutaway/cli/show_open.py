"""open's result -> text: what the file is, then its layers; one layer in full with histograms of its weights."""

from __future__ import annotations

from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from cutaway.cli.columns import fitted

_BARS = " ▁▂▃▄▅▆▇█"
_PLAIN_BARS = " ..::||##"
_HIGH = 4  # lines of a histogram
_NAME = 36  # characters of a name or note that are enough


def show(console: Console, result: Any) -> None:
    """Opened -> printed."""
    _described(console, result)
    if result.out is not None:
        console.print(f"Wrote {escape(str(result.out))}", soft_wrap=True)


def _described(console: Console, result: Any) -> None:
    _header(console, result)
    if result.layer is not None:
        console.print()
        _layer(console, result)
        return
    if result.shown:
        console.print()
        _table(console, result)
    _where_next(console, result)


def _header(console: Console, result: Any) -> None:
    sizes = [words for words in (amount(result.bytes, "B"), f"sha256 {result.sha256[:12]}") if result.sha256]
    what = ", ".join([w for w in (result.format, result.producer, *sizes) if w])
    console.print(f"[bold]{escape(result.name)}[/]: {escape(what)}.")
    if result.answer != "full":
        says = {"view-only": "To be looked at, not run.", "weights": "Weights only."}[result.answer]
        console.print(f"[yellow]{says}[/] {escape(result.reason)}")
        if result.nearest:
            console.print(f"Nearest known networks: {escape(', '.join(result.nearest))}.")
        return
    ends = "probabilities" if result.probabilities else "logits"
    console.print(f"Classes: {escape(some(result.classes))}; the network gives {ends}.")
    console.print(f"Input: {escape(result.input)}.")
    kept = f" and {result.statistics:,} running statistics of its norms" if result.statistics else ""
    layers = f"{len(result.rows):,} layers"
    work = amount(result.multiply_adds, "")
    console.print(f"{layers}, {result.parameters:,} parameters{kept}, {work} multiply-adds a picture.")
    if result.notes:
        console.print(f"[dim]{escape(result.notes)}[/]")


def some(classes: tuple[str, ...]) -> str:
    """Class names -> how many there are, and the first of them."""
    if not classes:
        return "not known"
    return f"{len(classes)} ({', '.join(classes[:8])}{', ...' if len(classes) > 8 else ''})"


def _table(console: Console, result: Any) -> None:
    full = result.answer == "full"
    columns = {
        "layer": [row.name for row in result.shown],
        "kind": [kind_of(row) for row in result.shown],
        "output" if full else "shape": [shape_text(row.shape) for row in result.shown],
        "parameters": [f"{row.parameters:,}" if row.parameters else "" for row in result.shown],
    }
    if full:
        last = [row.last if hasattr(row, "children") else row for row in result.shown]
        columns["multiply-adds"] = [amount(r.multiply_adds, "") if r.multiply_adds else "" for r in result.shown]
        columns["sees"] = [row.receptive.text if row.receptive else "" for row in last]
    else:
        columns["note"] = [row.note for row in result.shown]
    kept = fitted(columns, console.width, ("multiply-adds", "kind", "parameters"), {"layer": _NAME, "note": _NAME})
    table = Table(box=None, pad_edge=False, header_style="dim")
    for name in kept:
        left, folds = name in ("layer", "kind", "note"), name in ("layer", "note")
        table.add_column(name, justify="left" if left else "right", overflow="fold", no_wrap=not folds)
    for cells in zip(*kept.values(), strict=True):
        table.add_row(*map(escape, cells))
    console.print(table)


def kind_of(row: Any) -> str:
    """Row -> its kind, or how many layers a block holds."""
    return f"{row.layers} layers" if hasattr(row, "children") else str(row.kind)


def _where_next(console: Console, result: Any) -> None:
    name = escape(result.name)
    if not result.shown:
        console.print("No layer has that in its name or kind." if result.rows else "It lists no layers.")
    if result.answer != "full":
        return
    gated = any("gated" in ((r.last if hasattr(r, "children") else r).receptive or _Nothing).text for r in result.shown)
    says = "sees: the pixels of the picture that one number depends on"
    console.print(f"[dim]{says}{'; gated: and, through a gate, on the whole picture' if gated else ''}.[/]")
    if any(hasattr(row, "children") for row in result.shown):
        console.print(f"[dim]Every layer: cutaway open {name} --layers all; one: --layer NAME.[/]", soft_wrap=True)


class _Nothing:
    text = ""


def _layer(console: Console, result: Any) -> None:
    layer = result.layer
    row = layer.row
    console.print(f"[bold]{escape(row.name)}[/]: {escape(row.kind)}{f' in {escape(row.block)}' if row.block else ''}")
    grid = Table.grid(padding=(0, 2))
    grid.add_column(style="dim", no_wrap=True)
    grid.add_column(overflow="fold")
    grid.add_row("input", " and ".join(map(shape_text, row.input_shapes)))
    grid.add_row("output", shape_text(row.shape))
    grid.add_row("fed by", escape(", ".join(layer.fed_by) or "nothing"))
    grid.add_row("feeds", escape(", ".join(layer.feeds) or "nothing"))
    grid.add_row("parameters", f"{row.parameters:,}")
    grid.add_row("multiply-adds", f"{row.multiply_adds:,}")
    grid.add_row("sees", _receptive(row.receptive))
    settings = [f"{name} {_value(value)}" for name, value in layer.settings.items()]
    grid.add_row("settings", escape(", ".join(settings) or "none"))
    console.print(grid)
    for stats in layer.weights:
        console.print()
        _weights(console, stats)
    if any(len(stats.shape) == 4 for stats in layer.weights):
        name = escape(result.name)
        console.print(
            f"[dim]Its kernels as a picture: cutaway filters {name} --layer {escape(row.name)}[/]", soft_wrap=True
        )


def _receptive(field: Any) -> str:
    if field is None:
        return "nothing of the picture"
    if field.whole:
        return "the whole picture"
    (down, across), (top, left) = field.stride, field.offset
    step = f"{_number(down)}" if down == across else f"{_number(down)} down and {_number(across)} across"
    text = f"{field.size[0]} x {field.size[1]} pixels, {step} pixels from one number to the next, "
    text += f"the first centred on row {_number(top)}, column {_number(left)}"
    return text + ("; and through a gate the whole picture" if field.gated else "")


def _weights(console: Console, stats: Any) -> None:
    lost = f", {stats.non_finite:,} not finite" if stats.non_finite else ""
    if not stats.counts:
        console.print(f"{escape(stats.name)}  {shape_text(stats.shape)}: no finite numbers{lost}")
        return
    console.print(
        f"{escape(stats.name)}  {shape_text(stats.shape)}: {stats.low:.4g} to {stats.high:.4g}, mean {stats.mean:.4g}, "
        f"std {stats.std:.4g}, {stats.zeros:.1%} zeros{lost}"
    )
    if stats.high == stats.low:
        return
    for line in bars(stats.counts, plain=not (console.encoding or "").lower().startswith("utf")):
        console.print(f"  [cyan]{line}[/]")
    low, high = f"{stats.low:.3g}", f"{stats.high:.3g}"
    console.print(f"  [dim]{low}{high.rjust(2 * len(stats.counts) - len(low))}[/]")


def bars(counts: tuple[int, ...], *, plain: bool = False) -> list[str]:
    """Counts -> lines of text, columns two characters wide; a bin that is not empty always shows."""
    signs = _PLAIN_BARS if plain else _BARS
    most = max(counts) or 1
    eighths = [max(1, round(count / most * 8 * _HIGH)) if count else 0 for count in counts]
    lines = []
    for line in reversed(range(_HIGH)):
        lines.append("".join(signs[min(max(e - 8 * line, 0), 8)] * 2 for e in eighths).rstrip())
    return lines


def shape_text(shape: tuple[int, ...] | None) -> str:
    """(C, H, W) -> "C x H x W"."""
    return "" if shape is None else " x ".join(map(str, shape))


def amount(number: int, unit: str) -> str:
    """1234567 -> "1.23 M"."""
    for size, prefix in ((10**9, "G"), (10**6, "M"), (10**3, "k")):
        if number >= size:
            return f"{number / size:.3g} {prefix}{unit}"
    return f"{number} {unit}".rstrip()


def _number(value: float) -> str:
    return f"{value:g}"


def _value(value: Any) -> str:
    if isinstance(value, tuple) and value and len(set(value)) == 1 and len(value) == 2:
        return f"{value[0]} x {value[0]}"
    if isinstance(value, tuple) and len(value) == 2:
        return f"{value[0]} x {value[1]}"
    return f"{value:.6g}" if isinstance(value, float) else str(value)
