"""Dropout's rate, and dropout that is active when predicting too."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from torch import nn

from cutaway.errors import BadInput
from cutaway.graph import extra
from cutaway.surgery.edit import Edit
from cutaway.surgery.patient import Patient

_RATES = {"StochasticDepth": "p", "DropPath": "drop_prob"}
"""Layers that drop whole branches of a residual block, and what they call their rate."""


@dataclass(frozen=True)
class SetDropout(Edit):
    """Set a dropout layer's rate, and whether it drops when predicting too."""

    layer: str
    rate: float
    """Share of values that become zero, 0 to 1."""
    at_prediction: bool = False
    """Drop when predicting too: the same values of every picture each time, chosen by the seed."""
    seed: int = 0
    """Which values drop when predicting: another seed is another of the thinned networks that dropout trains."""

    def operate(self, patient: Patient) -> None:
        if not 0 <= self.rate <= 1:
            raise BadInput(f"a dropout rate is a share from 0 to 1. Got {self.rate:g}.")
        if not 0 <= self.seed < 2**63:
            raise BadInput(f"a seed is a whole number from 0 to 2^63 - 1. Got {self.seed}.")
        layer = patient.layer(self.layer)
        kind = type(layer).__name__
        if not self.at_prediction and (key := _RATES.get(kind, "p" if isinstance(layer, _DROPOUTS) else "")):
            setattr(patient.own(self.layer), key, self.rate)
        elif isinstance(layer, extra.AlwaysDropout | nn.Dropout | nn.Dropout1d | nn.Dropout2d):
            patient.put(self.layer, self._other(layer))
        elif kind in _RATES or isinstance(layer, _DROPOUTS):
            raise BadInput(f"{self.layer} is a {kind}, which can drop in training only; its rate can be set.")
        else:
            raise BadInput(f"{self.layer} is a {kind}, not a dropout layer. {_dropouts(patient)}")

    def _other(self, layer: Any) -> nn.Module:
        """Dropout -> the one that is always active, and back."""
        whole = layer.whole_maps if isinstance(layer, extra.AlwaysDropout) else not isinstance(layer, nn.Dropout)
        if self.at_prediction:
            return extra.AlwaysDropout(self.rate, self.seed, whole)
        return nn.Dropout2d(self.rate) if whole else nn.Dropout(self.rate)

    @property
    def sentence(self) -> str:
        when = f", at prediction too (seed {self.seed})" if self.at_prediction else ""
        return f"set {self.layer}'s dropout rate to {self.rate:g}{when}"


_DROPOUTS = nn.Dropout | nn.Dropout1d | nn.Dropout2d | nn.AlphaDropout


def _dropouts(patient: Patient) -> str:
    paths = dict.fromkeys(str(n.target) for n in patient.graph.graph.nodes if n.op == "call_module")
    kinds = {path: patient.graph.get_submodule(path) for path in paths}
    names = [
        p for p, m in kinds.items() if isinstance(m, _DROPOUTS | extra.AlwaysDropout) or type(m).__name__ in _RATES
    ]
    return f"Those are {', '.join(names[:5])}." if names else "The network has none: insert one."
