"""What each kind of layer offers to be set, and how a value typed for it becomes Edits."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, get_args

from torch import nn

from cutaway.errors import BadInput
from cutaway.graph import extra
from cutaway.surgery.activations import ActivationName, activation_of
from cutaway.surgery.dropout import SetDropout
from cutaway.surgery.dry import called as called_as
from cutaway.surgery.edit import Edit, edit_of
from cutaway.surgery.filters_of import CONVOLUTIONS
from cutaway.surgery.inputs import SetClasses, SetInput, SetInputSize
from cutaway.surgery.kernels import FlipKernels, KernelName, RotateKernels, SetKernel
from cutaway.surgery.norms import NORMS, FoldNorm, FreezeStatistics, RemoveNorm, ResetStatistics, SetEpsilon
from cutaway.surgery.patient import Patient
from cutaway.surgery.values import (
    axes_of,
    call_of,
    channels_of,
    layer_of,
    number_of,
    plain_of,
    size_of,
    split_outside,
    whole_of,
)
from cutaway.surgery.weights import (
    AddNoise,
    RandomiseWeights,
    RoundWeights,
    ScaleBias,
    ScaleWeights,
    SetBias,
    SetWeight,
    SwapChannels,
    ZeroWeights,
)

Edits = tuple[Edit, ...]
ACTIVATIONS = get_args(ActivationName)
KERNELS = get_args(KernelName)
POOLS = nn.MaxPool1d | nn.MaxPool2d | nn.AvgPool1d | nn.AvgPool2d
WHOLE_POOLS = nn.AdaptiveAvgPool1d | nn.AdaptiveAvgPool2d | nn.AdaptiveMaxPool1d | nn.AdaptiveMaxPool2d
DROPOUTS = nn.Dropout | nn.Dropout1d | nn.Dropout2d | nn.AlphaDropout | extra.AlwaysDropout
_RATED = ("StochasticDepth", "DropPath")
_POOL_KINDS = ("AvgPool2dSame", "SamePool2d")


@dataclass(frozen=True)
class Target:
    """A place of the patient: a step, and what stood in brackets behind its setting (None: no brackets)."""

    patient: Patient
    layer: str
    index: str | None = None

    @cached_property
    def module(self) -> nn.Module | None:
        node = self.patient.node(self.layer)
        return self.patient.layer(self.layer) if node.op == "call_module" else None

    @property
    def kind(self) -> str:
        node = self.patient.node(self.layer)
        if self.module is not None:
            return type(self.module).__name__
        return "the input" if node.op == "placeholder" else str(getattr(node.target, "__name__", node.target))

    def number(self, what: str) -> int | None:
        """The one number in the brackets, None where there are none. Raises BadInput."""
        return None if self.index is None else whole_of(self.index, what)

    def filters(self) -> tuple[tuple[int, ...], tuple[int, ...]]:
        """Brackets -> output channels, inputs; () for all of them. Raises BadInput."""
        axes = () if self.index is None else axes_of(self.index)
        if len(axes) > 2:
            raise BadInput(f"[{self.index}] has {len(axes)} numbers; here it reads [output] or [output, input].")
        return (*axes, (), ())[:2]  # type: ignore[return-value]

    def plain(self) -> None:
        """Raises BadInput where brackets stand behind a setting that has none."""
        if self.index is not None:
            raise BadInput(f"this setting of {self.layer} is one for the whole layer; leave [{self.index}] out.")


def offered(patient: Patient, layer: str, *, own: bool = False) -> tuple[str, ...]:
    """Step's name -> its settings, for reading and for help. `own`: without those of the layer that follows."""
    target = Target(patient, layer)
    module = target.module
    found: list[str] = []
    if module is None or isinstance(module, nn.Identity):
        pools = called_as(patient.node(layer)) in ("mean", "amax")
        return ("kind",) if pools else ("activation",) if _activates(patient, layer) else ()
    weight = getattr(module, "weight", None)
    if isinstance(module, CONVOLUTIONS):
        found += ["kernel", "weight", "bias", "stride", "padding", "dilation", "groups", "size", "filters", "swap"]
    elif isinstance(module, nn.Linear):
        found += ["weight", "bias", "filters", "swap"]
    elif isinstance(module, NORMS):
        found += ["eps"] * hasattr(module, "eps") + ["weight", "bias"] * (weight is not None)
        found += ["running_mean", "running_var"] * (getattr(module, "running_mean", None) is not None)
    elif isinstance(module, POOLS) or target.kind in _POOL_KINDS:
        found += ["kind", "size", "stride", "padding"] + ["dilation"] * hasattr(module, "dilation")
    elif isinstance(module, WHOLE_POOLS):
        found += ["kind"]
    elif isinstance(module, DROPOUTS) or target.kind in _RATED:
        found += ["rate", "always"]
    elif weight is not None:
        found += ["weight"]
    if _activates(patient, layer) or (not own and _followed(patient, layer)):
        found.append("activation")
    return tuple(found)


