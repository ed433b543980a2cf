"""Plans of channels (surgery.flow) -> the layers' weights cut and grown to them."""

from __future__ import annotations

import copy
import functools
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import fx, nn

from cutaway.graph import extra
from cutaway.surgery.dry import called
from cutaway.surgery.filters_of import seen, unseen
from cutaway.surgery.flow import MAKERS, NEW, PER_CHANNEL, Plan
from cutaway.surgery.groups import dense_filters, is_depthwise
from cutaway.surgery.patient import Patient
from cutaway.surgery.windows import rebuilt

SMALL = 0.1
"""Standard deviation of new filters' random weights, in standard deviations of the layer's own."""
_NEUTRAL = {"weight": 1.0, "running_var": 1.0, "gain": 1.0}
"""What a new channel gets in a normalisation: nothing is scaled, nothing shifted."""

Take = Sequence[int]


def follow(patient: Patient, plans: Mapping[fx.Node, Plan], start: fx.Node, seed: int) -> list[str]:
    """Adapts every layer, stored tensor and fixed size that a plan touches -> their names but the first one's."""
    adapted: list[str] = []
    for node in list(patient.graph.graph.nodes):
        into = plans.get(node.all_input_nodes[0]) if node.all_input_nodes else None
        out = plans.get(node)
        if node.op == "output" or (into is None and out is None):
            continue
        name = patient.name(node)
        if node.op == "call_module":
            done = _layer(patient, name, into, out, seed)
        elif node.op == "get_attr":
            done = out is not None and _stored(patient, node, out)
        else:
            done = _call(patient, node, out)
        if done and node is not start:
            adapted.append(name)
    return adapted


def picked(tensor: torch.Tensor, axis: int, take: Take, fresh: torch.Tensor | float) -> torch.Tensor:
    """Tensor -> the taken places along the axis, `fresh` (one number, or as many as are taken) where NEW."""
    index = torch.tensor(take, dtype=torch.int64)
    found = tensor.index_select(axis, index.clamp_min(0))
    if NEW not in take:
        return found
    shape = [1] * tensor.ndim
    shape[axis] = len(take)
    return torch.where((index == NEW).view(shape), torch.as_tensor(fresh).to(tensor), found)


def _layer(patient: Patient, name: str, into: Plan | None, out: Plan | None, seed: int) -> bool:
    layer: Any = patient.layer(name)
    if isinstance(layer, PER_CHANNEL | nn.LayerNorm | nn.RMSNorm):
        if out is not None:
            _per_channel(patient, name, layer, out.take)
        return out is not None
    if not isinstance(layer, MAKERS):
        return False
    _maker(patient, name, layer, into, out, seed)
    new_filters = out is not None and NEW in out.take
    if new_filters or (into is not None and NEW in into.take):
        patient.untrained[name] = "it has new filters" if new_filters else "it does not use its new inputs yet"
    return True


def _maker(patient: Patient, name: str, layer: Any, into: Plan | None, out: Plan | None, seed: int) -> None:
    """A convolution or dense layer: its filters by what it gives, their weights by what it gets."""
    filters, groups = seen(layer, layer.weight.detach()), getattr(layer, "groups", 1)
    given = filters.shape[1] * groups
    if is_depthwise(layer):
        assert into is not None
        groups = given = len(into.take)
    elif groups > 1 and (into is not None or not _evenly(out, groups, filters.shape[0])):
        filters, groups = dense_filters(layer), 1
        patient.notes.append(f"{name} worked in groups, which the other channels do not fall into; it has none now.")
    tensors: dict[str, torch.Tensor] = {}
    if out is not None:
        filters = picked(filters, 0, out.take, _random(filters, len(out.take), seed))
        for which, own in layer._parameters.items():
            if which != "weight" and own is not None:
                tensors[which] = picked(own.detach(), 0, out.take, _NEUTRAL.get(which, 0.0))
    if into is not None and not is_depthwise(layer):
        filters = picked(filters, 1, into.take, 0.0)
        given = len(into.take)
    settings = _sizes(layer, given, filters.shape[0], groups)
    stub = rebuilt(layer, **settings)
    tensors["weight"] = unseen(stub, filters).contiguous()
    patient.put(name, rebuilt(layer, "", tensors, **settings))


