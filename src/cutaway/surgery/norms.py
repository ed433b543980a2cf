"""Normalisation removed, folded into the layer before it, frozen, reset, or given another epsilon."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import fx, nn

from cutaway.errors import BadInput
from cutaway.graph import extra
from cutaway.surgery.dry import dry_run_of
from cutaway.surgery.edit import Edit
from cutaway.surgery.filters_of import CONVOLUTIONS, seen, unseen
from cutaway.surgery.made import gives
from cutaway.surgery.patient import Patient

BATCH_NORMS = nn.BatchNorm1d | nn.BatchNorm2d
NORMS = BATCH_NORMS | nn.LayerNorm | nn.GroupNorm | nn.InstanceNorm2d | nn.LocalResponseNorm | nn.RMSNorm


@dataclass(frozen=True)
class RemoveNorm(Edit):
    """Take a normalisation out; the layer before it then gives numbers of another size and should learn again."""

    layer: str
    """The normalisation; an Identity keeps its place and its name."""

    def operate(self, patient: Patient) -> None:
        _norm(patient, self.layer)
        source = _learning_before(patient, patient.node(self.layer)) or _learning_after(patient, self.layer)
        patient.put(self.layer, nn.Identity())
        if source:
            patient.untrained[source] = f"its normalisation {self.layer} was removed"

    @property
    def sentence(self) -> str:
        return f"remove the normalisation {self.layer}"


@dataclass(frozen=True)
class FoldNorm(Edit):
    """Put a normalisation's stored statistics and gain into the weights of the layer before it: the same answers."""

    layer: str
    """A BatchNorm right after a convolution or dense layer that nothing else reads; an Identity keeps its place."""

    def operate(self, patient: Patient) -> None:
        norm = _with_statistics(patient, self.layer)
        before = patient.node(self.layer).all_input_nodes[0]
        name = patient.name(before)
        layer = patient.layer(name) if before.op == "call_module" else None
        if not isinstance(layer, CONVOLUTIONS | nn.Linear) or "StdConv" in type(layer).__name__:
            kind = type(layer).__name__ if layer is not None else "function"
            raise BadInput(
                f"{self.layer} follows {name}, a {kind}; it can be folded into a convolution or dense layer only."
            )
        if len(before.users) > 1:
            raise BadInput(f"{name} feeds other steps besides {self.layer}; they would get folded numbers too.")
        if isinstance(layer, nn.Linear) and len(gives(name, dry_run_of(patient).shapes)) > 2:
            raise BadInput(f"{self.layer} normalises the rows of what {name} gives, not its numbers; it stays.")
        gain, shift = _affine(norm)
        weight = layer.weight.detach()
        filters = seen(layer, weight.double())
        patient.set_weight(name, unseen(layer, filters * gain.view(-1, *[1] * (filters.ndim - 1))).to(weight))
        bias = layer.bias.detach().double() if layer.bias is not None else torch.zeros_like(gain)
        patient.set_weight(name, (bias * gain + shift).to(weight), "bias")
        patient.put(self.layer, nn.Identity())

    @property
    def sentence(self) -> str:
        return f"fold {self.layer} into the layer before it"


@dataclass(frozen=True)
class FreezeStatistics(Edit):
    """Keep a normalisation's stored statistics when the network learns again; answers stay as they are.

    When predicting, stored statistics are used in any case. When healing, an ordinary batch normalisation uses those
    of each batch and stores their running mean; a frozen one uses and keeps what is stored. Its gain still learns.
    """

    layer: str
    frozen: bool = True
    """False makes it an ordinary one again."""

    def operate(self, patient: Patient) -> None:
        norm = _with_statistics(patient, self.layer)
        flat = isinstance(norm, nn.BatchNorm1d)
        kinds = (extra.FrozenBatchNorm1d, extra.FrozenBatchNorm2d) if self.frozen else (nn.BatchNorm1d, nn.BatchNorm2d)
        fresh = kinds[not flat](norm.num_features, norm.eps, norm.momentum, norm.affine)
        fresh._parameters.update(norm._parameters)
        fresh._buffers.update(norm._buffers)
        patient.put(self.layer, fresh)

    @property
    def sentence(self) -> str:
        return f"{'freeze' if self.frozen else 'thaw'} {self.layer}'s statistics"