def _activates(patient: Patient, layer: str) -> bool:
    """Whether the step is an activation that may be another (a last softmax makes the answers)."""
    node = patient.node(layer)
    if isinstance(Target(patient, layer).module, nn.Softmax | nn.LogSoftmax | nn.Identity):
        return False
    return node.op.startswith("call") and _activation(patient, layer) == layer


def _followed(patient: Patient, layer: str) -> bool:
    module = Target(patient, layer).module
    return isinstance(module, CONVOLUTIONS | nn.Linear | NORMS) and _activation(patient, layer) != ""


def _activation(patient: Patient, layer: str) -> str:
    try:
        return activation_of(patient, layer)
    except BadInput:
        return ""


# -- values of settings


def _kernel(target: Target, value: str) -> Edits:
    out, into = target.filters()
    called = call_of(value)
    if called and called[0] in _WORKS:
        return (_worked(target, value),)
    if value.startswith("["):
        rows, keep = _rows(value), True
        to: Any = rows
    else:
        to, keep = _named_kernel(value, called)
    return tuple(SetKernel(target.layer, o, to, i, keep) for o in out or (None,) for i in into or (None,))


def _named_kernel(value: str, called: tuple[str, str] | None) -> tuple[str, bool]:
    name, how = called or (value, "")
    if name not in KERNELS or how not in ("", "as_is"):
        raise BadInput(
            f"there is no kernel {value!r}; there are {', '.join(KERNELS)} (sobel_x(as_is): not scaled to the strength "
            f"of what it replaces), rows of numbers such as [[1,0,-1],[2,0,-2],[1,0,-1]], and {', '.join(_WORKS)}."
        )
    return name, not how


def _rows(value: str) -> tuple[tuple[float, ...], ...]:
    try:
        rows = json.loads(value)
        return tuple(tuple(float(v) for v in row) for row in rows)
    except (ValueError, TypeError, RecursionError):
        raise BadInput(f"a kernel's numbers read [[1,0,-1],[2,0,-2],[1,0,-1]], row by row. Got {value!r}.") from None


def _weight(target: Target, value: str, which: str = "weight") -> Edits:
    called = call_of(value)
    if which == "weight" and called and called[0] in _WORKS:
        return (_worked(target, value),)
    words = f" (or {', '.join(_WORKS)})" if which == "weight" else ""
    number = number_of(value, f"{target.layer}.{which}{words}")
    if target.index is None:
        raise BadInput(f"which number of {target.layer}.{which}? Write {target.layer}.{which}[3,0,1,1]={value} or so.")
    return (SetWeight(target.layer, _indices(target.index), number, which),)


def _worked(target: Target, value: str) -> Edit:
    """A change of chosen weights by a word: zero, times(2), rotate(90), ..."""
    name, inside = call_of(value) or ("", "")
    out, into = target.filters()
    return _WORKS[name](target.layer, inside, out, into)


def _indices(text: str) -> tuple[int, ...]:
    return tuple(whole_of(part.strip(), "an index") for part in text.split(","))


