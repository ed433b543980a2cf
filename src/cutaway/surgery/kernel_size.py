"""The size of a window: a convolution's kernels grown with zeros around them or cropped to their middle, a pool's."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F

from cutaway.surgery.dry import shape_text
from cutaway.surgery.edit import Edit
from cutaway.surgery.filters_of import CONVOLUTIONS
from cutaway.surgery.padding import keep_size, must_fit_map
from cutaway.surgery.patient import Patient
from cutaway.surgery.windows import asked, per_axis, rebuilt, same_pad, window_layer

Sides = list[tuple[int, int]]


@dataclass(frozen=True)
class SetKernelSize(Edit):
    """Set the size of a window: a convolution's kernels grow with zeros around (the same answers) or are cropped."""

    structural = True

    layer: str
    size: int | tuple[int, ...]
    """Cells; one number, or one an axis (down, across). A convolution's padding is adapted: its map keeps its size; a
    pool's stride and padding stay, so its map changes."""

    def operate(self, patient: Patient) -> None:
        layer = window_layer(patient, self.layer, "window")
        size = asked(layer, self.layer, "window", self.size)
        dilation = per_axis(layer, getattr(layer, "dilation", 1))
        must_fit_map(patient, self.layer, size, dilation)
        if isinstance(layer, CONVOLUTIONS):
            self._kernels(patient, layer, size, dilation)
        else:
            self._pool(patient, layer, size)

    def _kernels(self, patient: Patient, layer: Any, size: tuple[int, ...], dilation: tuple[int, ...]) -> None:
        before = per_axis(layer, layer.kernel_size)
        cells = [_around(old, new) for old, new in zip(before, size)]
        weight = resized(layer.weight.detach(), cells)
        sides = [(d * front, d * back) for d, (front, back) in zip(dilation, cells)]
        keep_size(patient, self.layer, {"kernel_size": size}, sides)
        patient.set_weight(self.layer, weight)
        if any(new < old for new, old in zip(size, before)):
            kept = float((weight**2).sum()) / max(float((layer.weight.detach() ** 2).sum()), 1e-30)
            patient.untrained[self.layer] = f"its kernels were cropped; {kept:.0%} of their energy is left"

    def _pool(self, patient: Patient, layer: Any, size: tuple[int, ...]) -> None:
        """A pool's stride stays, and its padding, as far as a window of that size may have it."""
        changes: dict[str, Any] = {"kernel_size": size}
        if hasattr(layer, "padding") and any(2 * p > k for p, k in zip(per_axis(layer, layer.padding), size)):
            changes["padding"] = tuple(min(p, k // 2) for p, k in zip(per_axis(layer, layer.padding), size))
            patient.notes.append(f"{self.layer}'s padding is {shape_text(changes['padding'])} now, half of its window.")
        if pad := same_pad(patient, self.layer):
            patient.put(pad, rebuilt(patient.layer(pad), kernel_size=size))
        patient.put(self.layer, rebuilt(layer, **changes))

    @property
    def sentence(self) -> str:
        return f"set {self.layer}'s window to {shape_text(self.size) if isinstance(self.size, tuple) else self.size}"


def _around(old: int, new: int) -> tuple[int, int]:
    """Sizes along one axis -> cells that are added in front and behind (negative: cut off); the odd one behind."""
    more = new - old
    front = more // 2 if more >= 0 else -(-more // 2)
    return front, more - front


def resized(weight: torch.Tensor, sides: Sides) -> torch.Tensor:
    """Kernels (..., rows, columns) -> with zeros added, or cells cut off, in front and behind along each axis."""
    flat: list[Any] = [cells for pair in reversed(sides) for cells in pair]  # F.pad begins with the last axis
    return F.pad(weight, flat)
