"""Another activation in place of one, or another parameter for it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from torch import fx, nn

from cutaway.errors import BadInput
from cutaway.graph import extra
from cutaway.graph.functions import name_of
from cutaway.surgery.edit import Edit
from cutaway.surgery.patient import Patient

ActivationName = Literal[
    "relu",
    "relu6",
    "clipped_relu",
    "leaky_relu",
    "prelu",
    "elu",
    "selu",
    "celu",
    "gelu",
    "gelu_tanh",
    "silu",
    "mish",
    "sigmoid",
    "tanh",
    "softplus",
    "softsign",
    "hardtanh",
    "hardswish",
    "hardsigmoid",
    "log_sigmoid",
    "identity",
]

MOST = 1e6
"""Of a parameter: far above any that is of use, far below what overflows."""

_PLAIN: dict[str, Callable[[], nn.Module]] = {
    "relu": nn.ReLU,
    "relu6": nn.ReLU6,
    "selu": nn.SELU,
    "gelu": nn.GELU,
    "gelu_tanh": lambda: nn.GELU(approximate="tanh"),
    "silu": nn.SiLU,
    "mish": nn.Mish,
    "sigmoid": nn.Sigmoid,
    "tanh": nn.Tanh,
    "softsign": nn.Softsign,
    "hardswish": nn.Hardswish,
    "hardsigmoid": nn.Hardsigmoid,
    "log_sigmoid": nn.LogSigmoid,
    "identity": nn.Identity,
}
# name: (what the parameter is, its default, whether it must be above zero, the layer)
_WITH_PARAMETER: dict[str, tuple[str, float, bool, Callable[[float], nn.Module]]] = {
    "clipped_relu": ("the largest value", 6.0, True, lambda p: extra.ClippedReLU(top=p)),
    "leaky_relu": ("the slope below zero", 0.01, False, nn.LeakyReLU),
    "prelu": ("the slope below zero it begins with", 0.25, False, lambda p: nn.PReLU(init=p)),
    "elu": ("alpha, the depth below zero", 1.0, True, nn.ELU),
    "celu": ("alpha, the depth below zero", 1.0, True, nn.CELU),
    "softplus": ("beta, its sharpness", 1.0, True, nn.Softplus),
    "hardtanh": ("the largest value; its negative is the smallest", 1.0, True, lambda p: nn.Hardtanh(-p, p)),
}
_ACTIVATIONS = (
    nn.ReLU | nn.ReLU6 | nn.LeakyReLU | nn.PReLU | nn.ELU | nn.SELU | nn.CELU | nn.GELU | nn.SiLU | nn.Mish | nn.Sigmoid
    | nn.Tanh | nn.Softplus | nn.Softsign | nn.Hardtanh | nn.Hardswish | nn.Hardsigmoid | nn.LogSigmoid | nn.Softmax
    | nn.LogSoftmax | extra.ClippedReLU
)  # fmt: skip
_CALLED = frozenset(("relu", "sigmoid", "tanh", "softplus", "softmax", "torch_softmax"))
_BETWEEN = (
    nn.BatchNorm1d | nn.BatchNorm2d | nn.LayerNorm | nn.GroupNorm | nn.InstanceNorm2d | nn.LocalResponseNorm
    | nn.RMSNorm | extra.ScaleChannels | nn.Identity
)  # fmt: skip


@dataclass(frozen=True)
class SetActivation(Edit):
    """Put another activation in the place of one."""

    layer: str
    """The activation, or the layer it belongs to (conv1: the activation after conv1 and its normalisation)."""
    to: ActivationName
    """relu, sigmoid, tanh, gelu, ...; identity: none."""
    parameter: float | None = None
    """leaky_relu, prelu: slope below zero; elu, celu: alpha; softplus: beta; clipped_relu, hardtanh: largest value."""

    def operate(self, patient: Patient) -> None:
        name = activation_of(patient, self.layer)
        node = patient.node(name)
        softmax = _is_softmax(patient, node)
        if softmax and not _is_last(node):
            raise BadInput(f"{name} is a softmax that weighs maps, not an activation; rewire or replace it instead.")
        patient.put(name, activation(self.to, self.parameter))
        if softmax and patient.probabilities:
            patient.probabilities = False
            patient.notes.append(
                f"{name} made probabilities of the answers; now they are numbers of any size, of which Cutaway itself "
                "takes the softmax."
            )

    @property
    def sentence(self) -> str:
        value = "" if self.parameter is None else f" ({self.parameter:g})"
        return f"set {self.layer}'s activation to {self.to}{value}"


def activation(name: ActivationName, parameter: float | None = None) -> nn.Module:
    """Name, its parameter (None: the usual) -> the layer. Raises BadInput for a parameter that it has not."""
    if name in _PLAIN:
        if parameter is not None:
            raise BadInput(f"{name} has no parameter; {', '.join(_WITH_PARAMETER)} have one. Got {parameter:g}.")
        return _PLAIN[name]()
    what, usual, positive, make = _WITH_PARAMETER[name]
    value = usual if parameter is None else parameter
    if positive and value <= 0:
        raise BadInput(f"{name}'s parameter is {what}; it must be above 0. Got {value:g}.")
    if abs(value) > MOST:
        raise BadInput(f"{name}'s parameter is {what}; it must lie within {MOST:g} of 0. Got {value:g}.")
    return make(value)


def activation_of(patient: Patient, name: str) -> str:
    """A step -> itself where it is an activation, else the name of the one that follows it, normalisation aside.

    An Identity counts where it is named itself, and where no activation follows. Raises BadInput where there is none.
    """
    node, empty = patient.node(name), ""
    if _is_identity(patient, node):
        return name
    while not _is_activation(patient, node):
        users = list(node.users)
        if len(users) != 1 or not _leads_on(patient, users[0]):
            if empty:
                return empty
            raise BadInput(f"{name} is no activation and none follows it directly; name the activation that is meant.")
        (node,) = users
        if _is_identity(patient, node):
            empty = patient.name(node)
    return patient.name(node)


def _leads_on(patient: Patient, node: fx.Node) -> bool:
    if _is_activation(patient, node):
        return True
    return node.op == "call_module" and isinstance(patient.graph.get_submodule(str(node.target)), _BETWEEN)


def _is_identity(patient: Patient, node: fx.Node) -> bool:
    return node.op == "call_module" and isinstance(patient.graph.get_submodule(str(node.target)), nn.Identity)


def _is_activation(patient: Patient, node: fx.Node) -> bool:
    if node.op == "call_module":
        return isinstance(patient.graph.get_submodule(str(node.target)), _ACTIVATIONS)
    if node.op == "call_method":
        return str(node.target) in _CALLED
    if node.op != "call_function":
        return False
    return (name_of(node.target) or "") in _CALLED or _is_clamp(node)  # type: ignore[arg-type]


def _is_clamp(node: fx.Node) -> bool:
    return name_of(node.target) == "clamp" and len(node.all_input_nodes) == 1  # type: ignore[arg-type]


def _is_softmax(patient: Patient, node: fx.Node) -> bool:
    if node.op == "call_module":
        return isinstance(patient.graph.get_submodule(str(node.target)), nn.Softmax | nn.LogSoftmax)
    name = str(node.target) if node.op == "call_method" else name_of(node.target)  # type: ignore[arg-type]
    return name in ("softmax", "torch_softmax")


def _is_last(node: fx.Node) -> bool:
    return any(user.op == "output" for user in node.users)
