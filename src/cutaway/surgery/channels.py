"""What a step gives, channel by channel: silenced, kept alone, made weaker or stronger.

A small layer behind the step does it (`<step>_channels`, of kind ScaleChannels): the step itself stays as it is, and
everything after it sees the changed maps. So a silenced channel of a convolution comes back as its normalisation's
shift; silence the normalisation's or the activation's channel where that is not meant.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from torch import fx, nn

from cutaway.errors import BadInput
from cutaway.graph import extra
from cutaway.graph.functions import name_of
from cutaway.surgery.dry import dry_run_of
from cutaway.surgery.edit import Edit
from cutaway.surgery.filters_of import chosen, which_words
from cutaway.surgery.patient import Patient


@dataclass(frozen=True)
class Silence(Edit):
    """Set channels of what a step gives to zero, for everything after it."""

    layer: str
    channels: tuple[int, ...]
    """Which channels, from 0."""

    def operate(self, patient: Patient) -> None:
        scale_channels(patient, self.layer, self.channels, 0.0)

    @property
    def sentence(self) -> str:
        return f"silence {self.layer}{which_words(self.channels)}"


@dataclass(frozen=True)
class KeepOnly(Edit):
    """Set all channels of what a step gives to zero but some."""

    layer: str
    channels: tuple[int, ...]
    """Which channels stay, from 0."""

    def operate(self, patient: Patient) -> None:
        count = channel_axis(patient, self.layer)[0]
        stay = set(chosen(self.layer, "channels", _some(self.layer, self.channels), count))
        if rest := tuple(n for n in range(count) if n not in stay):
            scale_channels(patient, self.layer, rest, 0.0)

    @property
    def sentence(self) -> str:
        return f"keep only {self.layer}{which_words(self.channels)}"


@dataclass(frozen=True)
class ScaleChannels(Edit):
    """Multiply channels of what a step gives by a factor, for everything after it."""

    layer: str
    factor: float
    channels: tuple[int, ...] = ()
    """Which channels, from 0; none named: all."""

    def operate(self, patient: Patient) -> None:
        count, _ = channel_axis(patient, self.layer)
        scale_channels(patient, self.layer, self.channels or tuple(range(count)), self.factor)

    @property
    def sentence(self) -> str:
        return f"multiply {self.layer}{which_words(self.channels)} by {self.factor:g}"


def scale_channels(patient: Patient, name: str, channels: Sequence[int], factor: float) -> None:
    """Multiplies these channels of what `name` gives by the factor, on top of what was done to them before.

    Raises BadInput for a step without channels and a channel that it has not.
    """
    count, dim = channel_axis(patient, name)
    picked = set(chosen(name, "channels", _some(name, channels), count))
    behind = _behind(patient, name)
    before = behind[1].factors if behind else (1.0,) * count
    after = tuple(before[n] * factor if n in picked else before[n] for n in range(count))
    layer = extra.ScaleChannels(after, dim)
    if behind:
        patient.put(behind[0], layer)
    else:
        patient.insert_after(name, f"{name}_channels", layer)


def channel_axis(patient: Patient, name: str) -> tuple[int, int]:
    """Step's name -> how many channels its value has, and along which axis (1, or -1 for rows of features).

    Told by the layers around it; only where they do not, the shapes of the whole network are worked out. Raises
    BadInput for a step that gives no channels.
    """
    node = patient.node(name)
    told = _told(patient, node)
    if told is not None:
        return told
    if _moves(node) or node.op == "get_attr":
        raise BadInput(f"{name} only moves or holds numbers; name the layer whose channels are meant.")
    shape = dry_run_of(patient).shapes.get(patient.name(node), ())
    if len(shape) < 2:
        raise BadInput(f"{name} gives no channels (its shape is {shape or 'a number'}); name a layer that gives maps.")
    dim = -1 if len(shape) > 2 and _last(patient, node) else 1
    return shape[dim], dim


# Layers after which channels are where and as many as before; those of the second list know maps only.
_ANYWHERE_NAMES = """
    ReLU ReLU6 LeakyReLU PReLU ELU SELU CELU GELU SiLU Mish Sigmoid Tanh Softplus Softsign Hardtanh Hardswish
    Hardsigmoid LogSigmoid Dropout Dropout1d Dropout2d AlphaDropout Identity ClippedReLU AlwaysDropout StochasticDepth
    DropPath
"""
_MAPS_NAMES = """
    MaxPool1d MaxPool2d AvgPool1d AvgPool2d AdaptiveAvgPool1d AdaptiveAvgPool2d AdaptiveMaxPool1d AdaptiveMaxPool2d
    AvgPool2dSame SamePool2d ZeroPad2d ConstantPad2d ReflectionPad2d ReplicationPad2d SamePad2d Upsample
"""
_ANYWHERE = frozenset(_ANYWHERE_NAMES.split())
_SAME = _ANYWHERE | frozenset(_MAPS_NAMES.split())


def _told(patient: Patient, node: fx.Node) -> tuple[int, int] | None:
    """What the step's layer, or the one it follows, says; None where neither does."""
    while node.op == "call_module":
        layer = patient.graph.get_submodule(str(node.target))
        if isinstance(layer, extra.ScaleChannels):
            return len(layer.factors), layer.dim
        if isinstance(layer, nn.Linear):
            return layer.out_features, -1
        for key in ("out_channels", "num_features", "num_channels"):
            if isinstance(found := getattr(layer, key, None), int):
                return found, 1
        if isinstance(layer, nn.LayerNorm | nn.RMSNorm) and len(layer.normalized_shape) == 1:
            return int(layer.normalized_shape[0]), -1
        if type(layer).__name__ not in _SAME:
            return None
        node = node.all_input_nodes[0]
    return (patient.contract.in_channels, 1) if node.op == "placeholder" else None


_MOVERS_NAMES = """
    flatten reshape permute transpose unsqueeze squeeze unfold roll swapaxes view expand expand_as repeat unflatten
    movedim tile reshape_as view_as getitem chunk split unbind size getattr var_mean
"""
_MOVERS = frozenset(_MOVERS_NAMES.split())


def _moves(node: fx.Node) -> bool:
    if node.op == "call_method":
        return str(node.target) in _MOVERS
    return node.op == "call_function" and (name_of(node.target) or "") in _MOVERS  # type: ignore[arg-type]


def _last(patient: Patient, node: fx.Node) -> bool:
    """Whether the channels are the last axis: so behind dense layers and layer norms, until an axis is moved again."""
    while node.all_input_nodes and not _moves(node):
        if node.op == "call_module":
            layer = patient.graph.get_submodule(str(node.target))
            if isinstance(layer, nn.Linear | nn.LayerNorm | nn.RMSNorm):
                return True
            if type(layer).__name__ not in _ANYWHERE:
                return False
        node = node.all_input_nodes[0]
    return False


def _behind(patient: Patient, name: str) -> tuple[str, extra.ScaleChannels] | None:
    """Name of the step -> name and layer of the ScaleChannels that all its readers read, if there is one."""
    users = list(patient.node(name).users)
    if len(users) != 1 or users[0].op != "call_module":
        return None
    layer = patient.graph.get_submodule(str(users[0].target))
    return (patient.name(users[0]), layer) if isinstance(layer, extra.ScaleChannels) else None


def _some(name: str, channels: Sequence[int]) -> Sequence[int]:
    if not channels:
        raise BadInput(f"no channel of {name} was named; give at least one.")
    return channels
