"""Tables on a narrow terminal: the least telling columns give way before a cell is cut."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

_BETWEEN = 2  # spaces from one column to the next
_FEW = 0.2  # share of the cells that may take two lines before another column gives way


def fitted(
    columns: Mapping[str, Sequence[str]], width: int, yields: Sequence[str], folds: Mapping[str, int]
) -> dict[str, Sequence[str]]:
    """Column name: its cells, characters a line has -> the columns that stand side by side in it.

    `yields`: those that may be left out, the first first. `folds`: those whose cells may take several lines, with the
    characters that are enough for any of them.
    """
    kept = dict(columns)
    least = {name: min(_least(name, cells), folds[name]) if name in folds else _widest(name, cells)
             for name, cells in kept.items()}  # fmt: skip
    for name in yields:
        if name in kept and sum(least[n] + _BETWEEN for n in kept) - _BETWEEN > width:
            del kept[name]
    return kept


def _widest(name: str, cells: Sequence[str]) -> int:
    return max(map(len, (name, *cells)))


def _least(name: str, cells: Sequence[str]) -> int:
    """Characters that leave most cells in one line."""
    lengths = sorted(map(len, cells)) or [0]
    return max(len(name), lengths[int((len(lengths) - 1) * (1 - _FEW))])
