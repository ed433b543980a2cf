"""Crops of one map, one for each window of a grid, with what was computed for the windows pasted in."""

from __future__ import annotations

import torch

from cutaway.explanation.covering.span import Cut, Run


def cut_out(
    base: torch.Tensor, patches: torch.Tensor | None, rows: Cut, columns: Cut, places: tuple[int, int] = (2, 3)
) -> torch.Tensor:
    """Map (1, ...), patches (n * m, ...) of its windows or None, how rows and columns are cut -> (n * m, ...).

    `places`: the dimensions that are rows and columns. Channels lie next to each other in what comes out.
    """
    n, m = len(rows.start), len(columns.start)
    shape = list(base.shape[1:])
    shape[places[0] - 1], shape[places[1] - 1] = rows.size, columns.size
    form = torch.channels_last if places == (2, 3) else torch.contiguous_format
    found = torch.empty(n * m, *shape, dtype=base.dtype, memory_format=form)
    grid = _by_place(found, n, m)
    given = None if patches is None else _by_place(patches, n, m)
    h, w = places[0] + 1, places[1] + 1
    for down in rows.runs:
        for across in columns.runs:
            part = grid[down.at, across.at]
            part.copy_(_windows(base, part.shape, down, across, places))
            if given is None or not down.length or not across.length:
                continue
            put = part.narrow(h, down.put, down.length).narrow(w, across.put, across.length)
            taken = given[down.at, across.at].narrow(h, down.taken, down.length)
            put.copy_(taken.narrow(w, across.taken, across.length))
    return found


def _by_place(values: torch.Tensor, n: int, m: int) -> torch.Tensor:
    """(n * m, ...) -> a view of it as (n, m, ...)."""
    found: torch.Tensor = values.unflatten(0, (n, m))  # type: ignore[no-untyped-call]
    return found


def _windows(base: torch.Tensor, shape: torch.Size, down: Run, across: Run, places: tuple[int, int]) -> torch.Tensor:
    """A view of a map (1, ...) as crops that begin at even distances: (n, m, ...)."""
    strides = base.stride()
    h, w = strides[places[0]], strides[places[1]]
    at = base.storage_offset() + down.start * h + across.start * w
    return base.as_strided(shape, (down.step * h, across.step * w, *strides[1:]), at)
