"""Rules: which cells of its inputs one step of a network needs to compute some cells of its output, and how.

A step without a rule (a global pool, attention, a reshape) mixes all places: it and all behind it is run on whole maps.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import fx, nn

from cutaway.engine.fused import FusedConv
from cutaway.engine.winograd import Winograd
from cutaway.explanation.covering.span import Slide
from cutaway.graph import extra
from cutaway.graph.axis import same_before
from cutaway.graph.functions import name_of

Shape = tuple[int, ...]
_FIRST, _LAST = (2, 3), (1, 2)  # where rows and columns are: channels first, channels last


@dataclass(frozen=True, slots=True)
class Map:
    """A value with places: its shape for one picture and which dimensions are rows and columns."""

    shape: Shape
    places: tuple[int, int]

    @property
    def cells(self) -> tuple[int, int]:
        return self.shape[self.places[0]], self.shape[self.places[1]]


@dataclass(frozen=True, slots=True, eq=False)
class Rule:
    """`run(*crops)` -> the patch, from one crop of each of `sources`.

    `slides`: along rows and columns, None for cell by cell. `fill`: what the padding holds. `moved`: cells that are
    put in front of rows and columns, nothing else is done. `share`: (1, 1, H, W) that multiplies the outcome place by
    place (averages that do not count the padding), cut out alike.
    """

    sources: tuple[fx.Node, ...]
    map: Map
    run: Callable[..., torch.Tensor]
    slides: tuple[Slide, Slide] | None = None
    fill: float = 0.0
    moved: tuple[int, int] | None = None
    share: torch.Tensor | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Step:
    """One step to find a rule for: its inputs that have places, values that do not depend on the picture, its shape."""

    node: fx.Node
    maps: Mapping[fx.Node, Map]
    constants: Mapping[fx.Node, Any]
    shape: Shape
    module: Any = None

    @property
    def first(self) -> Map:
        return self.maps[self.source]

    @property
    def source(self) -> fx.Node:
        found = self.node.args[0]
        assert isinstance(found, fx.Node)
        return found

    def argument(self, position: int, name: str, default: Any = None) -> Any:
        args = self.node.args
        found = self.node.kwargs.get(name, args[position] if len(args) > position else default)
        return fx.map_arg(found, lambda n: self.constants.get(n, n))


def rules_of(
    graph: fx.GraphModule, x: fx.Node, shapes: Mapping[fx.Node, Shape], constants: Mapping[fx.Node, Any]
) -> dict[fx.Node, Rule | None]:
    """Graph, its input, shapes of values for one picture, values that need no picture -> node: Rule, None: whole maps.

    Only nodes that depend on the picture are listed, in running order.
    """
    found: dict[fx.Node, Rule | None] = {}
    maps = {x: Map(shapes[x], _FIRST)} if len(shapes.get(x, ())) == 4 else {}
    for node in graph.graph.nodes:
        if node is x or node in constants or node.op in ("output", "placeholder"):
            continue
        rule = _rule(graph, node, maps, shapes, constants)
        found[node] = rule
        if rule is not None:
            maps[node] = rule.map
    return found


def _rule(
    graph: fx.GraphModule,
    node: fx.Node,
    maps: Mapping[fx.Node, Map],
    shapes: Mapping[fx.Node, Shape],
    constants: Mapping[fx.Node, Any],
) -> Rule | None:
    changing = [n for n in node.all_input_nodes if n not in constants]
    if len(shapes.get(node, ())) != 4 or any(n not in maps for n in changing):
        return None
    step = Step(node, maps, constants, shapes[node])
    if node.op == "call_module":
        module = graph.get_submodule(str(node.target))
        make = _MODULES.get(type(module).__name__)
        step = Step(node, maps, constants, shapes[node], module)
    else:
        name = node.target if node.op == "call_method" else name_of(node.target)  # type: ignore[arg-type]
        make = _CALLS.get(str(name))
    if make is None or (isinstance(node.args[0], fx.Node) and node.args[0] not in maps and make is not _pointwise):
        return None
    return make(step)


def _again(step: Step, sources: tuple[fx.Node, ...]) -> Callable[..., torch.Tensor]:
    """The very step, on crops in the places of its sources."""
    node, module = step.node, step.module
    if module is not None:
        return module  # type: ignore[no-any-return]
    if node.op == "call_method":
        name = str(node.target)
        call: Callable[..., Any] = lambda value, *args, **kwargs: getattr(value, name)(*args, **kwargs)  # noqa: E731
    else:
        assert callable(node.target)
        call = node.target
    if node.args == sources and not node.kwargs:
        return call

    def run(*crops: torch.Tensor) -> torch.Tensor:
        values = {**step.constants, **dict(zip(sources, crops, strict=True))}
        found: torch.Tensor = call(
            *fx.map_arg(node.args, values.__getitem__), **fx.map_arg(node.kwargs, values.__getitem__)
        )
        return found

    return run


def _pointwise(step: Step) -> Rule | None:
    """Each place for itself: activations, sums and products of maps, of maps and what is the same at every place."""
    sources = tuple(n for n in step.node.all_input_nodes if n in step.maps)
    first = step.maps[sources[0]]
    if any(step.maps[n].cells != first.cells or step.maps[n].places != first.places for n in sources):
        return None
    here = Map(step.shape, first.places)
    others = [step.constants[n] for n in step.node.all_input_nodes if n in step.constants]
    if here.cells != first.cells or not all(_same_everywhere(other, first.places) for other in others):
        return None
    return Rule(sources, here, _again(step, sources))


def _same_everywhere(value: Any, places: tuple[int, int]) -> bool:
    if not isinstance(value, torch.Tensor):
        return True
    return all(value.ndim <= 3 - d or value.shape[d - 4] == 1 for d in places)


def _by_channel(step: Step) -> Rule | None:
    """Layers that work on dimension 1, which must be the channels."""
    if step.first.places != _FIRST:
        return None
    return Rule((step.source,), Map(step.shape, _FIRST), _again(step, (step.source,)))


def _over_last(step: Step) -> Rule | None:
    """Dense layers and layer norms over the last dimension, which must be the channels."""
    over = getattr(step.module, "normalized_shape", None) or step.argument(1, "normalized_shape", (0,))
    if step.first.places != _LAST or (isinstance(over, tuple | list) and len(over) != 1):
        return None
    return Rule((step.source,), Map(step.shape, _LAST), _again(step, (step.source,)))


def _concatenated(step: Step) -> Rule | None:
    sources = step.argument(0, "tensors", ())
    if not isinstance(sources, tuple | list) or any(n not in step.maps for n in sources):
        return None
    first = step.maps[sources[0]]
    dim = step.argument(1, "dim", 0)
    alike = all(step.maps[n].places == first.places and step.maps[n].cells == first.cells for n in sources)
    if not alike or not isinstance(dim, int) or dim % 4 in (0, *first.places):
        return None
    return Rule(tuple(sources), Map(step.shape, first.places), lambda *crops: torch.cat(crops, dim))


def _permuted(step: Step) -> Rule | None:
    order: Any = step.node.args[1:] if len(step.node.args) > 2 else step.argument(1, "dims", ())
    if len(order) == 1:
        (order,) = order
    if len(order) != 4 or not all(isinstance(d, int) for d in order):
        return None
    order = tuple(int(d) % 4 for d in order)
    places = (order.index(step.first.places[0]), order.index(step.first.places[1]))
    if order[0] != 0 or places not in (_FIRST, _LAST):
        return None
    return Rule((step.source,), Map(step.shape, places), lambda crop: crop.permute(order))


def _channels_cut(step: Step) -> Rule | None:
    """x[:, a:b]: some of the channels at every place."""
    index = step.argument(1, "index")
    parts = index if isinstance(index, tuple) else (index,)
    if not all(isinstance(p, slice) for p in parts) or len(parts) > 4:
        return None
    everything = slice(None)
    if any(p != everything for d, p in enumerate(parts) if d in (0, *step.first.places)):
        return None
    return Rule((step.source,), Map(step.shape, step.first.places), lambda crop: crop[parts])


def _slid(step: Step, slides: tuple[Slide, Slide], run: Callable[..., torch.Tensor], **other: Any) -> Rule | None:
    if step.first.places != _FIRST:
        return None
    return Rule((step.source,), Map(step.shape, _FIRST), run, slides, **other)


def _slides(step: Step, kernel: Any, stride: Any, dilation: Any, padding: Any) -> tuple[Slide, Slide] | None:
    rows = []
    for axis, cells in enumerate(step.first.cells):
        k, s, d = (_at(v, axis) for v in (kernel, stride, dilation))
        if padding == "SAME":
            before = same_before(cells, k, s, d)
        elif isinstance(padding, str):
            before = d * (k - 1) // 2 if padding == "same" else 0
        else:
            before = _at(padding, axis)
        rows.append(Slide(k, s, d, before))
    return rows[0], rows[1]


def _at(value: Any, axis: int) -> int:
    return int(value[axis] if isinstance(value, tuple | list) else value)


def _convolution(step: Step) -> Rule | None:
    module = step.module
    same = type(module).__name__ == "Conv2dSame"
    if not (same or type(module) in (nn.Conv2d, FusedConv, Winograd)) or module.padding_mode != "zeros":
        return None
    slides = _slides(step, module.kernel_size, module.stride, module.dilation, "SAME" if same else module.padding)

    def run(crop: torch.Tensor) -> torch.Tensor:
        return F.conv2d(crop, module.weight, module.bias, module.stride, 0, module.dilation, module.groups)

    return _slid(step, slides, module.inside if isinstance(module, FusedConv | Winograd) else run) if slides else None


def _called_convolution(step: Step) -> Rule | None:
    weight, bias = step.argument(1, "weight"), step.argument(2, "bias")
    stride, padding = step.argument(3, "stride", 1), step.argument(4, "padding", 0)
    dilation, groups = step.argument(5, "dilation", 1), step.argument(6, "groups", 1)
    slides = _slides(step, tuple(weight.shape[2:]), stride, dilation, padding)
    assert slides is not None
    return _slid(step, slides, lambda crop: F.conv2d(crop, weight, bias, stride, 0, dilation, groups))


def _max_pool(step: Step) -> Rule | None:
    module = step.module
    kernel, stride, padding, dilation = _pool_settings(step)
    if getattr(module, "return_indices", False):
        return None
    slides = _slides(step, kernel, stride, dilation, padding)
    assert slides is not None
    return _slid(step, slides, lambda crop: F.max_pool2d(crop, kernel, stride, 0, dilation), fill=float("-inf"))


def _average_pool(step: Step) -> Rule | None:
    """Averages over windows with the padding counted, times a factor where the step counts otherwise."""
    kernel, stride, padding, _ = _pool_settings(step, dilated=False)
    same = type(step.module).__name__ in ("SamePool2d", "AvgPool2dSame")
    slides = _slides(step, kernel, stride, 1, "SAME" if same else padding)
    assert slides is not None
    rows, columns = step.first.cells
    ones = torch.ones(1, 1, rows, columns, dtype=torch.float64)
    with torch.inference_mode():
        counted = _again(step, (step.source,))(ones)
        plain = F.avg_pool2d(padded(ones, slides, counted.shape[2:], 0.0), kernel, stride)
    share = counted / plain
    own = None if bool((share == 1).all()) else share
    return _slid(step, slides, lambda crop: F.avg_pool2d(crop, kernel, stride), share=own)


def _pool_settings(step: Step, dilated: bool = True) -> tuple[Any, Any, Any, Any]:
    module = step.module
    if module is not None:
        settings = module.kernel_size, module.stride, getattr(module, "padding", 0), getattr(module, "dilation", 1)
    else:
        kernel = step.argument(1, "kernel_size")
        settings = (
            kernel, step.argument(2, "stride"), step.argument(3, "padding", 0),
            step.argument(4, "dilation", 1) if dilated else 1,
        )  # fmt: skip
    kernel, stride, padding, dilation = settings
    return kernel, kernel if stride is None or stride == [] else stride, padding, dilation


def _same_pad(step: Step) -> Rule | None:
    module = step.module
    before = [
        same_before(cells, module.kernel_size[a], module.stride[a], module.dilation[a])
        for a, cells in enumerate(step.first.cells)
    ]
    return _moved(step, before[0], before[1])


def _constant_pad(step: Step) -> Rule | None:
    pads = step.module.padding if step.module is not None else step.argument(1, "pad")
    mode = "constant" if step.module is not None else step.argument(2, "mode", "constant")
    if mode != "constant" or len(pads) > 4 or not all(isinstance(p, int) for p in pads):
        return None
    left, top = pads[0], pads[2] if len(pads) == 4 else 0
    return _moved(step, top, left)


def _moved(step: Step, rows: int, columns: int) -> Rule | None:
    """Padding with a constant, or cutting off: the same cells further on."""
    if step.first.places != _FIRST or step.first.shape[1] != step.shape[1]:
        return None
    return Rule((step.source,), Map(step.shape, _FIRST), lambda crop: crop, moved=(rows, columns))


def padded(base: torch.Tensor, slides: tuple[Slide, Slide], cells: tuple[int, ...], fill: float) -> torch.Tensor:
    """Map (N, C, H, W), the windows that slide over it, how many along each axis -> with all cells that they take."""
    pads: list[int] = []
    for slide, given, wanted in zip(slides, base.shape[2:], cells, strict=True):
        pads = [slide.before, max(slide.taken(wanted) - slide.before - given, 0), *pads]
    return F.pad(base, pads, value=fill) if any(pads) else base


_POINTWISE = """
    ReLU ReLU6 LeakyReLU ELU SELU CELU GELU SiLU Mish Sigmoid Tanh Softplus Softsign Hardtanh Hardswish Hardsigmoid
    LogSigmoid Dropout Dropout2d AlphaDropout Identity ClippedReLU StochasticDepth DropPath
