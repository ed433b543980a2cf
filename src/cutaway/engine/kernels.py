"""The kernels of a layer as an array, and whether they look at red, green and blue."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from torch import Tensor, fx, nn

from cutaway.errors import BadModel
from cutaway.graph.names import step_named, steps_of
from cutaway.image import InputContract

_WITH_KERNELS = nn.Conv1d | nn.Conv2d | nn.ConvTranspose2d | nn.ConvTranspose1d | nn.Linear


def layers_with_kernels(graph: fx.GraphModule) -> dict[str, nn.Module]:
    """Graph -> step name: module, for the layers whose weights are kernels or a matrix."""
    found: dict[str, nn.Module] = {}
    for name, node in steps_of(graph).items():
        if node.op == "call_module":
            module = graph.get_submodule(str(node.target))
            if isinstance(module, _WITH_KERNELS):
                found[name] = module
    return found


def kernels_of(module: nn.Module, name: str) -> NDArray[np.float32]:
    """Layer -> (O, I, kH, kW): one-dimensional kernels lie flat, a dense layer has kernels of one weight.

    Raises BadModel, naming the layer, where weights are not finite.
    """
    weight = module.weight
    assert isinstance(weight, Tensor)
    if getattr(module, "transposed", False):
        weight = weight.transpose(0, 1)  # (I, O / groups, ...) in torch
    values = weight.detach().float().cpu().numpy()
    bad = int((~np.isfinite(values)).sum())
    if bad:
        raise BadModel(f"The layer {name} holds {bad:,} weights that are not finite; its kernels cannot be drawn.")
    shape = {2: (*values.shape, 1, 1), 3: (*values.shape[:2], 1, values.shape[-1])}.get(values.ndim, values.shape)
    return np.ascontiguousarray(values.reshape(shape))


def colour_order(graph: fx.GraphModule, name: str, contract: InputContract) -> tuple[int, ...] | None:
    """Step -> the numbers of its input channels that are red, green, blue; None where it does not read the picture.

    Layers that only pad, or do nothing, may lie between.
    """
    node = step_named(graph, name)
    while node.all_input_nodes and node.all_input_nodes[0].op != "placeholder":
        node = node.all_input_nodes[0]
        shaped = node.op == "call_module" and type(graph.get_submodule(str(node.target))).__name__
        if not (shaped and ("Pad" in shaped or shaped in ("Identity", "Dropout"))):
            return None
    if contract.channels == "gray":
        return None
    return (2, 1, 0) if contract.channels == "BGR" else (0, 1, 2)


def in_rgb(
    weights: NDArray[np.float32], graph: fx.GraphModule, name: str, contract: InputContract
) -> NDArray[np.float32] | None:
    """Kernels -> the same with channels in the order red, green, blue; None where they do not look at the picture."""
    order = colour_order(graph, name, contract) if weights.shape[1] == 3 else None
    return None if order is None else weights[:, list(order)]
