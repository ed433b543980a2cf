"""A window that grows or shrinks, and the padding that follows it so that its map keeps its size."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from torch import nn

from cutaway.errors import BadInput
from cutaway.surgery.dry import shape_text
from cutaway.surgery.filters_of import TRANSPOSED
from cutaway.surgery.patient import Patient
from cutaway.surgery.windows import (
    axes_of,
    map_before,
    pad_before,
    pads_itself,
    per_axis,
    rebuilt,
    same_pad,
)

Sides = Sequence[tuple[int, int]]
"""For each axis how many cells the window grows in front and behind; negative where it shrinks."""


def must_fit_map(patient: Patient, name: str, kernel: Sequence[int], dilation: Sequence[int]) -> None:
    """Raises BadInput where the window is larger than the maps it slides over."""
    window = tuple(d * (k - 1) + 1 for d, k in zip(dilation, kernel))
    maps = map_before(patient, name)
    if len(maps) == len(window) and any(w > n for w, n in zip(window, maps)):
        raise BadInput(
            f"{name} gets maps of {shape_text(maps)}; a window of {shape_text(window)} is larger than they are."
        )


def keep_size(patient: Patient, name: str, changes: dict[str, Any], sides: Sides) -> None:
    """Puts the convolution with these changed settings in place, its padding adapted to a window grown by `sides`.

    Raises BadInput where no padding does that.
    """
    layer: Any = patient.layer(name)
    if pad := same_pad(patient, name):
        window = {key: value for key, value in changes.items() if key in ("kernel_size", "dilation")}
        patient.put(pad, rebuilt(patient.layer(pad), **window))
        patient.put(name, rebuilt(layer, **changes))
        patient.notes.append(f"{pad} pads for the new window of {name}, so its map keeps its size.")
        return
    if pads_itself(layer) or layer.padding == "same":
        patient.put(name, rebuilt(layer, **changes))
        return
    padding = (0,) * axes_of(layer) if layer.padding == "valid" else per_axis(layer, layer.padding)
    even = all(before == behind for before, behind in sides)
    wanted = tuple(p + before for p, (before, _) in zip(padding, sides))
    if even and all(p >= 0 for p in wanted):
        patient.put(name, rebuilt(layer, **changes, padding=wanted))
        if any(before for before, _ in sides):
            patient.notes.append(f"{name}'s padding is {shape_text(wanted)} now, so that its map keeps its size.")
        return
    _pad_layer(patient, name, changes, padding, sides)


def _pad_layer(patient: Patient, name: str, changes: dict[str, Any], padding: Sequence[int], sides: Sides) -> None:
    """An uneven padding, or one that cuts cells off, is a layer of its own before the convolution."""
    layer: Any = patient.layer(name)
    if isinstance(layer, TRANSPOSED) or axes_of(layer) != 2 or layer.padding_mode != "zeros":
        raise BadInput(
            f"{name}'s padding cannot follow that window, so its map would change its size; change the window by an "
            "even number of cells."
        )
    total = [(p + before, p + behind) for p, (before, behind) in zip(padding, sides)]
    pad = pad_before(patient, name)
    if pad:
        left, right, top, bottom = patient.layer(pad).padding  # type: ignore[misc]  # (left, right, top, bottom)
        (a, b), (c, d) = total
        total = [(a + top, b + bottom), (c + left, d + right)]
    (top, bottom), (left, right) = total
    zeros = nn.ZeroPad2d((left, right, top, bottom))
    patient.put(name, rebuilt(layer, **changes, padding=(0, 0)))
    if pad:
        patient.put(pad, zeros)
    else:
        before = patient.name(patient.node(name).all_input_nodes[0])
        pad = patient.name(patient.insert_after(before, f"{name}_pad", zeros, name))
    sizes = f"top {top}, bottom {bottom}, left {left}, right {right}"
    patient.notes.append(f"{pad} pads for {name} ({sizes}), so that its map keeps its size.")
