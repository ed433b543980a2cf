"""Controls of a layer's own numbers: kernels, weights, bias, what a normalisation stores."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, get_args

import torch
from torch import nn

from cutaway.errors import CutawayError
from cutaway.surgery.controls.control import Choice, Control, Field, Place, checkbox, help_of, menu, rounded, slider
from cutaway.surgery.controls.control import number as number_field
from cutaway.surgery.filters_of import CONVOLUTIONS, seen, stored
from cutaway.surgery.kernels import KernelName, named_kernel
from cutaway.surgery.norms import NORMS

GROUP = "Weights"
MOST_SEED = 9999
_ARRAYS = {"weight": "Gain", "bias": "Shift", "running_mean": "Stored mean", "running_var": "Stored variance"}


def weights(place: Place) -> Iterator[Control]:
    """Of every layer that keeps a weight."""
    module = place.module
    weight = None if module is None else module._parameters.get("weight")
    if module is None or weight is None:
        return
    filters = seen(module, weight.detach())
    if isinstance(module, CONVOLUTIONS) and filters.ndim in (3, 4):
        yield from _kernels(place, filters)
    if isinstance(module, NORMS) or filters.ndim == 1:
        yield from _arrays(place, module)
    elif filters.ndim == 2:
        yield _one_number(place, filters)
    yield from _changed(place, filters)
    if isinstance(module, CONVOLUTIONS) and filters.ndim == 4:
        yield _one_of_many(place, filters)
    if filters.ndim > 1:
        yield from _bias(place, module, filters)
        if filters.shape[0] > 1:
            yield _swap(place, filters.shape[0])


def _chosen(place: Place) -> dict[str, Any]:
    return {"layer": place.layer, "channels": list(place.channels), "inputs": list(place.inputs)}


def _words(place: Place, filters: torch.Tensor) -> str:
    """What the controls of the group act on."""
    if not place.channels:
        return "all filters" if filters.ndim > 2 else "all weights"
    one = "filter" if filters.ndim > 2 else "unit" if filters.ndim == 2 else "channel"
    return f"{one}{'s' * (len(place.channels) > 1)} {', '.join(map(str, place.channels[:6]))}"


def _kernels(place: Place, filters: torch.Tensor) -> Iterator[Control]:
    *_, height, width = (1, *filters.shape[2:])
    channel, into = (place.channels or (0,))[0], (place.inputs or (0,))[0]
    kernel = filters[channel, into].reshape(height, width).double()
    reach = 2 * float(filters.abs().max()) or 1.0
    rows = [[rounded(v) for v in row] for row in kernel.tolist()]
    grid = Field(
        (("to",),), f"Filter {channel}, input {into}", "grid", rows, "Type a number, or drag a cell up and down.",
        low=-rounded(reach), high=rounded(reach), step=float(f"{reach / 200:.1g}"),
    )  # fmt: skip
    yield place.control(
        {"edit": "set_kernel", "layer": place.layer, "channel": channel, "input": into, "to": grid.value},
        "Kernel", GROUP, [grid], free=("keep_energy",), common=True, id_="kernel", fresh=True,
        meaning="The numbers of one kernel: what it is multiplied with, cell by cell.",
    )  # fmt: skip
    names = [name for name in get_args(KernelName) if _has_room(name, height, width)]
    one = place.channels[0] if place.channels else None
    document = {
        "edit": "set_kernel", "layer": place.layer, "channel": one, "to": names[0],
        "input": place.inputs[0] if place.inputs else None,
    }  # fmt: skip
    yield place.control(
        document, "Named kernel", GROUP,
        [menu("to", "Kernel", names[0], names),
         checkbox("keep_energy", "As strong as the learned one", True, help=help_of("set_kernel", "keep_energy"))],
        common=True, action=f"Put into {_words(place, filters)}", id_="named_kernel",
    )  # fmt: skip
    if filters.ndim == 4 and height * width > 1:
        turn = slider("degrees", "Angle", 0, -180, 180, 5, rest=0, unit="°", help=help_of("rotate_kernels", "degrees"))
        yield place.control({"edit": "rotate_kernels", **_chosen(place), "degrees": 0}, "Rotate", GROUP, [turn])
    if height * width > 1:
        axes = [("left_right", width), ("up_down", height)]
        choices = [Choice(name, name.replace("_", "–")) for name, side in axes if side > 1]
        yield place.control(
            {"edit": "flip_kernels", **_chosen(place), "axis": choices[0].value}, "Mirror", GROUP,
            [menu("axis", "Direction", choices[0].value, choices)], action=f"Mirror {_words(place, filters)}",
        )  # fmt: skip


def _has_room(name: KernelName, height: int, width: int) -> bool:
    try:
        named_kernel(name, height, width)
    except CutawayError:
        return False
    return True


def _changed(place: Place, filters: torch.Tensor) -> Iterator[Control]:
    """Scale, noise, rounding, zero, random: of the chosen filters and inputs."""
    which = _words(place, filters)
    chosen = _chosen(place)
    if filters.ndim == 1:
        chosen["inputs"] = []
    factor = slider("factor", f"Times, {which}", 1, -2, 4, 0.05, rest=1)
    yield place.control({"edit": "scale_weights", **chosen, "factor": 1}, "Scale", GROUP, [factor], common=True)
    if filters.numel() > 1:
        amount = slider(
            "amount", f"Strength, {which}", 0, 0, 3, 0.05, rest=0, unit="σ", help=help_of("add_noise", "amount")
        )
        yield place.control(
            {"edit": "add_noise", **chosen, "amount": 0}, "Noise", GROUP, [amount, _seed("add_noise")]
        )  # fmt: skip
    bits = slider("bits", f"Bits, {which}", 16, 2, 16, 1, help=help_of("round_weights", "bits"))
    round_ = {k: v for k, v in chosen.items() if k != "inputs"}
    yield place.control({"edit": "round_weights", **round_, "bits": 16}, "Round", GROUP, [bits])
    yield place.control({"edit": "zero_weights", **chosen}, "Zero", GROUP, action=f"Set {which} to zero")
    yield place.control(
        {"edit": "randomise_weights", **chosen}, "Randomise", GROUP, [_seed("randomise_weights")],
        action=f"Draw {which} at random",
    )  # fmt: skip


def _seed(kind: str) -> Field:
    return number_field("seed", "Seed", 0, 0, MOST_SEED, help=help_of(kind, "seed"))


def _one_number(place: Place, filters: torch.Tensor) -> Control:
    """A dense layer's weight from one input to one unit."""
    unit, into = (place.channels or (0,))[0], (place.inputs or (0,))[0]
    value, reach = rounded(float(filters[unit, into])), 2 * float(filters.abs().max()) or 1.0
    field = slider("value", f"Unit {unit}, input {into}", value, -reach, reach, float(f"{reach / 200:.1g}"))
    document = {"edit": "set_weight", "layer": place.layer, "index": [unit, into], "value": value}
    return place.control(document, "One weight", GROUP, [field])