def _flip(layer: str, inside: str, out: tuple[int, ...], into: tuple[int, ...]) -> Edit:
    if inside not in ("left_right", "up_down"):
        raise BadInput(f"kernels flip left_right or up_down. Got {inside or 'nothing'!r}.")
    return FlipKernels(layer, inside, out, into)  # type: ignore[arg-type]


def _round(layer: str, inside: str, out: tuple[int, ...], into: tuple[int, ...]) -> Edit:
    if into:
        raise BadInput("weights are rounded by output channel; leave the input out.")
    return RoundWeights(layer, whole_of(inside, "bits"), out)


_WORKS: dict[str, Callable[[str, str, tuple[int, ...], tuple[int, ...]], Edit]] = {
    "zero": lambda layer, _, out, into: ZeroWeights(layer, out, into),
    "times": lambda layer, inside, out, into: ScaleWeights(layer, number_of(inside, "the factor"), out, into),
    "noise": lambda layer, inside, out, into: AddNoise(layer, *_amount_and_seed(inside), out, into),
    "random": lambda layer, inside, out, into: RandomiseWeights(layer, whole_of(inside or "0", "the seed"), out, into),
    "bits": _round,
    "rotate": lambda layer, inside, out, into: RotateKernels(layer, number_of(inside, "the angle"), out, into),
    "flip": _flip,
}


def _amount_and_seed(inside: str) -> tuple[float, int]:
    amount, _, seed = inside.partition(",")
    return number_of(amount, "the amount of noise"), whole_of(seed.strip() or "0", "the seed")


def _bias(target: Target, value: str) -> Edits:
    channels = () if target.index is None else channels_of(target.index)
    called = call_of(value)
    if called and called[0] == "times":
        return (ScaleBias(target.layer, number_of(called[1], "the factor"), channels),)
    return (SetBias(target.layer, number_of(value, f"{target.layer}.bias (or times(2))"), channels),)


def _swap(target: Target, value: str) -> Edits:
    target.plain()
    pair = channels_of(value)
    if len(pair) != 2:
        raise BadInput(f"two channels are swapped, such as swap=3,5. Got {value!r}.")
    return (SwapChannels(target.layer, *pair),)


def _activation_setting(target: Target, value: str) -> Edits:
    target.plain()
    called = call_of(value)
    return (_set_activation(target.layer, called),) if called else _no_activation(value)


def _set_activation(layer: str, called: tuple[str, str]) -> Edit:
    name, inside = called
    if name not in ACTIVATIONS:
        _no_activation(name)
    parameter = number_of(inside, f"{name}'s parameter") if inside else None
    return edit_of({"edit": "set_activation", "layer": layer, "to": name, "parameter": parameter})


def _no_activation(value: str) -> Edits:
    raise BadInput(f"there is no activation {value!r}; there are {', '.join(ACTIVATIONS)}, such as leaky_relu(0.2).")


def _dropout(target: Target, value: str, at_prediction: bool = False) -> Edits:
    target.plain()
    return (SetDropout(target.layer, number_of(value, "the rate"), at_prediction),)


def _epsilon(target: Target, value: str) -> Edits:
    target.plain()
    return (SetEpsilon(target.layer, number_of(value, "epsilon")),)


def _shaped(kind: str, field: str, read: Callable[[str, str], Any] = size_of) -> Callable[[Target, str], Edits]:
    """An edit of one layer with one value."""

    def make(target: Target, value: str) -> Edits:
        target.plain()
        return (edit_of({"edit": kind, "layer": target.layer, field: read(value, field.replace("_", " "))}),)

    return make


def _window(target: Target, value: str) -> Edits:
    """Of a convolution the kernel's size, of a pool its window's; the pool's stride stays."""
    if isinstance(target.module, CONVOLUTIONS):
        return _shaped("set_kernel_size", "size")(target, value)
    target.plain()
    settings = {"kernel_size": size_of(value, "the size")}
    return (edit_of({"edit": "replace", "layer": target.layer, "kind_of": target.kind, "settings": settings}),)


