"""Layers that slide a window over maps: built again with other settings, and the padding layer that belongs to one.

Keras and TFLite files keep a window's padding in a layer of its own before it ("Conv1_pad"); an edit of the window
takes that one along.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import fx, nn

from cutaway.errors import BadInput
from cutaway.graph import extra
from cutaway.graph.kinds import build, kind_of, settings_of
from cutaway.surgery.dry import Shape, dry_run_of, shape_text
from cutaway.surgery.filters_of import CONVOLUTIONS
from cutaway.surgery.patient import Patient

POOLS = nn.MaxPool1d | nn.MaxPool2d | nn.AvgPool1d | nn.AvgPool2d | extra.SamePool2d
MOST = 1024
"""Cells that a stride, a window, a padding or a dilation may span."""


def rebuilt(layer: nn.Module, kind: str = "", tensors: Mapping[str, torch.Tensor] | None = None, **changes: Any) -> Any:
    """Layer, settings that change -> a new one of its kind (or of `kind`) with its very tensors, or `tensors`."""
    with torch.device("meta"):  # no weights are made only to be replaced
        fresh = build(kind or type(layer).__name__, {**settings_of(layer), **changes})
    fresh._parameters.update(layer._parameters)
    fresh._buffers.update(layer._buffers)
    for name, tensor in (tensors or {}).items():
        old = layer._parameters.get(name)
        if name in fresh._parameters:
            fresh._parameters[name] = nn.Parameter(tensor.detach(), requires_grad=old is None or old.requires_grad)
        else:
            fresh._buffers[name] = tensor.detach()
    return fresh


def window_layer(patient: Patient, name: str, what: str) -> Any:
    """Name -> the convolution or pool. Raises BadInput where it has none of `what` (a stride, a padding, ...)."""
    layer: Any = patient.layer(name)
    ours = isinstance(layer, CONVOLUTIONS | POOLS) or type(layer).__name__ == "AvgPool2dSame"
    if not ours or kind_of(layer) is None:
        raise BadInput(f"{name} is a {type(layer).__name__}, which has no {what}. {windowed(patient)}")
    return layer


def windowed(patient: Patient) -> str:
    """ "Convolutions and pools are conv1, pool1, ..."."""

    def fits(layer: nn.Module) -> bool:
        return isinstance(layer, CONVOLUTIONS | POOLS)

    names = layers_that(patient, fits)
    more = f" and {len(names) - 5} more" if len(names) > 5 else ""
    return f"Convolutions and pools are {', '.join(names[:5])}{more}." if names else "The network has none."


def layers_that(patient: Patient, fits: Callable[[nn.Module], bool]) -> list[str]:
    paths = dict.fromkeys(str(n.target) for n in patient.graph.graph.nodes if n.op == "call_module")
    return [path for path in paths if fits(patient.graph.get_submodule(path))]


def axes_of(layer: nn.Module) -> int:
    """Along how many axes the window slides: 1, 2 or 3."""
    return 1 if "1d" in type(layer).__name__ else 3 if isinstance(layer, nn.Conv3d) else 2


def pair(layer: nn.Module, value: Any) -> tuple[int, int]:
    """As `per_axis`, of a layer that slides down and across."""
    down, across = per_axis(layer, value)
    return down, across


def per_axis(layer: nn.Module, value: Any) -> tuple[int, ...]:
    """A setting as the layer keeps it, one number or one an axis -> one an axis."""
    if isinstance(value, int):
        return (value,) * axes_of(layer)
    return tuple(int(v) for v in value)


def asked(layer: nn.Module, name: str, what: str, value: int | tuple[int, ...], least: int = 1) -> tuple[int, ...]:
    """What a person asked for -> one whole number an axis. Raises BadInput for other lengths and for odd values."""
    axes = axes_of(layer)
    numbers = (value,) * axes if isinstance(value, int) else value
    if len(numbers) != axes:
        raise BadInput(f"{name} slides along {axes} axes; give one {what} or {axes} of them. Got {list(numbers)}.")
    if not all(least <= n <= MOST for n in numbers):
        raise BadInput(f"a {what} is {least} to {MOST}. Got {shape_text(numbers)}.")
    return numbers


def map_before(patient: Patient, name: str) -> Shape:
    """Name of a layer -> height and width (or length) of the maps it gets, () where they cannot be told."""
    node = patient.node(name)
    given = dry_run_of(patient).shapes.get(patient.name(node.all_input_nodes[0]), ())
    return given[2:]


def pad_before(patient: Patient, name: str) -> str:
    """Name of a layer -> name of the zero padding that only it reads, "" where there is none."""
    before: fx.Node = patient.node(name).all_input_nodes[0]
    if before.op != "call_module" or len(before.users) != 1:
        return ""
    layer = patient.graph.get_submodule(str(before.target))
    return patient.name(before) if isinstance(layer, nn.ZeroPad2d | extra.SamePad2d) else ""


def same_pad(patient: Patient, name: str) -> str:
    """As `pad_before`, only for padding that follows from the size of the map ('same')."""
    pad = pad_before(patient, name)
    return pad if pad and isinstance(patient.layer(pad), extra.SamePad2d) else ""


def pads_itself(layer: nn.Module) -> bool:
    """Whether the layer pads by the size of what it gets (timm's Conv2dSame and kin)."""
    kind = type(layer).__name__
    return kind in ("Conv2dSame", "AvgPool2dSame", "SamePool2d") or bool(getattr(layer, "same_pad", False))