@dataclass(frozen=True)
class ResetStatistics(Edit):
    """Forget a normalisation's statistics: mean 0 and variance 1 as before any training."""

    layer: str

    def operate(self, patient: Patient) -> None:
        norm = _with_statistics(patient, self.layer)
        assert norm.running_mean is not None
        assert norm.running_var is not None
        patient.set_weight(self.layer, torch.zeros_like(norm.running_mean), "running_mean")
        patient.set_weight(self.layer, torch.ones_like(norm.running_var), "running_var")
        if norm.num_batches_tracked is not None:
            patient.set_weight(self.layer, torch.zeros_like(norm.num_batches_tracked), "num_batches_tracked")
        patient.untrained[self.layer] = "its statistics were reset"

    @property
    def sentence(self) -> str:
        return f"reset {self.layer}'s statistics"


@dataclass(frozen=True)
class SetEpsilon(Edit):
    """Set the small number that a normalisation adds to the variance."""

    layer: str
    eps: float
    """Keras' usual value is 1e-3, PyTorch's 1e-5; read wrongly it can change a network's answer."""

    def operate(self, patient: Patient) -> None:
        norm = _norm(patient, self.layer)
        if not hasattr(norm, "eps"):
            raise BadInput(f"{self.layer} is a {type(norm).__name__}, which has no epsilon.")
        if not 0 < self.eps < 1e6:
            raise BadInput(f"epsilon must be above 0 and below 1e6. Got {self.eps:g}.")
        patient.own(self.layer).eps = self.eps

    @property
    def sentence(self) -> str:
        return f"set {self.layer}'s epsilon to {self.eps:g}"


def _norm(patient: Patient, name: str) -> nn.Module:
    layer = patient.layer(name)
    if not isinstance(layer, NORMS):
        raise BadInput(f"{name} is a {type(layer).__name__}, not a normalisation. {_norms(patient)}")
    return layer


def _with_statistics(patient: Patient, name: str) -> nn.BatchNorm1d | nn.BatchNorm2d:
    norm = _norm(patient, name)
    if not isinstance(norm, BATCH_NORMS) or norm.running_mean is None:
        raise BadInput(f"{name} is a {type(norm).__name__} that stores no statistics; it uses those of each picture.")
    return norm


def _affine(norm: nn.BatchNorm1d | nn.BatchNorm2d) -> tuple[torch.Tensor, torch.Tensor]:
    """Norm -> gain and shift a channel, float64: (x - mean) / sqrt(var + eps) * weight + bias = x * gain + shift."""
    assert norm.running_mean is not None
    assert norm.running_var is not None
    gain = torch.rsqrt(norm.running_var.double() + norm.eps)
    if norm.weight is not None:
        gain = gain * norm.weight.detach().double()
    shift = -norm.running_mean.double() * gain
    return gain, shift if norm.bias is None else shift + norm.bias.detach().double()


def _learning_before(patient: Patient, node: fx.Node) -> str:
    """The nearest layer with weights before a step, along steps with one input; "" where there is none."""
    while len(node.all_input_nodes) == 1:
        (node,) = node.all_input_nodes
        if node.op == "call_module" and _learns(patient, node):
            return patient.name(node)
    return ""


def _learning_after(patient: Patient, name: str) -> str:
    """The first layer with weights after a step, in running order."""
    reached = {patient.node(name)}
    for node in patient.graph.graph.nodes:
        if reached.isdisjoint(node.all_input_nodes):
            continue
        if node.op == "call_module" and _learns(patient, node):
            return patient.name(node)
        reached.add(node)
    return ""


def _learns(patient: Patient, node: fx.Node) -> bool:
    """Whether a step's layer weighs its inputs; a gain for each channel is too little to learn with."""
    return any(p.ndim > 1 for p in patient.graph.get_submodule(str(node.target)).parameters())


def _norms(patient: Patient) -> str:
    paths = dict.fromkeys(str(n.target) for n in patient.graph.graph.nodes if n.op == "call_module")
    names = [path for path in paths if isinstance(patient.graph.get_submodule(path), NORMS)]
    more = f" and {len(names) - 5} more" if len(names) > 5 else ""
    return f"Normalisations are {', '.join(names[:5])}{more}." if names else "The network has none."
