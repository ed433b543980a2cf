"""What each listed function and tensor method does to what its cells see; those without a rule mix every place."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from torch import fx

from cutaway.graph.axis import window_taps
from cutaway.graph.functions import name_of
from cutaway.graph.receptive_layers import (
    Shapes,
    Views,
    adaptive,
    before_in_words,
    mixed,
    over_last,
    pair,
    resized,
    shifted,
    slid,
)
from cutaway.graph.view import Runs, Shape, View, joined, joined_flat

_POINTWISE = """
    add sub mul truediv floordiv div neg maximum minimum clamp sqrt rsqrt exp pow mod where log invert addcmul sin cos
    relu sigmoid tanh softplus batch_norm contiguous to float type_as square abs logical_not expand expand_as
    broadcast_to erf floor torch_ceil round sign
"""
_POINTWISE_NAMES = frozenset(_POINTWISE.split())
_REDUCING = frozenset({"mean", "sum", "amax", "amin", "max", "var_mean", "norm"})
_RESHAPING = frozenset({"reshape", "view", "flatten", "unflatten", "squeeze", "unsqueeze", "reshape_as", "view_as"})
_SIZES = frozenset({"getattr", "size", "dim"})


@dataclass(frozen=True, slots=True)
class Call:
    """One call at work: its node, what its first input sees, that input's shape and the value's, all shapes."""

    node: fx.Node
    view: View
    given: Shape
    after: Shape
    shapes: Shapes

    def argument(self, position: int, name: str, default: Any) -> Any:
        return _argument(self.node, position, name, default)


def call_view(node: fx.Node, views: Views, shapes: Shapes) -> View | None:
    """A call of a listed function or tensor method -> its value's view; None for a size, which is no picture."""
    target: Any = node.target
    name = target if node.op == "call_method" else name_of(target) or ""
    sources = [n for n in node.all_input_nodes if n in views]
    view, given, after = views[sources[0]], shapes.get(sources[0].name), shapes.get(node.name)
    if name in _SIZES:
        return None
    if given is None:  # one of the values that chunk, split or unbind gave
        if name != "getitem":
            return mixed(node, views, shapes)
        return view if after is None or len(view.runs) == len(after) else joined_flat([view], len(after))
    if name in ("chunk", "split", "unbind"):
        return _parted(name, view, _argument(node, 1 if name == "unbind" else 2, "dim", 0))
    if name in _REDUCING:
        return _reduced(name, node, view, given)
    if after is None:
        return mixed(node, views, shapes)
    along_places = name == "cat" and any(views[n].runs[_argument(node, 1, "dim", 0)] for n in sources)
    if name in _POINTWISE_NAMES or (name == "cat" and not along_places):
        return joined([(views[n], shapes[n.name]) for n in sources if n.name in shapes], after)
    if name in _RESHAPING:
        return view.reshaped(given, after)
    return _RULES[name](Call(node, view, given, after, shapes)) if name in _RULES else mixed(node, views, shapes)


def _argument(node: fx.Node, position: int, name: str, default: Any) -> Any:
    return node.kwargs.get(name, node.args[position] if len(node.args) > position else default)


def _parted(name: str, view: View, dim: int) -> View:
    view = view.mixed([dim])
    runs = list(view.runs)
    if name == "unbind":
        del runs[dim]
    return view.with_runs(runs)


def _reduced(name: str, node: fx.Node, view: View, given: Shape) -> View:
    position = 2 if name == "norm" else 1
    dims = _argument(node, position, "dim", None)
    if dims is None or isinstance(dims, fx.Node):
        dims = range(len(given))
    dims = {d % len(given) for d in ([dims] if isinstance(dims, int) else dims)}
    keep = bool(_argument(node, position + 1, "keepdim", False))
    view = view.mixed(dims)
    return view.with_runs(run for d, run in enumerate(view.runs) if keep or d not in dims)


def _permuted(call: Call) -> View:
    order: Any = call.node.args[1:] if len(call.node.args) > 2 else call.argument(1, "dims", ())
    return call.view.with_runs(call.view.runs[d] for d in order)


def _swapped(call: Call) -> View:
    runs, (a, b) = list(call.view.runs), (call.argument(1, "dim0", 0), call.argument(2, "dim1", 1))
    runs[a], runs[b] = runs[b], runs[a]
    return call.view.with_runs(runs)