def _one_of_many(place: Place, filters: torch.Tensor) -> Control:
    at = [(place.channels or (0,))[0], (place.inputs or (0,))[0], 0, 0]
    labels = ("Filter", "Input", "Row", "Column")
    fields = [
        number_field([("index", i)], label, at[i], 0, filters.shape[i] - 1) for i, label in enumerate(labels)
    ]  # fmt: skip
    reach = 4 * float(filters.abs().max()) or 1.0
    value = number_field("value", "Value", rounded(float(filters[tuple(at)])), -reach, reach, step=0.01)
    document = {"edit": "set_weight", "layer": place.layer, "index": at, "value": value.value}
    return place.control(document, "One weight", GROUP, [*fields, value], action="Set")


def _arrays(place: Place, module: nn.Module) -> Iterator[Control]:
    """Numbers that are kept for each channel: a norm's gain, shift and statistics."""
    channel = (place.channels or (0,))[0]
    for which, title in _ARRAYS.items():
        held = {**module._parameters, **module._buffers}.get(which)
        if held is None or held.ndim != 1:
            continue
        value = rounded(float(stored(place.patient, place.layer, which)[channel]))
        reach = 2 * float(held.detach().abs().max()) or 1.0
        low = 0.0 if which == "running_var" else -reach
        field = slider("value", f"Channel {channel}", value, low, reach, float(f"{reach / 200:.1g}"))
        document = {"edit": "set_weight", "layer": place.layer, "index": [channel], "value": value, "which": which}
        yield place.control(
            document, title, GROUP, [field], id_=f"set_weight:{which}", common=which in ("weight", "bias")
        )


def _bias(place: Place, module: nn.Module, filters: torch.Tensor) -> Iterator[Control]:
    if "bias" not in module._parameters:
        return
    bias = module._parameters["bias"]
    chosen = list(place.channels)
    numbers = torch.zeros(1) if bias is None else bias.detach()[chosen or slice(None)]
    reach = 2 * float(filters.abs().max()) or 1.0
    if bias is not None:
        reach = max(reach, 2 * float(bias.detach().abs().max()))
    value = rounded(float(numbers.mean()))
    which = _words(place, filters).replace("weights", "units")
    mean = " (their mean now)" if numbers.numel() > 1 else ""
    field = slider("value", f"{which[:1].upper()}{which[1:]}{mean}", value, -reach, reach, float(f"{reach / 200:.1g}"))
    document = {"edit": "set_bias", "layer": place.layer, "channels": chosen, "value": value}
    yield place.control(document, "Bias", GROUP, [field], common=True)
    if bias is not None:
        factor = slider("factor", f"Bias times, {which}", 1, -2, 4, 0.05, rest=1)
        document = {"edit": "scale_bias", "layer": place.layer, "channels": chosen, "factor": 1}
        yield place.control(document, "Scale the bias", GROUP, [factor])


def _swap(place: Place, count: int) -> Control:
    first = (place.channels or (0,))[0]
    second = place.channels[1] if len(place.channels) > 1 else (first + 1) % count
    fields = [
        number_field("first", "One", first, 0, count - 1),
        number_field("second", "The other", second, 0, count - 1),
    ]
    document = {"edit": "swap_channels", "layer": place.layer, "first": first, "second": second}
    return place.control(document, "Swap", GROUP, fields, action="Swap")
