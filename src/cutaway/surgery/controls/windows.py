"""Controls of how a window slides: stride, padding, dilation, groups, size, number of filters; a pool's kind."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from torch import nn

from cutaway.graph.kinds import kind_of
from cutaway.surgery.controls.control import Choice, Control, Place, help_of, menu, number, of_all
from cutaway.surgery.dry import called
from cutaway.surgery.filters import MOST_FILTERS
from cutaway.surgery.filters_of import CONVOLUTIONS, TRANSPOSED
from cutaway.surgery.flow import MAKERS
from cutaway.surgery.groups import is_depthwise
from cutaway.surgery.patient import Patient
from cutaway.surgery.settings import WHOLE_POOLS
from cutaway.surgery.windows import POOLS, pads_itself, per_axis, same_pad

GROUP = "Window"
_MOST_SIDE, _MOST_STEP = 15, 8


def windows(place: Place) -> Iterator[Control]:
    module = place.module
    if module is not None and _slides(module):
        yield from _sliding(place, module)
    if isinstance(module, CONVOLUTIONS) and not isinstance(module, TRANSPOSED):
        yield from _groups(place, module)
    if isinstance(module, MAKERS) and not is_depthwise(module):
        yield _filters(place, module)
    if (kind := pool_kind(place.patient, place.layer)) is not None:
        choices = [Choice("max", "the largest of each window"), Choice("avg", "their mean")]
        document = {"edit": "set_pooling", "layer": place.layer, "to": kind}
        yield place.control(document, "Pool takes", GROUP, [menu("to", "It takes", kind, choices)], common=True)


def _slides(module: nn.Module) -> bool:
    ours = isinstance(module, CONVOLUTIONS | POOLS) or type(module).__name__ == "AvgPool2dSame"
    return ours and kind_of(module) is not None


def _sliding(place: Place, module: Any) -> Iterator[Control]:
    layer = place.layer
    before = place.patient.name(place.patient.node(layer).all_input_nodes[0])
    room = min(place.shape(before)[2:], default=_MOST_STEP) or 1
    stride = of_all(module.stride)
    steps = list(range(1, min(_MOST_STEP, room) + 1))
    yield place.control(
        {"edit": "set_stride", "layer": layer, "stride": stride}, "Stride", GROUP,
        [menu("stride", "Cells", stride, steps, help=help_of("set_stride", "stride"))], common=True,
    )  # fmt: skip
    size = per_axis(module, module.kernel_size)
    sides = [n for n in range(1, min(_MOST_SIDE, room) + 1) if n % 2 or not isinstance(module, CONVOLUTIONS)]
    yield place.control(
        {"edit": "set_kernel_size", "layer": layer, "size": of_all(size)},
        "Kernel size" if isinstance(module, CONVOLUTIONS) else "Window size", GROUP,
        [menu("size", "Cells", of_all(size), [Choice(n, f"{n} × {n}" if len(size) == 2 else str(n)) for n in sides])],
        common=True,
    )  # fmt: skip
    if not pads_itself(module) and not same_pad(place.patient, layer):
        padding = module.padding if isinstance(module.padding, str) else of_all(module.padding)
        most = max(size) if isinstance(module, CONVOLUTIONS) else min(size) // 2
        words = ["same", "valid"] if isinstance(module, CONVOLUTIONS) and not isinstance(module, TRANSPOSED) else []
        yield place.control(
            {"edit": "set_padding", "layer": layer, "padding": padding}, "Padding", GROUP,
            [menu("padding", "Zeros around", padding, [*range(most + 1), *words])],
        )  # fmt: skip
    if hasattr(module, "dilation") and not isinstance(module, TRANSPOSED):
        dilation, furthest = of_all(module.dilation), max(1, (room - 1) // max(1, max(size) - 1))
        yield place.control(
            {"edit": "set_dilation", "layer": layer, "dilation": dilation}, "Dilation", GROUP,
            [menu("dilation", "Distance", dilation, range(1, min(6, furthest) + 1))],
        )  # fmt: skip


def _groups(place: Place, module: Any) -> Iterator[Control]:
    given, made = module.in_channels, module.out_channels
    both = [g for g in range(1, min(given, made) + 1) if given % g == 0 and made % g == 0]
    if len(both) > 1:
        choices = [Choice(g, f"{g}{_group_words(g, given)}") for g in both]
        yield place.control(
            {"edit": "set_groups", "layer": place.layer, "groups": module.groups}, "Groups", GROUP,
            [menu("groups", "Groups", module.groups, choices, help=help_of("set_groups", "groups"))],
        )  # fmt: skip


def _group_words(groups: int, given: int) -> str:
    return " (all see all)" if groups == 1 else " (depthwise)" if groups == given else ""


def _filters(place: Place, module: Any) -> Control:
    count = module.out_features if isinstance(module, nn.Linear) else module.out_channels
    step = getattr(module, "groups", 1)
    what = "Units" if isinstance(module, nn.Linear) else "Filters"
    document = {"edit": "set_filters", "layer": place.layer, "filters": count}
    choices = [Choice("strongest", "the strongest stay"), Choice("first", "the first stay")]
    fields = [
        number("filters", what, count, step, MOST_FILTERS, step=step, help=help_of("set_filters", "filters")),
        menu("keep", "Where there are fewer", "strongest", choices, help=help_of("set_filters", "keep")),
    ]
    return place.control(document, f"Number of {what.lower()}", GROUP, fields)


def pool_kind(patient: Patient, name: str) -> str | None:
    """max or avg; None for what is no pool, or one that cannot be of the other kind."""
    node = patient.node(name)
    if called(node) in ("mean", "amax"):
        known = len(node.args) > 1 or "dim" in node.kwargs
        return ("avg" if called(node) == "mean" else "max") if known else None
    module = patient.layer(name) if node.op == "call_module" else None
    if not isinstance(module, POOLS | WHOLE_POOLS):
        return None
    if any(d != 1 for d in per_axis(module, getattr(module, "dilation", 1))):
        return None  # average pools have no gaps
    return "max" if "Max" in type(module).__name__ else "avg"
