"""A layer made anew for what it gets, where an edit before it changed the number of channels."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from cutaway.errors import BadInput
from cutaway.graph.kinds import build, settings_of
from cutaway.surgery.dry import Shape, dry_run_of, shape_text
from cutaway.surgery.edit import Edit
from cutaway.surgery.filters_of import CONVOLUTIONS
from cutaway.surgery.made import MOST_NUMBERS, gets
from cutaway.surgery.patient import Patient

_NORMS = nn.BatchNorm1d | nn.BatchNorm2d | nn.InstanceNorm2d


@dataclass(frozen=True)
class FitInput(Edit):
    """Make a layer anew for the channels or numbers it gets; its weights begin at random."""

    structural = True

    layer: str
    seed: int = 0

    def operate(self, patient: Patient) -> None:
        layer: Any = patient.layer(self.layer)
        shape = gets(patient, self.layer, dry_run_of(patient).shapes)
        settings = {**settings_of(layer), **self._fitting(layer, shape)}
        with torch.device("meta"):
            size = sum(p.numel() for p in build(type(layer).__name__, settings).parameters())
        if size > MOST_NUMBERS:
            raise BadInput(f"{self.layer} would need {size:,} weights; at most {MOST_NUMBERS:,} are accepted.")
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(self.seed)
            patient.put(self.layer, build(type(layer).__name__, settings))
        patient.untrained[self.layer] = f"it was made anew for {shape_text(shape[1:])}"

    def _fitting(self, layer: Any, shape: Shape) -> dict[str, Any]:
        channels = shape[1]
        if isinstance(layer, nn.Linear):
            return {"in_features": shape[-1]}
        if isinstance(layer, CONVOLUTIONS):
            first = "in_channel" if "in_channel" in settings_of(layer) else "in_channels"
            if layer.groups == layer.in_channels > 1:
                return {
                    first: channels,
                    "groups": channels,
                    "out_channels": layer.out_channels // layer.groups * channels,
                }
            return {first: channels, **({"groups": 1} if channels % layer.groups else {})}
        if isinstance(layer, _NORMS):
            return {"num_features": channels}
        if isinstance(layer, nn.LayerNorm | nn.RMSNorm):
            return {"normalized_shape": shape[-len(layer.normalized_shape) :]}
        if isinstance(layer, nn.GroupNorm):
            return {"num_channels": channels, **({"num_groups": 1} if channels % layer.num_groups else {})}
        raise BadInput(f"{self.layer} is a {type(layer).__name__}, which takes what comes; nothing to fit.")

    @property
    def sentence(self) -> str:
        return f"fit {self.layer} to what it gets"
