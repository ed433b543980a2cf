"""How a window moves: its stride, its padding, the gaps inside it."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Literal

from torch import nn

from cutaway.errors import BadInput
from cutaway.graph import extra
from cutaway.surgery.dry import shape_text
from cutaway.surgery.edit import Edit
from cutaway.surgery.filters_of import CONVOLUTIONS, TRANSPOSED
from cutaway.surgery.padding import keep_size, must_fit_map
from cutaway.surgery.patient import Patient
from cutaway.surgery.windows import (
    asked,
    axes_of,
    pad_before,
    pads_itself,
    pair,
    per_axis,
    rebuilt,
    same_pad,
    window_layer,
)

_NUMBER_KIND = {
    "Conv2dSame": "Conv2d",
    "StdConv2dSame": "StdConv2d",
    "ScaledStdConv2dSame": "ScaledStdConv2d",
}
"""timm's layers that pad by the size of the map -> the same ones that pad by a number."""


@dataclass(frozen=True)
class SetStride(Edit):
    """Set how many cells a convolution's or a pool's window moves on: 2 makes maps of half the size."""

    structural = True

    layer: str
    stride: int | tuple[int, ...]
    """Cells; one number, or one an axis (down, across)."""

    def operate(self, patient: Patient) -> None:
        layer = window_layer(patient, self.layer, "stride")
        stride = asked(layer, self.layer, "stride", self.stride)
        changes: dict[str, Any] = {"stride": stride}
        if getattr(layer, "padding", 0) == "same" and any(s != 1 for s in stride):
            window = [d * (k - 1) for d, k in zip(layer.dilation, layer.kernel_size)]
            if any(w % 2 for w in window):
                raise BadInput(
                    f"{self.layer} pads 'same' around an even window, which goes with a stride of 1 only; "
                    "set its padding to a number first."
                )
            changes["padding"] = tuple(w // 2 for w in window)
        if pad := same_pad(patient, self.layer):
            patient.put(pad, rebuilt(patient.layer(pad), stride=stride))
        elif (pad := pad_before(patient, self.layer)) and _one_sided(patient.layer(pad)):
            patient.notes.append(
                f"{pad} pads {self.layer}'s maps on one side, as the old stride wanted it; with padding 'same' no row "
                "is lost."
            )
        patient.put(self.layer, rebuilt(layer, **changes))

    @property
    def sentence(self) -> str:
        return f"set {self.layer}'s stride to {_words(self.stride)}"


@dataclass(frozen=True)
class SetPadding(Edit):
    """Set how many zeros a convolution or a pool sees around its maps (a pool leaves them out)."""

    structural = True

    layer: str
    padding: Literal["same", "valid"] | int | tuple[int, ...]
    """Cells on each side; valid: none; same: as many as keep the size of the map, at a stride s one s-th of it."""

    def operate(self, patient: Patient) -> None:
        layer = window_layer(patient, self.layer, "padding")
        if self.padding == "same":
            self._same(patient, layer)
        else:
            numbers = asked(layer, self.layer, "padding", 0 if self.padding == "valid" else self.padding, least=0)
            self._numbers(patient, layer, numbers)

    def _same(self, patient: Patient, layer: Any) -> None:
        if isinstance(layer, TRANSPOSED):
            raise BadInput(f"{self.layer} is a transposed convolution, which enlarges; set its padding to a number.")
        if pads_itself(layer):
            return
        stride, kernel = per_axis(layer, layer.stride), per_axis(layer, layer.kernel_size)
        dilation = per_axis(layer, getattr(layer, "dilation", 1))
        window = [d * (k - 1) for d, k in zip(dilation, kernel)]
        self._without_pad_layer(patient)
        even = any(w % 2 for w in window)
        if isinstance(layer, nn.AvgPool2d):
            patient.put(self.layer, extra.SamePool2d(pair(layer, kernel), pair(layer, stride)))
        elif all(s == 1 for s in stride) and not even and not isinstance(layer, nn.MaxPool2d):
            patient.put(self.layer, rebuilt(layer, padding=tuple(w // 2 for w in window)))
        elif axes_of(layer) != 2:
            raise BadInput(f"{self.layer} slides along {axes_of(layer)} axes with an even window or a stride; "
                           "set its padding to a number.")  # fmt: skip
        else:
            border = -math.inf if isinstance(layer, nn.MaxPool2d) else 0.0
            pad = extra.SamePad2d(pair(layer, kernel), pair(layer, stride), pair(layer, dilation), border)
            before = patient.name(patient.node(self.layer).all_input_nodes[0])
            patient.put(self.layer, rebuilt(layer, padding=0 if border else (0, 0)))
            patient.insert_after(before, f"{self.layer}_pad", pad, self.layer)

    def _numbers(self, patient: Patient, layer: Any, numbers: tuple[int, ...]) -> None:
        kernel = per_axis(layer, layer.kernel_size)
        if not isinstance(layer, CONVOLUTIONS) and any(2 * n > k for n, k in zip(numbers, kernel)):
            raise BadInput(
                f"a pool's padding is at most half of its window of {shape_text(kernel)}. Got {_words(numbers)}."
            )
        self._without_pad_layer(patient)
        kind = type(layer).__name__
        if kind in ("SamePool2d", "AvgPool2dSame"):
            pool = nn.AvgPool2d(
                pair(layer, kernel), pair(layer, layer.stride), pair(layer, numbers), count_include_pad=False
            )
            patient.put(self.layer, pool)
        elif kind in _NUMBER_KIND:
            patient.put(self.layer, rebuilt(layer, _NUMBER_KIND[kind], padding=numbers))
        else:
            patient.put(self.layer, rebuilt(layer, padding=numbers))

    def _without_pad_layer(self, patient: Patient) -> None:
        """What a padding layer before it adds would come on top of the number."""
        if pad := pad_before(patient, self.layer):
            patient.put(pad, nn.Identity())
            patient.notes.append(f"{pad}, which padded for {self.layer}, passes on what it gets.")

    @property
    def sentence(self) -> str:
        return f"set {self.layer}'s padding to {_words(self.padding)}"


@dataclass(frozen=True)
class SetDilation(Edit):
    """Set the distance of a window's cells: 2 leaves a gap between neighbours and sees nearly twice as far."""

    structural = True

    layer: str
    dilation: int | tuple[int, ...]
    """1: no gaps. One number, or one an axis. A convolution's padding is adapted so that its map keeps its size."""

    def operate(self, patient: Patient) -> None:
        layer = window_layer(patient, self.layer, "dilation")
        if not hasattr(layer, "dilation"):
            raise BadInput(
                f"{self.layer} is a {type(layer).__name__}, which has no dilation; convolutions and max pools have."
            )
        dilation = asked(layer, self.layer, "dilation", self.dilation)
        kernel, before = per_axis(layer, layer.kernel_size), per_axis(layer, layer.dilation)
        if not isinstance(layer, CONVOLUTIONS):
            must_fit_map(patient, self.layer, kernel, dilation)
            patient.put(self.layer, rebuilt(layer, dilation=dilation))
            return
        must_fit_map(patient, self.layer, kernel, dilation)
        more = [(d - b) * (k - 1) for d, b, k in zip(dilation, before, kernel)]
        sides = [(m // 2, m - m // 2) for m in more]
        keep_size(patient, self.layer, {"dilation": dilation}, sides)

    @property
    def sentence(self) -> str:
        return f"set {self.layer}'s dilation to {_words(self.dilation)}"


def _one_sided(pad: Any) -> bool:
    left, right, top, bottom = pad.padding
    return bool(left != right or top != bottom)


def _words(value: object) -> str:
    return shape_text(value) if isinstance(value, tuple) else str(value)
