"""Some filters of a layer, in the order asked for, with the numbers that describe them and the whole layer."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from cutaway.errors import BadInput
from cutaway.studio.schemas.unfold import Filter, KernelsHead, KernelsRequest

if TYPE_CHECKING:
    from cutaway.model import Model

BUDGET = 1 << 20
"""Weights of one page at most (4 MiB); a page holds at least one filter."""
WEAK = 0.01
"""A filter weaker than this share of the layer's strongest is told as nearly zero."""


def kernel_page(model: Model, asked: KernelsRequest) -> tuple[KernelsHead, NDArray[np.float32]]:
    """Model with its edits, request -> head and the page's weights (filters, I, kH, kW). Raises BadInput, BadModel."""
    from cutaway.draw.kernels import look_of, strengths
    from cutaway.engine.kernels import colour_order, kernels_of, layers_with_kernels
    from cutaway.graph.names import step_named

    layers = layers_with_kernels(model.graph)
    if asked.layer not in layers:
        step_named(model.graph, asked.layer)
        raise BadInput(f"The layer {asked.layer!r} has no kernels; layers that have are {', '.join(list(layers)[:5])}.")
    module = layers[asked.layer]
    weights = kernels_of(module, asked.layer)  # (O, I, kH, kW)
    outputs, inputs, *_ = weights.shape
    norms = strengths(weights)
    order = np.argsort(-norms, kind="stable") if asked.order == "norm" else np.arange(outputs)
    each = max(1, min(asked.count, BUDGET // weights[0].size))
    start = asked.start
    if asked.channel is not None:
        if asked.channel >= outputs:
            raise BadInput(f"{asked.layer} has filters 0 to {outputs - 1}. Got {asked.channel}.")
        start = int(np.flatnonzero(order == asked.channel)[0]) // each * each
    shown = [int(o) for o in order[start : start + each]]
    bias = getattr(module, "bias", None)
    biases = None if bias is None else bias.detach().float().numpy()
    groups = int(getattr(module, "groups", 1))
    order_of_colours = colour_order(model.graph, asked.layer, model.contract) if inputs == 3 else None
    look = look_of(weights, sees_colours=order_of_colours is not None)
    head = KernelsHead(
        layer=asked.layer, kind=type(module).__name__, shape=weights.shape, groups=groups, look=look,
        colours=order_of_colours if look == "colour" else None, start=start,
        filters=tuple(
            Filter(channel=o, low=float(weights[o].min()), high=float(weights[o].max()),
                   mean=float(weights[o].mean(dtype=np.float64)), norm=float(norms[o]),
                   zeros=float((weights[o] == 0).mean()), bias=None if biases is None else float(biases[o]))
            for o in shown
        ),
        first_input=tuple(o // (outputs // groups) * inputs if outputs % groups == 0 else 0 for o in shown),
        low=float(weights.min()), top=float(weights.max()), high=float(np.abs(weights).max()),
        mean=float(weights.mean(dtype=np.float64)), deviation=float(weights.std(dtype=np.float64)),
        zeros=float((weights == 0).mean()), weak=int((norms < WEAK * norms.max()).sum()), strongest=float(norms.max()),
    )  # fmt: skip
    return head, weights[shown]