def _padding(text: str, what: str) -> Any:
    return text if text in ("same", "valid") else size_of(text, what)


SETTINGS: dict[str, Callable[[Target, str], Edits]] = {
    "kernel": _kernel,
    "weight": _weight,
    "bias": _bias,
    "running_mean": lambda target, value: _weight(target, value, "running_mean"),
    "running_var": lambda target, value: _weight(target, value, "running_var"),
    "swap": _swap,
    "stride": _shaped("set_stride", "stride"),
    "padding": _shaped("set_padding", "padding", _padding),
    "dilation": _shaped("set_dilation", "dilation"),
    "groups": _shaped("set_groups", "groups", whole_of),
    "size": _window,
    "filters": _shaped("set_filters", "filters", whole_of),
    "kind": _shaped("set_pooling", "to", lambda text, _: text),
    "eps": _epsilon,
    "rate": _dropout,
    "always": lambda target, value: _dropout(target, value, True),
    "activation": _activation_setting,
}
"""Name as typed -> what makes Edits of (target, value)."""


# -- LAYER=VALUE

_NORM_WORDS: dict[str, Callable[[str], Edit]] = {
    "removed": RemoveNorm,
    "folded": FoldNorm,
    "frozen": FreezeStatistics,
    "thawed": lambda layer: FreezeStatistics(layer, False),
    "reset": ResetStatistics,
}


def read_alone(target: Target, value: str) -> Edits:
    """LAYER=VALUE: what the layer becomes."""
    layer, called = target.layer, call_of(value)
    if isinstance(target.module, NORMS) and value in _NORM_WORDS:
        return (_NORM_WORDS[value](layer),)
    if value == "removed":
        return (edit_of({"edit": "remove", "layer": layer}),)
    if called and called[0] in ACTIVATIONS and _activation(target.patient, layer) == layer:
        return (_set_activation(layer, called),)
    if called and (called[0][:1].isupper() or "(" in value):
        kind, settings = layer_of(value)
        return (edit_of({"edit": "replace", "layer": layer, "kind_of": kind, "settings": settings}),)
    words = list(_NORM_WORDS) if isinstance(target.module, NORMS) else ["removed"]
    words += ["an activation"] if _activation(target.patient, layer) == layer else []
    offers = offered(target.patient, layer)
    settings_ = f", or set {', '.join(f'{layer}.{name}' for name in offers)}" if offers else ""
    raise BadInput(f"{layer} ({target.kind}) cannot be {value!r}; it can be {', '.join(words)}{settings_}.")


# -- input and classes


def read_input(setting: str, value: str) -> Edits:
    """input.SETTING=VALUE -> Edits. Raises BadInput."""
    if setting == "size":
        return (SetInputSize(size_of(value, "input.size")),)
    fields: dict[str, Callable[[str], Any]] = {
        "fit": str,
        "crop_fraction": lambda text: number_of(text, "input.crop_fraction"),
        "interpolation": str,
        "channels": str,
        "scale": lambda text: number_of(text, "input.scale"),
        "offset": lambda text: number_of(text, "input.offset"),
        "mean": lambda text: _numbers(text, "input.mean"),
        "std": lambda text: _numbers(text, "input.std"),
    }
    if setting not in fields:
        raise BadInput(f"the input has no setting {setting!r}; it has size, {', '.join(fields)}.")
    return (SetInput(**{setting: fields[setting](value)}),)


def _numbers(text: str, what: str) -> tuple[float, ...]:
    return tuple(number_of(part, what) for part in text.strip("()[]").split(","))


def read_classes(patient: Patient, value: str) -> Edits:
    """classes=NAMES -> Edits: as many as there are, other names; more or fewer, another number of outputs."""
    names: Sequence[str] = tuple(plain_of(part) if part[0] in "\"'" else part for part in split_outside(value, ","))
    if len(names) == len(patient.classes):
        return (SetClasses(tuple(names)),)
    return (edit_of({"edit": "set_class_count", "names": list(names)}),)
