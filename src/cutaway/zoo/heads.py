"""The last layer of a classifier: found, renewed for other classes, and weights fitted round it."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable

import torch
from torch import nn

from cutaway.errors import BadModel
from cutaway.graph.build import add_submodule
from cutaway.graph.kinds import build, settings_of
from cutaway.zoo.weights import State

Make = Callable[[int], nn.Module]
"""Number of classes -> the network with fresh weights."""


def head_name(network: nn.Module, classes: int) -> str:
    """Network -> the name of its last dense layer or convolution that gives one number per class."""
    found = ""
    for name, module in network.named_modules():
        if outputs(module) == classes:
            found = name
    if not found:
        raise BadModel(
            f"{type(network).__name__} has no last layer with {classes} outputs, so it cannot be fitted to classes."
        )
    return found


def outputs(module: nn.Module) -> int | None:
    if isinstance(module, nn.Linear):
        return module.out_features
    return module.out_channels if isinstance(module, nn.Conv2d) else None


def renew_head(network: nn.Module, before: int, classes: int) -> nn.Module:
    """Network for `before` classes -> the same with a fresh last layer for `classes`."""
    name = head_name(network, before)
    old = network.get_submodule(name)
    count = "out_channels" if isinstance(old, nn.Conv2d) else "out_features"
    kind = "Conv2d" if isinstance(old, nn.Conv2d) else "Linear"  # timm's subclass of Linear computes the same
    new = build(kind, {**settings_of(old), count: classes})
    add_submodule(network, name, new)
    return network


def with_weights(name: str, file: str, make: Make, state: State, classes: int) -> nn.Module:
    """Weights by layer name, how to make the network -> the network for `classes` with these weights.

    Where the file was trained for another number of classes, its last layer is left out and a fresh one put there.
    Raises BadModel that names the first layer that does not fit and both shapes.
    """
    network = make(classes)
    head = head_name(network, classes)
    weight = state.get(f"{head}.weight")
    trained_for = classes if weight is None or weight.ndim < 2 else int(weight.shape[0])
    if trained_for != classes:
        network = make(trained_for)
    wanted = network.state_dict()
    _must_fit(name, file, wanted, state)
    filled = OrderedDict((key, state.get(key, wanted[key])) for key in wanted)
    filled._metadata = getattr(state, "_metadata", wanted._metadata)  # type: ignore[attr-defined]  # layers' versions
    network.load_state_dict(filled)
    return network if trained_for == classes else renew_head(network, trained_for, classes)


def _must_fit(name: str, file: str, wanted: State, state: State) -> None:
    for key, tensor in wanted.items():
        if _counter(key):
            continue
        if key not in state:
            raise BadModel(
                f"{file} holds no weights for {key} of {name} {tuple(tensor.shape)}; it was made by another network."
            )
        if state[key].shape != tensor.shape:
            raise BadModel(f"{file} has {key} as {tuple(state[key].shape)}; {name} needs {tuple(tensor.shape)}.")
    for key in state:
        if key not in wanted:
            raise BadModel(f"{file} holds {key} {tuple(state[key].shape)}, which {name} does not have.")


def _counter(key: str) -> bool:
    return key.endswith("num_batches_tracked")  # old files lack it, and it changes no result


def for_channels(network: nn.Module, in_channels: int) -> nn.Module:
    """Network for RGB -> the same for gray: the first convolution's weights summed, gray gives what R = G = B gave."""
    for name, module in network.named_modules():
        if isinstance(module, nn.Conv2d) and module.in_channels == 3 and module.groups == 1:
            settings = {**settings_of(module), "in_channels": in_channels}
            new = build("Conv2d", settings)
            with torch.no_grad():
                summed = module.weight.sum(1, keepdim=True) / in_channels
                new.load_state_dict({**module.state_dict(), "weight": summed.expand(-1, in_channels, -1, -1)})
            add_submodule(network, name, new)
            return network
    raise BadModel(f"{type(network).__name__} has no first convolution on three channels, so it takes colour only.")
