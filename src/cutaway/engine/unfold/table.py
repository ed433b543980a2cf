"""Layer kind or function name -> how its numbers are unfolded; and `unfold` itself."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import fx

from cutaway.engine.trace import Trace
from cutaway.engine.unfold import combine, conv, dense, move, norm, pointwise, pool
from cutaway.engine.unfold.place import Place, has_batch, place_at
from cutaway.engine.unfold.terms import Arithmetic
from cutaway.errors import BadInput
from cutaway.graph import functions
from cutaway.graph.names import names_of, step_named

Way = Callable[[Place], Arithmetic]


def _same(names: str, way: Way) -> dict[str, Way]:
    return dict.fromkeys(names.split(), way)


LAYERS: dict[str, Way] = {
    **_same("Conv1d Conv2d Conv3d Conv2dSame StdConv2d StdConv2dSame ScaledStdConv2d ScaledStdConv2dSame", conv.conv),
    **_same("ConvTranspose1d ConvTranspose2d", conv.conv_transposed),
    **_same("MaxPool1d MaxPool2d AdaptiveMaxPool1d AdaptiveMaxPool2d", pool.max_pool),
    **_same("AvgPool1d AvgPool2d AvgPool2dSame SamePool2d AdaptiveAvgPool1d AdaptiveAvgPool2d", pool.mean_pool),
    **_same("BatchNorm1d BatchNorm2d FrozenBatchNorm1d FrozenBatchNorm2d", norm.batch_norm),
    "LayerNorm": norm.layer_norm,
    "GroupNorm": norm.group_norm,
    "InstanceNorm2d": norm.instance_norm,
    "LocalResponseNorm": norm.local_response,
    "RMSNorm": norm.rms_norm,
    **dict.fromkeys(pointwise.LAYERS, pointwise.activation),
    "PReLU": pointwise.prelu,
    "Rescale": pointwise.rescale,
    "ScaleChannels": pointwise.scale_channels,
    "AlwaysDropout": pointwise.always_dropout,
    "Linear": dense.linear,
    **_same("Softmax LogSoftmax", dense.softmax),
    **_same("Dropout Dropout1d Dropout2d AlphaDropout StochasticDepth DropPath Identity", move.copy),
    **_same("Flatten Unflatten ChannelsLastFlatten PixelShuffle ChannelShuffle Unfold", move.moved),
    **_same("ZeroPad2d ConstantPad2d ReflectionPad2d ReplicationPad2d SamePad2d", move.moved),
    "Upsample": move.stretched,
}

_MOVES = """
    getitem cat stack flatten reshape permute transpose unsqueeze squeeze pad unfold roll swapaxes view expand
    expand_as repeat unflatten movedim tile reshape_as view_as flip repeat_interleave
"""
CALLS: dict[str, Way] = {
    **dict.fromkeys(combine.PAIRS, combine.pair),
    "addcmul": combine.addcmul,
    **_same("mean sum amax max norm", combine.reduced),
    **dict.fromkeys(pointwise.FUNCTIONS, pointwise.plain),
    "softplus": pointwise.softplus,
    "clamp": pointwise.clamp,
    **_same("contiguous float to type_as", move.copy),
    **_same(_MOVES, move.moved),
    "interpolate": move.stretched,
    "linear": dense.linear,
    "matmul": dense.matmul,
    **_same("softmax torch_softmax", dense.softmax),
    "conv2d": conv.conv,
    "max_pool2d": pool.max_pool,
    "avg_pool2d": pool.mean_pool,
    "adaptive_avg_pool2d": pool.mean_pool,
    "adaptive_max_pool2d": pool.max_pool,
    "batch_norm": norm.batch_norm,
    "layer_norm": norm.layer_norm,
    "group_norm": norm.group_norm,
}


def unfold(graph: fx.GraphModule, trace: Trace, name: str, index: Sequence[int], picture: int = 0) -> Arithmetic:
    """Graph, its trace, step name, index without the batch axis -> the terms that add up to that number.

    `trace` must hold the step and what it reads (`needed_steps`; a trace of all steps always does). `index` is
    (channel, row, column), (channel, column), (token, feature) or (feature,), each from 0. The terms are float64
    products and sums of the float32 numbers the network used: `total` differs from the network's `value` by its
    rounding only. Raises BadInput for an unknown step and for an index outside, BadModel for a step that is not held.
    """
    place = cell_of(graph, trace, name, index, picture)
    return way_of(graph, place.node)(place)


def cell_of(graph: fx.GraphModule, trace: Trace, name: str, index: Sequence[int], picture: int = 0) -> Place:
    """Graph, its trace, step name, index without the batch axis -> its Place. Raises BadInput."""
    node = step_named(graph, name)
    value = trace[name]
    if not isinstance(value, torch.Tensor) or not value.ndim:
        raise BadInput(f"{name} holds one number and no cells; name a layer that gives a map or a row.")
    pictures = int(trace.output.shape[0]) if trace.output.ndim else 1
    batched = has_batch(node, tuple(value.shape), pictures)
    _must_be_inside(name, tuple(index), tuple(value.shape[1:] if batched else value.shape))
    at = (picture, *index) if batched else tuple(index)
    return place_at(graph, trace, node, name, at)


def needed_steps(graph: fx.GraphModule, name: str) -> tuple[str, ...]:
    """Graph, step name -> the names a trace must hold to unfold it: the step and what it reads."""
    node = step_named(graph, name)
    names = {n: k for k, n in names_of(graph).items()}
    found = {node: None}
    open_ends = [node]
    while open_ends:
        for before in open_ends.pop().all_input_nodes:
            if before not in found:
                found[before] = None
                if _gives_no_map(before):
                    open_ends.append(before)
    return tuple(names[n] for n in found if n in names)


def _gives_no_map(node: fx.Node) -> bool:
    """Steps that may give sizes or tuples, which a trace does not keep."""
    name = getattr(node.target, "__name__", str(node.target))
    return node.op in ("call_function", "call_method") and name in _MAY_BE_SIZES


_SIZES = """
    getattr size dim chunk split unbind var_mean getitem floordiv mod ceil add sub mul truediv neg
"""
_MAY_BE_SIZES = frozenset(_SIZES.split())


def way_of(graph: fx.GraphModule, node: fx.Node) -> Way:
    """Graph, node -> how its cells are unfolded; `dense.unreadable` where they are not."""
    if node.op == "placeholder":
        return _input
    if node.op == "get_attr":
        return _stored
    if node.op == "call_module":
        return LAYERS.get(type(graph.get_submodule(str(node.target))).__name__, dense.unreadable)
    name = str(node.target) if node.op == "call_method" else functions.name_of(node.target)  # type: ignore[arg-type]
    return CALLS.get(name or "", dense.unreadable)


def _input(place: Place) -> Arithmetic:
    return place.found(place.value, "the network's input, as prepared from the picture")


def _stored(place: Place) -> Arithmetic:
    return place.found(place.value, "a number stored in the model")


def _must_be_inside(name: str, index: tuple[int, ...], shape: tuple[int, ...]) -> None:
    if len(index) == len(shape) and all(0 <= i < n for i, n in zip(index, shape)):
        return
    told = " x ".join(map(str, shape))
    asked = ", ".join(map(str, index))
    last = ", ".join(str(n - 1) for n in shape)
    raise BadInput(
        f"{name} has cells [{', '.join('0' * len(shape))}] to [{last}] (its shape is {told}). Got [{asked}]."
    )