def _evenly(out: Plan | None, groups: int, made: int) -> bool:
    """Whether the filters still fall into groups of one size, each into the group it was in."""
    if out is None or len(out.take) % groups:
        return out is None
    share, before = len(out.take) // groups, made // groups
    return all(t == NEW or t // before == i // share for i, t in enumerate(out.take))


def _random(filters: torch.Tensor, count: int, seed: int) -> torch.Tensor:
    random = torch.Generator().manual_seed(seed)
    spread = SMALL * float(filters.double().std(correction=0))
    return torch.randn((count, *filters.shape[1:]), generator=random) * spread


def _sizes(layer: nn.Module, given: int, made: int, groups: int) -> dict[str, Any]:
    if isinstance(layer, nn.Linear):
        return {"in_features": given, "out_features": made}
    first = (
        "in_channel" if "StdConv" in type(layer).__name__ and "Scaled" not in type(layer).__name__ else "in_channels"
    )
    return {first: given, "out_channels": made, "groups": groups}


_COUNT = {"GroupNorm": "num_channels", "PReLU": "num_parameters"}


def _per_channel(patient: Patient, name: str, layer: Any, take: Take) -> None:
    """A layer that keeps numbers for each channel: those of the channels that stay, neutral ones for new ones."""
    if isinstance(layer, extra.ScaleChannels):
        factors = tuple(layer.factors[t] if t != NEW else 1.0 for t in take)
        patient.put(name, extra.ScaleChannels(factors, layer.dim))
        return
    if isinstance(layer, extra.Rescale):
        scale, offset = (_each(numbers, take, fresh) for numbers, fresh in ((layer.scale, 1.0), (layer.offset, 0.0)))
        patient.put(name, extra.Rescale(scale, offset))
        return
    if isinstance(layer, nn.PReLU) and layer.num_parameters == 1:
        return
    stores = {**layer._parameters, **layer._buffers}
    tensors = {
        which: picked(own.detach(), 0, take, _NEUTRAL.get(which, 0.0))
        for which, own in stores.items()
        if own is not None and own.ndim == 1
    }
    count: Any = len(take)
    if isinstance(layer, nn.LayerNorm | nn.RMSNorm):
        settings = {"normalized_shape": (count,)}
    else:
        settings = {_COUNT.get(type(layer).__name__, "num_features"): count}
    patient.put(name, rebuilt(layer, "", tensors, **settings))


def _each(numbers: tuple[float, ...], take: Take, fresh: float) -> tuple[float, ...]:
    return numbers if len(numbers) == 1 else tuple(numbers[t] if t != NEW else fresh for t in take)


def _stored(patient: Patient, node: fx.Node, plan: Plan) -> bool:
    """A tensor of the graph's own (a layer scale): cut along the axis, kept under another name."""
    *parents, last = str(node.target).split(".")
    holder: Any = functools.reduce(getattr, parents, patient.graph)
    tensor = getattr(holder, last)
    if plan.axis >= tensor.ndim or tensor.shape[plan.axis] == 1:
        return False
    fresh = picked(tensor.detach(), plan.axis, plan.take, 1.0)
    _store(patient, node, fresh, isinstance(tensor, nn.Parameter))
    return True


def _store(patient: Patient, node: fx.Node, tensor: torch.Tensor, learns: bool) -> None:
    """Puts a tensor at the node's place, in a holder of the patient's own: the original keeps its own."""
    *parents, last = str(node.target).split(".")
    holder: nn.Module = patient.graph
    for name in parents:
        child = holder._modules[name]
        own = copy.copy(child)
        assert own is not None
        for store in ("_parameters", "_buffers", "_modules"):
            own.__dict__[store] = dict(own.__dict__[store])
        holder._modules[name] = holder = own
    holder._parameters.pop(last, None)
    holder._buffers.pop(last, None)
    if learns:
        holder._parameters[last] = nn.Parameter(tensor)
    else:
        holder._buffers[last] = tensor
    patient.changed.add(patient.name(node))


def _call(patient: Patient, node: fx.Node, out: Plan | None) -> bool:
    """A function with sizes written into it (view(n, 1280), layer_norm(x, (96,), ...)) gets the new ones."""
    name = called(node)
    if out is None:
        return False
    if name in ("view", "reshape"):
        return _view(node, out)
    if name == "layer_norm":
        node.args = (node.args[0], (len(out.take),), *node.args[2:])
        for stored in node.all_input_nodes[1:]:
            if stored.op == "get_attr":
                _stored(patient, stored, Plan(0, out.take))
        return True
    return False


def _view(node: fx.Node, out: Plan) -> bool:
    """view(n, C, 1, 1): the number at the channels' place; -1 and sizes that are read at run time stay."""
    sizes: Any = node.args[1] if len(node.args) == 2 and isinstance(node.args[1], tuple | list) else node.args[1:]
    if out.axis >= len(sizes) or not isinstance(sizes[out.axis], int) or sizes[out.axis] == -1:
        return False
    fresh = (*sizes[: out.axis], len(out.take), *sizes[out.axis + 1 :])
    node.args = (node.args[0], fresh) if sizes is node.args[1] else (node.args[0], *fresh)
    return True