"""
_CHANNELS = "PReLU BatchNorm2d FrozenBatchNorm2d LocalResponseNorm ChannelShuffle Rescale"
_POINTWISE_CALLS = """
    add sub mul truediv div neg maximum minimum clamp sqrt rsqrt exp pow abs square relu sigmoid tanh softplus erf sin
    cos sign log addcmul contiguous float
"""


def _scaled(step: Step) -> Rule | None:
    layer: extra.ScaleChannels = step.module
    return _by_channel(step) if layer.dim == 1 else _over_last(step)


_MODULES: dict[str, Callable[[Step], Rule | None]] = {
    **dict.fromkeys(_POINTWISE.split(), _pointwise),
    **dict.fromkeys(_CHANNELS.split(), _by_channel),
    **dict.fromkeys(("Linear", "LayerNorm", "RMSNorm"), _over_last),
    **dict.fromkeys(("Conv2d", "Conv2dSame", "FusedConv", "Winograd"), _convolution),
    "MaxPool2d": _max_pool,
    **dict.fromkeys(("AvgPool2d", "SamePool2d"), _average_pool),
    **dict.fromkeys(("ZeroPad2d", "ConstantPad2d"), _constant_pad),
    "SamePad2d": _same_pad,
    "ScaleChannels": _scaled,
}
_CALLS: dict[str, Callable[[Step], Rule | None]] = {
    **dict.fromkeys(_POINTWISE_CALLS.split(), _pointwise),
    **dict.fromkeys(("linear", "layer_norm"), _over_last),
    "batch_norm": _by_channel,
    "cat": _concatenated,
    "permute": _permuted,
    "getitem": _channels_cut,
    "conv2d": _called_convolution,
    "max_pool2d": _max_pool,
    "avg_pool2d": _average_pool,
    "pad": _constant_pad,
}
