"""What each kind of layer does to what its cells see; without a rule, one that changes the shape mixes all places."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from torch import fx, nn

from cutaway.graph.axis import Slide, adaptive_taps, resized_taps, same_before, transposed_taps, window_taps
from cutaway.graph.view import Shape, View, joined_flat

Views = Mapping[fx.Node, View]
Shapes = Mapping[str, Shape]


@dataclass(frozen=True, slots=True)
class Step:
    """One layer at work: its settings, what its input sees, the shapes of its input and its output."""

    module: Any
    view: View
    given: Shape
    after: Shape


def module_view(module: nn.Module, node: fx.Node, views: Views, shapes: Shapes) -> View:
    """A layer and its input's view -> its output's view."""
    before, after = node.all_input_nodes[0], shapes.get(node.name)
    kind = type(module).__name__
    if before not in views or before.name not in shapes or after is None or kind in _MIXING:
        return mixed(node, views, shapes)
    step = Step(module, views[before], shapes[before.name], after)
    if kind in _RULES:
        return _RULES[kind](step)
    return step.view if step.given == after else mixed(node, views, shapes)


def mixed(node: fx.Node, views: Views, shapes: Shapes) -> View:
    """Every place of every input taken together."""
    after = shapes.get(node.name, ())
    return joined_flat([views[n] for n in node.all_input_nodes if n in views], len(after))


def slid(view: View, after: Shape, slides: Sequence[Slide]) -> View:
    """One slide for each of the last dimensions."""
    for back, slide in enumerate(reversed(slides), 1):
        view = view.windowed(-back, slide, after[-back])
    return view


def shifted(view: View, after: Shape, pads: Sequence[int]) -> View:
    """`pads` as F.pad takes them: last dimension first, in front and behind."""
    for back, before in enumerate(pads[::2], 1):
        view = view.windowed(-back, window_taps(1, 1, 1, int(before)), after[-back])
    return view


def pair(value: Any, count: int = 2) -> tuple[int, ...]:
    """One number for all dimensions or one each -> one each."""
    return tuple(int(v) for v in value) if isinstance(value, tuple | list) else (int(value),) * count


def before_in_words(padding: str, kernel: Sequence[int], dilation: Sequence[int]) -> tuple[int, ...]:
    """torch's padding "same" or "valid" -> cells of padding in front."""
    return tuple(d * (k - 1) // 2 if padding == "same" else 0 for k, d in zip(kernel, dilation, strict=True))


def adaptive(view: View, given: Shape, after: Shape) -> View:
    """Adaptive pool over the last two (or one) dimensions."""
    spatial = range(2, len(given))
    view = view.mixed(d for d in spatial if after[d] == 1)
    return slid(view, after, [adaptive_taps(given[d], after[d]) for d in spatial])


def resized(view: View, given: Shape, after: Shape, mode: str) -> View:
    """Up- or downsampling; modes that are not on the list see every place."""
    if mode not in _AROUND:
        return view.mixed(range(2, len(given)))
    around = _AROUND[mode]
    return slid(view, after, [resized_taps(n, m, *around) for n, m in zip(given[2:], after[2:], strict=True)])


def over_last(view: View, count: int) -> View:
    """Statistics over the last `count` dimensions."""
    return view.seen_by_all() if any(view.runs[d] for d in range(-count, 0)) else view


def _window(step: Step) -> View:
    """Convolution or pool: kernel, stride, dilation; padding in numbers, in words, or by the input's size."""
    module, count = step.module, len(step.given) - 2
    kernel, stride = pair(module.kernel_size, count), pair(module.stride, count)
    dilation = pair(getattr(module, "dilation", 1), count)
    padding: Any = getattr(module, "padding", 0)
    kind = type(module).__name__
    if kind in _BY_SIZE and getattr(module, "same_pad", True):
        rows = zip(step.given[2:], kernel, stride, dilation, strict=True)
        before = tuple(same_before(*row) for row in rows)
    else:
        before = before_in_words(padding, kernel, dilation) if isinstance(padding, str) else pair(padding, count)
    view = step.view.mixed([1]) if "Conv" in kind else step.view
    return slid(view, step.after, [window_taps(*row) for row in zip(kernel, stride, dilation, before, strict=True)])


def _transposed(step: Step) -> View:
    module = step.module
    rows = zip(module.kernel_size, module.stride, module.dilation, module.padding, strict=True)
    return slid(step.view.mixed([1]), step.after, [transposed_taps(*row) for row in rows])


def _same_pad(step: Step) -> View:
    module = step.module
    rows = zip(step.given[2:], module.kernel_size, module.stride, module.dilation, strict=True)
    return slid(step.view, step.after, [window_taps(1, 1, 1, same_before(*row)) for row in rows])


def _upsampled(step: Step) -> View:
    mode = "aligned" if step.module.align_corners else step.module.mode
    return resized(step.view, step.given, step.after, mode)


def _shuffled(step: Step) -> View:
    sides = zip(step.given[-2:], step.after[-2:], strict=True)
    return slid(step.view.mixed([-3]), step.after, [resized_taps(n, m, 0, 0) for n, m in sides])


def _channels_last(step: Step) -> View:
    runs, given = step.view.runs, step.given
    moved = step.view.with_runs((runs[0], *runs[2:], runs[1]))
    return moved.reshaped((given[0], *given[2:], given[1]), step.after)


def _over_places(step: Step) -> View:
    """Group and instance norm: mean and variance over all places of the picture, unless they were stored."""
    return step.view if getattr(step.module, "track_running_stats", False) else step.view.seen_by_all()


def _softmax(step: Step) -> View:
    dim = step.module.dim
    return step.view.seen_by_all() if dim is not None and step.view.runs[dim] else step.view


_AROUND = {"nearest": (0, 0), "linear": (0, 1), "bilinear": (0, 1), "bicubic": (1, 2)}
_BY_SIZE = {"SamePool2d", "Conv2dSame", "AvgPool2dSame", "StdConv2dSame", "ScaledStdConv2dSame"}
_MIXING = {"MultiheadAttention", "Unfold"}
_CONVOLUTIONS = "Conv1d Conv2d Conv3d Conv2dSame StdConv2d StdConv2dSame ScaledStdConv2d ScaledStdConv2dSame"
_POOLS = "MaxPool1d MaxPool2d AvgPool1d AvgPool2d AvgPool2dSame SamePool2d"
_ADAPTIVE = "AdaptiveAvgPool1d AdaptiveAvgPool2d AdaptiveMaxPool1d AdaptiveMaxPool2d"
_PADS = "ZeroPad2d ConstantPad2d ReflectionPad2d ReplicationPad2d"
_RULES: dict[str, Callable[[Step], View]] = {
    **dict.fromkeys((_CONVOLUTIONS + " " + _POOLS).split(), _window),
    **dict.fromkeys(("ConvTranspose1d", "ConvTranspose2d"), _transposed),
    **dict.fromkeys(_PADS.split(), lambda step: shifted(step.view, step.after, step.module.padding)),
    **dict.fromkeys(_ADAPTIVE.split(), lambda step: adaptive(step.view, step.given, step.after)),
    **dict.fromkeys(("Flatten", "Unflatten"), lambda step: step.view.reshaped(step.given, step.after)),
    **dict.fromkeys(("LayerNorm", "RMSNorm"), lambda step: over_last(step.view, len(step.module.normalized_shape))),
    **dict.fromkeys(("GroupNorm", "InstanceNorm2d"), _over_places),
    **dict.fromkeys(("Softmax", "LogSoftmax"), _softmax),
    "SamePad2d": _same_pad,
    "Upsample": _upsampled,
    "PixelShuffle": _shuffled,
    "Linear": lambda step: step.view.mixed([-1]),
    "ChannelsLastFlatten": _channels_last,
}
