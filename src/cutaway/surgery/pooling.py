"""A pool of the other kind: the largest value of a window in place of its mean, or the mean in place of the largest."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import nn

from cutaway.errors import BadInput
from cutaway.graph import extra
from cutaway.surgery.dry import called
from cutaway.surgery.edit import Edit
from cutaway.surgery.patient import Patient
from cutaway.surgery.windows import layers_that, pad_before, per_axis

Kind = Literal["max", "avg"]
_WHOLE: dict[Any, tuple[str, Any]] = {
    nn.AdaptiveAvgPool1d: ("avg", nn.AdaptiveMaxPool1d),
    nn.AdaptiveMaxPool1d: ("max", nn.AdaptiveAvgPool1d),
    nn.AdaptiveAvgPool2d: ("avg", nn.AdaptiveMaxPool2d),
    nn.AdaptiveMaxPool2d: ("max", nn.AdaptiveAvgPool2d),
}
_NAMES = {torch.amax: "amax", torch.mean: "mean"}
_MEANS: dict[str, tuple[str, Any]] = {"mean": ("avg", torch.amax), "amax": ("max", torch.mean)}


@dataclass(frozen=True)
class SetPooling(Edit):
    """Let a pool take the largest value of each window (max) or their mean (avg); its window and stride stay."""

    structural = True

    layer: str
    """A pool, or the mean over all places at the end of a network."""
    to: Kind

    def operate(self, patient: Patient) -> None:
        node = patient.node(self.layer)
        if called(node) in _MEANS:
            self._places(patient)
            return
        layer: Any = patient.layer(self.layer)
        if type(layer) in _WHOLE:
            now, other = _WHOLE[type(layer)]
            if now != self.to:
                patient.put(self.layer, other(layer.output_size))
        elif isinstance(layer, nn.MaxPool1d | nn.MaxPool2d):
            if self.to == "avg":
                self._averaged(patient, layer)
        elif isinstance(layer, nn.AvgPool1d | nn.AvgPool2d | extra.SamePool2d):
            if self.to == "max":
                self._largest(patient, layer)
        else:
            names = layers_that(patient, lambda m: type(m).__name__.rstrip("123d").endswith("Pool"))
            more = f" and {len(names) - 5} more" if len(names) > 5 else ""
            told = f"Pools are {', '.join(names[:5])}{more}." if names else "The network has none."
            raise BadInput(f"{self.layer} is a {type(layer).__name__}, not a max or average pool. {told}")

    def _places(self, patient: Patient) -> None:
        """mean(x, (2, 3)) <-> amax(x, (2, 3)): both take what, where, and whether the axes stay."""
        node = patient.node(self.layer)
        now, other = _MEANS[called(node)]
        if now == self.to:
            return
        if len(node.args) < 2 and "dim" not in node.kwargs:
            raise BadInput(
                f"{self.layer} takes the mean of everything; only one over places can become the other kind."
            )
        node.target = other if node.op == "call_function" else _NAMES[other]
        patient.changed.add(self.layer)

    def _averaged(self, patient: Patient, layer: Any) -> None:
        if any(d != 1 for d in per_axis(layer, layer.dilation)):
            raise BadInput(
                f"{self.layer} has gaps in its window (dilation {layer.dilation}), which average pools have not."
            )
        pad = pad_before(patient, self.layer)
        if pad and isinstance(same := patient.layer(pad), extra.SamePad2d) and same.value == -math.inf:
            patient.put(pad, nn.Identity())
            patient.put(self.layer, extra.SamePool2d(per_axis(layer, layer.kernel_size), per_axis(layer, layer.stride)))  # type: ignore[arg-type]
            return
        kind = nn.AvgPool1d if isinstance(layer, nn.MaxPool1d) else nn.AvgPool2d
        # a max pool leaves its padding out of account, so the average does too
        patient.put(
            self.layer, kind(layer.kernel_size, layer.stride, layer.padding, layer.ceil_mode, count_include_pad=False)
        )

    def _largest(self, patient: Patient, layer: Any) -> None:
        if isinstance(layer, extra.SamePool2d):
            before = patient.name(patient.node(self.layer).all_input_nodes[0])
            pad = extra.SamePad2d(layer.kernel_size, layer.stride, value=-math.inf)  # type: ignore[arg-type]
            patient.put(self.layer, nn.MaxPool2d(layer.kernel_size, layer.stride))
            patient.insert_after(before, f"{self.layer}_pad", pad, self.layer)
            return
        kind = nn.MaxPool1d if isinstance(layer, nn.AvgPool1d) else nn.MaxPool2d
        patient.put(self.layer, kind(layer.kernel_size, layer.stride, layer.padding, ceil_mode=layer.ceil_mode))

    @property
    def sentence(self) -> str:
        return f"make {self.layer} a pool of the {'largest value' if self.to == 'max' else 'mean'}"
