"""A convolution's groups: which input channels each of its filters sees, from all of them to one (depthwise)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from cutaway.errors import BadInput
from cutaway.surgery.edit import Edit
from cutaway.surgery.filters_of import TRANSPOSED, seen
from cutaway.surgery.patient import Patient
from cutaway.surgery.windows import rebuilt, window_layer


@dataclass(frozen=True)
class SetGroups(Edit):
    """Set into how many groups a convolution's channels fall; as many as its inputs: depthwise, 1: all see all."""

    structural = True

    layer: str
    groups: int
    """Must divide the layer's input and output channels. Weights inside the groups stay, weights between get lost."""

    def operate(self, patient: Patient) -> None:
        layer = window_layer(patient, self.layer, "groups")
        if not hasattr(layer, "groups") or isinstance(layer, TRANSPOSED):
            raise BadInput(f"{self.layer} is a {type(layer).__name__}; only convolutions have groups.")
        given, made = layer.in_channels, layer.out_channels
        if self.groups < 1 or given % self.groups or made % self.groups:
            both = [g for g in range(1, min(given, made) + 1) if given % g == 0 and made % g == 0]
            raise BadInput(
                f"{self.layer} takes {given} channels and makes {made}; its groups must divide both: "
                f"{', '.join(map(str, both[:12]))}. Got {self.groups}."
            )
        dense = dense_filters(layer)
        weight = grouped_weight(dense, self.groups)
        patient.put(self.layer, rebuilt(layer, groups=self.groups))
        patient.set_weight(self.layer, weight)
        lost = float((dense**2).sum() - (weight**2).sum())
        if lost > 1e-6 * float((dense**2).sum()):
            patient.untrained[self.layer] = f"its filters lost their weights between the {self.groups} groups"

    @property
    def sentence(self) -> str:
        return f"set {self.layer}'s groups to {self.groups}"


def dense_filters(layer: Any) -> torch.Tensor:
    """Convolution in groups -> filters (out, in, ...) as if all saw all channels, zeros between the groups."""
    filters = seen(layer, layer.weight.detach())
    groups = getattr(layer, "groups", 1)
    if groups == 1:
        return filters
    made, taken = filters.shape[0] // groups, filters.shape[1]
    dense = filters.new_zeros((filters.shape[0], taken * groups, *filters.shape[2:]))
    for group in range(groups):
        rows = slice(group * made, (group + 1) * made)
        dense[rows, group * taken : (group + 1) * taken] = filters[rows]
    return dense


def grouped_weight(dense: torch.Tensor, groups: int) -> torch.Tensor:
    """Weights (out, in, ...) -> (out, in / groups, ...): of each filter those for the channels of its group."""
    per_group, taken = dense.shape[0] // groups, dense.shape[1] // groups
    parts = [
        dense[group * per_group : (group + 1) * per_group, group * taken : (group + 1) * taken]
        for group in range(groups)
    ]
    return torch.cat(parts).contiguous()


def is_depthwise(layer: nn.Module) -> bool:
    """Whether each filter sees one channel of several."""
    return isinstance(layer, nn.Conv1d | nn.Conv2d | nn.Conv3d) and layer.groups == layer.in_channels > 1