def _cut(call: Call) -> View:
    """x[:, 1:, ::2]: a slice shifts and strides, a number takes one cell."""
    view, given = call.view, call.given
    runs: list[Runs] = []
    d = 0
    for part in _every_dimension(call.argument(1, "index", ()), len(given)):
        if part is None:
            runs.append(())
            continue
        if isinstance(part, int):
            view = view.windowed(d, window_taps(1, 1, 1, -(part % given[d])), 1).mixed([d])
        elif isinstance(part, slice) and all(
            v is None or isinstance(v, int) for v in (part.start, part.stop, part.step)
        ):
            start, stop, step = part.indices(given[d])
            view = view.windowed(d, window_taps(1, step, 1, -start), len(range(start, stop, step)))
            runs.append(view.runs[d])
        else:  # an index that is computed
            return view.mixed(range(len(given))).with_runs([()] * len(call.after))
        d += 1
    return view.with_runs(runs)


def _every_dimension(index: Any, dims: int) -> tuple[Any, ...]:
    """What stands in x[...] -> one entry for each dimension of x (and None for new ones)."""
    parts = index if isinstance(index, tuple) else (index,)
    lacking = dims - sum(part is not None and part is not Ellipsis for part in parts)
    at = next((i for i, part in enumerate(parts) if part is Ellipsis), None)
    if at is None:
        return (*parts, *[slice(None)] * lacking)
    return (*parts[:at], *[slice(None)] * lacking, *parts[at + 1 :])


def _pad(call: Call) -> View:
    pads = call.argument(1, "pad", ())
    if any(isinstance(p, fx.Node) for p in pads):
        return call.view.mixed(range(len(call.after)))
    return shifted(call.view, call.after, pads)


def _interpolated(call: Call) -> View:
    special = call.argument(4, "align_corners", None) or call.argument(6, "antialias", False)
    mode = "special" if special else str(call.argument(3, "mode", "nearest"))
    return resized(call.view, call.given, call.after, mode)


def _convolved(call: Call) -> View:
    kernel = call.shapes[call.argument(1, "weight", None).name][2:]
    padding, dilation = call.argument(4, "padding", 0), pair(call.argument(5, "dilation", 1))
    before = before_in_words(padding, kernel, dilation) if isinstance(padding, str) else pair(padding)
    rows = zip(kernel, pair(call.argument(3, "stride", 1)), dilation, before, strict=True)
    return slid(call.view.mixed([1]), call.after, [window_taps(*row) for row in rows])


def _max_pooled(call: Call) -> View:
    return _pooled(call, call.argument(4, "dilation", 1))


def _pooled(call: Call, dilation: int = 1) -> View:
    kernel = call.argument(1, "kernel_size", 1)
    stride = call.argument(2, "stride", None) or kernel
    rows = zip(*map(pair, (kernel, stride, dilation, call.argument(3, "padding", 0))), strict=True)
    return slid(call.view, call.after, [window_taps(*row) for row in rows])


def _adaptive(call: Call) -> View:
    return adaptive(call.view, call.given, call.after)


def _softmax(call: Call) -> View:
    return call.view.seen_by_all() if call.view.runs[call.argument(1, "dim", 1)] else call.view


def _normalised(call: Call) -> View:
    return call.view.seen_by_all() if call.view.runs[call.argument(2, "dim", 1)] else call.view


_RULES: dict[str, Callable[[Call], View]] = {
    "permute": _permuted,
    "transpose": _swapped,
    "swapaxes": _swapped,
    "getitem": _cut,
    "pad": _pad,
    "interpolate": _interpolated,
    "conv2d": _convolved,
    "max_pool2d": _max_pooled,
    "avg_pool2d": _pooled,
    "adaptive_avg_pool2d": _adaptive,
    "adaptive_max_pool2d": _adaptive,
    "linear": lambda call: call.view.mixed([-1]),
    "layer_norm": lambda call: over_last(call.view, len(call.argument(1, "normalized_shape", (0,)))),
    "group_norm": lambda call: call.view.seen_by_all(),
    "softmax": _softmax,
    "torch_softmax": _softmax,
    "normalize": _normalised,
}
