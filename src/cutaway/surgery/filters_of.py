"""A layer's stored numbers, its kernels always seen as (out, in / groups, ...), whatever the layer's kind or source."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import nn

from cutaway.errors import BadInput
from cutaway.surgery.patient import Patient

CONVOLUTIONS = nn.Conv1d | nn.Conv2d | nn.Conv3d | nn.ConvTranspose1d | nn.ConvTranspose2d
TRANSPOSED = nn.ConvTranspose1d | nn.ConvTranspose2d
Work = Callable[[torch.Tensor], torch.Tensor]


def stored(patient: Patient, name: str, which: str = "weight") -> torch.Tensor:
    """Layer's name, array's name -> its numbers as the layer keeps them. Raises BadInput where it has no such array."""
    layer = patient.layer(name)
    held = {**layer._parameters, **layer._buffers}
    arrays = {key: value for key, value in held.items() if value is not None and value.is_floating_point()}
    if which not in arrays:
        kept = f"it keeps {', '.join(arrays)}" if arrays else _weighted(patient)
        raise BadInput(f"{name} is a {type(layer).__name__}, which keeps no {which}; {kept}.")
    return arrays[which].detach()


def seen(layer: nn.Module, weight: torch.Tensor) -> torch.Tensor:
    """Layer, its weight as stored -> (out, in / groups, ...): transposed convolutions keep (in, out / groups, ...)."""
    if not isinstance(layer, TRANSPOSED):
        return weight
    inner, outer, *size = weight.shape
    split = weight.reshape(layer.groups, inner // layer.groups, outer, *size)
    return split.transpose(1, 2).reshape(layer.groups * outer, inner // layer.groups, *size)


def unseen(layer: nn.Module, filters: torch.Tensor) -> torch.Tensor:
    """What `seen` gave -> as the layer stores it."""
    if not isinstance(layer, TRANSPOSED):
        return filters
    outer, inner, *size = filters.shape
    split = filters.reshape(layer.groups, outer // layer.groups, inner, *size)
    return split.transpose(1, 2).reshape(layer.groups * inner, outer // layer.groups, *size)


def change(patient: Patient, name: str, channels: Sequence[int], inputs: Sequence[int], work: Work) -> None:
    """Puts work(numbers) in place of the chosen weights, (chosen out, chosen in, ...); () chooses all.

    Raises BadInput for a layer without weights, a channel or an input that it has not.
    """
    layer, weight = patient.layer(name), stored(patient, name)
    filters = seen(layer, weight).clone()
    out = chosen(name, "output channels", channels, filters.shape[0])
    if filters.ndim == 1:
        if inputs:
            raise BadInput(f"{name} keeps one number per channel; it has no inputs to choose from: leave them out.")
        filters[out] = work(filters[out]).to(weight)
    elif not channels and not inputs:
        filters = work(filters).to(weight)  # all of them: no picking out and putting back
    else:
        into = chosen(name, "inputs per filter", inputs, filters.shape[1])
        rows, columns = torch.tensor(out)[:, None], torch.tensor(into)
        filters[rows, columns] = work(filters[rows, columns]).to(weight)
    patient.set_weight(name, unseen(layer, filters))
    if "StdConv" in type(layer).__name__:
        patient.notes.append(
            f"{name} is a {type(layer).__name__}: it standardises every filter as it runs, so a filter's mean and "
            "scale have no effect, its pattern has."
        )


def must_fit(name: str, value: float, array: torch.Tensor) -> float:
    """Value -> the same. Raises BadInput where the layer's kind of numbers cannot hold it."""
    most = torch.finfo(array.dtype).max
    if abs(value) > most:
        kind = str(array.dtype).removeprefix("torch.")
        raise BadInput(f"{name} keeps {kind} numbers, at most {most:.4g}. Got {value:g}.")
    return value


def chosen(name: str, what: str, given: Sequence[int], count: int) -> list[int]:
    """Indices asked for, () for all -> the indices. Raises BadInput for one outside."""
    for index in given:
        if not 0 <= index < count:
            raise BadInput(f"{name} has {count} {what}, 0 to {count - 1}. Got {index}.")
    return list(given) or list(range(count))


def must_convolve(patient: Patient, name: str) -> nn.Module:
    """Layer's name -> the layer. Raises BadInput where it has no kernels of one or two axes."""
    layer = patient.layer(name)
    if not isinstance(layer, CONVOLUTIONS) or isinstance(layer, nn.Conv3d):
        raise BadInput(
            f"{name} is a {type(layer).__name__}; only convolutions over rows and columns have kernels. "
            f"{_convs(patient)}"
        )
    return layer


def which_words(channels: Sequence[int], inputs: Sequence[int] = ()) -> str:
    """Chosen channels and inputs -> "[3,5]", "[3, input 0]", "" for all."""
    out = ",".join(map(str, channels))
    into = f"input {','.join(map(str, inputs))}" if inputs else ""
    both = ", ".join(filter(None, [out, into]))
    return f"[{both}]" if both else ""


def _weighted(patient: Patient) -> str:
    return _some(patient, lambda layer: layer._parameters.get("weight") is not None, "layers with weights")


def _convs(patient: Patient) -> str:
    found = _some(patient, lambda layer: isinstance(layer, CONVOLUTIONS), "convolutions")
    return f"{found[0].upper()}{found[1:]}."


def _some(patient: Patient, fits: Callable[[nn.Module], bool], what: str) -> str:
    paths = (str(n.target) for n in patient.graph.graph.nodes if n.op == "call_module")
    names = [path for path in dict.fromkeys(paths) if fits(patient.graph.get_submodule(path))]
    more = f" and {len(names) - 5} more" if len(names) > 5 else ""
    return f"{what} are {', '.join(names[:5])}{more}" if names else f"the network has no {what}"
