"""A kind and settings as a person gives them -> a layer that fits a place: what is left out follows from its maps."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, get_args

import torch
from torch import nn

from cutaway.errors import BadInput, CutawayError
from cutaway.graph.kinds import build, kind_class
from cutaway.surgery.activations import ActivationName, activation
from cutaway.surgery.dry import Shape, shape_text
from cutaway.surgery.patient import Patient

MOST_NUMBERS = 200_000_000
WORDS = {
    "conv": {4: "Conv2d", 3: "Conv1d"},
    "norm": {4: "BatchNorm2d", 3: "BatchNorm1d", 2: "BatchNorm1d"},
    "batch_norm": {4: "BatchNorm2d", 3: "BatchNorm1d", 2: "BatchNorm1d"},
    "max_pool": {4: "MaxPool2d", 3: "MaxPool1d"},
    "avg_pool": {4: "AvgPool2d", 3: "AvgPool1d"},
    "global_pool": {4: "AdaptiveAvgPool2d", 3: "AdaptiveAvgPool1d"},
    "dense": {2: "Linear", 3: "Linear"},
    "dropout": {2: "Dropout", 3: "Dropout", 4: "Dropout"},
    "flatten": {3: "Flatten", 4: "Flatten"},
}
"""Words for layers -> for values of so many axes (the batch's counted) the kind on the list (graph.kinds)."""


def made(kind_of: str, settings: Mapping[str, Any], gets: Shape, seed: int) -> nn.Module:
    """Kind ("conv", "relu", "Conv2d", ...), settings, shape of what it gets (with batch axis) -> the layer, its weights
    as drawn at random with `seed`.

    Raises BadInput for a kind or a setting that is not on the list, or too many weights.
    """
    if kind_of in get_args(ActivationName):
        return activation(kind_of, _parameter(kind_of, settings))  # type: ignore[arg-type]
    kind = listed(kind_of, gets)
    given = {**_usual(kind, gets, settings), **settings}
    try:
        with torch.device("meta"):
            size = sum(p.numel() for p in build(kind, given).parameters())
        if size > MOST_NUMBERS:
            raise BadInput(f"a {kind} with {given} would have {size:,} weights; at most {MOST_NUMBERS:,} are accepted.")
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            return build(kind, given).eval()
    except CutawayError as error:
        raise BadInput(str(error)) from None


def _parameter(name: str, settings: Mapping[str, Any]) -> float | None:
    if set(settings) - {"parameter"}:
        raise BadInput(f"{name} has no setting {sorted(settings)[0]!r}; give its parameter, if it has one.")
    value = settings.get("parameter")
    if value is not None and (isinstance(value, bool) or not isinstance(value, int | float)):
        raise BadInput(f"{name}'s parameter must be a number. Got {value!r}.")
    return None if value is None else float(value)


def listed(kind_of: str, gets: Shape) -> str:
    """Word or kind, shape of what it gets -> the kind on the list, "" for an activation's word. Raises BadInput."""
    if kind_of in get_args(ActivationName):
        return ""
    if kind_of in WORDS:
        kinds = WORDS[kind_of]
        if len(gets) not in kinds:
            raise BadInput(f"a {kind_of} cannot work on values of {shape_text(gets[1:])}.")
        return kinds[len(gets)]
    try:
        kind_class(kind_of)
    except CutawayError:
        words = ", ".join([*WORDS, "relu", "sigmoid"])
        raise BadInput(
            f"there is no layer of kind {kind_of!r}; there are {words}, ..., Conv2d, MaxPool2d, ..."
        ) from None
    return kind_of


def _usual(kind: str, gets: Shape, settings: Mapping[str, Any]) -> dict[str, Any]:
    """Settings that a kind needs and a place tells: channels as they come, maps of the same size."""
    channels = gets[1] if len(gets) > 1 else 1
    if kind in ("Conv1d", "Conv2d", "Conv3d"):
        kernel, dilation = settings.get("kernel_size", 3), settings.get("dilation", 1)
        keeps = _keeps(kernel, dilation)
        return {"in_channels": channels, "out_channels": channels, "kernel_size": 3, "padding": keeps}
    if kind.startswith("ConvTranspose"):
        return {"in_channels": channels, "out_channels": channels, "kernel_size": 2, "stride": 2}
    if kind in ("Linear",):
        return {"in_features": gets[-1], "out_features": gets[-1]}
    if "BatchNorm" in kind or kind == "InstanceNorm2d":
        return {"num_features": channels}
    if kind in ("LayerNorm", "RMSNorm"):
        return {"normalized_shape": tuple(gets[1:]) if len(gets) == 4 else (gets[-1],)}
    if kind == "GroupNorm":
        return {"num_groups": 1, "num_channels": channels}
    if kind in ("MaxPool1d", "MaxPool2d", "AvgPool1d", "AvgPool2d"):
        return {"kernel_size": 2}
    if kind.startswith("Adaptive"):
        return {"output_size": 1}
    return {}


def _keeps(kernel: Any, dilation: Any) -> Any:
    """Padding that keeps the size of a map under an odd window."""
    if isinstance(kernel, int) and isinstance(dilation, int):
        return dilation * (kernel - 1) // 2
    sizes = kernel if isinstance(kernel, tuple | list) else (kernel,) * 2
    gaps = dilation if isinstance(dilation, tuple | list) else (dilation,) * len(sizes)
    whole = all(isinstance(n, int) for n in (*sizes, *gaps)) and len(gaps) == len(sizes)
    return tuple(d * (k - 1) // 2 for k, d in zip(sizes, gaps)) if whole else 0


def as_identity(layer: nn.Module) -> bool:
    """Layer -> whether it passes on what it gets; one with as many channels out as in is made to."""
    if next(layer.parameters(), None) is None or isinstance(layer, nn.BatchNorm1d | nn.BatchNorm2d | nn.PReLU):
        return True  # a fresh normalisation has mean 0 and variance 1
    with torch.no_grad():
        if isinstance(layer, nn.Linear) and layer.in_features == layer.out_features:
            nn.init.eye_(layer.weight)
        elif isinstance(layer, nn.Conv1d | nn.Conv2d | nn.Conv3d) and layer.in_channels == layer.out_channels:
            nn.init.dirac_(layer.weight, layer.groups)
        else:
            return False
        if layer.bias is not None:
            layer.bias.zero_()
    return True


def gets(patient: Patient, name: str, shapes: Mapping[str, Shape]) -> Shape:
    """Step, shapes of a dry run -> the shape of its first input. Raises BadInput where it has none, or where the
    network breaks before it."""
    inputs = patient.node(name).all_input_nodes
    if not inputs:
        raise BadInput(f"{name} is stored numbers: nothing runs into it.")
    before = patient.name(inputs[0])
    if before not in shapes:
        raise BadInput(f"the network does not get as far as {name}; mend what comes before it first.")
    return shapes[before]


def gives(name: str, shapes: Mapping[str, Shape]) -> Shape:
    """Step, shapes of a dry run -> its own shape. Raises BadInput where it has none or the network breaks before it."""
    if name not in shapes:
        raise BadInput(f"{name} gives no maps or numbers, or the network does not get that far.")
    return shapes[name]
