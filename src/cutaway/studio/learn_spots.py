"""Where the reader's own network does what a lesson is about, in one sentence with its true sizes."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from cutaway.studio.desk import Desk
from cutaway.studio.schemas.learn import LessonRequest, Spot

if TYPE_CHECKING:
    from cutaway.engine.lesson.first import First
    from cutaway.graph.shapes import LayerRow

LESSONS = ("pixels", "1d-convolution", "2d-convolution", "stride-padding", "activation", "pooling-shift")


def first_of(desk: Desk, asked: LessonRequest) -> First | None:
    """Request -> the network's first convolution on the picture; None where lessons cannot show it (see there)."""
    from cutaway.engine.lesson.first import first_convolution

    if not asked.model:
        return None
    return first_convolution(desk.model(asked).graph, desk.run(asked).after.trace)


def first_filters(desk: Desk, asked: LessonRequest) -> tuple[int, str]:
    """-> filters of the first convolution and its name; 0 and "" without one that can be shown."""
    first = first_of(desk, asked)
    return (0, "") if first is None else (len(first.weights), first.name)


def spots(desk: Desk, asked: LessonRequest) -> tuple[Spot, ...]:
    """Request -> one Spot for each lesson; none without a model."""
    if not asked.model:
        return ()
    from cutaway.draw.families import family_of

    rows = desk.table(asked)
    convolutions = [r for r in rows if "conv" in r.kind.lower() and len(r.shape) == 3]
    settings = {r.name: _settings(desk, asked, r) for r in convolutions}
    activations = [r for r in rows if family_of(r.kind) == "activation"]
    pools = [r for r in rows if family_of(r.kind) == "pool"]
    said = (
        _pixels(rows), _one_direction(rows, convolutions), _filters(convolutions, settings),
        _stride(convolutions, settings), _activation(activations), _pool(pools, convolutions, settings),
    )  # fmt: skip
    return tuple(Spot(lesson=n, layer=layer, sentence=text) for n, (layer, text) in zip(LESSONS, said, strict=True))


Said = tuple[str, str]
Settings = dict[str, dict[str, Any]]


def _settings(desk: Desk, asked: LessonRequest, row: LayerRow) -> dict[str, Any]:
    from cutaway.graph.kinds import kind_of, settings_of
    from cutaway.graph.names import step_named

    graph = desk.model(asked).graph
    node = step_named(graph, row.name)
    layer = graph.get_submodule(str(node.target)) if node.op == "call_module" else None
    return settings_of(layer) if layer is not None and kind_of(layer) else {}


def _pixels(rows: tuple[LayerRow, ...]) -> Said:
    first = rows[0]
    count = math.prod(first.input_shapes[0]) if first.input_shapes else 0
    return first.name, f"{first.name} is the first to get them: {_shape(first.input_shapes)}, {_count(count)} numbers."


def _one_direction(rows: tuple[LayerRow, ...], convolutions: list[LayerRow]) -> Said:
    for row in rows:
        if "conv1d" in row.kind.lower():
            return row.name, f"{row.name} slides along one direction, as here: {_shape(row.input_shapes)} in."
    if not convolutions:
        return "", "Your network has no convolution."
    row = convolutions[0]
    return row.name, f"Your network slides in two directions at once; its first convolution, {row.name}, does it first."


def _filters(convolutions: list[LayerRow], settings: Settings) -> Said:
    if not convolutions:
        return "", "Your network has no convolution."
    row = convolutions[0]
    known = settings[row.name]
    high, wide = _pair(known.get("kernel_size", 0))
    slices = row.input_shapes[0][0] // known.get("groups", 1) if row.input_shapes and high else 0
    if not slices:
        return row.name, f"{row.name} is your network's first convolution: {row.shape[0]} filters."
    weights = row.shape[0] * slices * high * wide
    each = f"{slices} slice{'s' if slices > 1 else ''} of {high} × {wide} weights"
    more = f"; your network has {len(convolutions)} convolutions" if len(convolutions) > 1 else ""
    return row.name, f"{row.name} has {row.shape[0]} filters, each with {each}: {_count(weights)} in all{more}."


def _stride(convolutions: list[LayerRow], settings: Settings) -> Said:
    for row in convolutions:
        stride = _pair(settings[row.name].get("stride", 1))
        if max(stride) > 1 and row.input_shapes:
            before, after = row.input_shapes[0], row.shape
            sizes = f"{before[1]} × {before[2]} becomes {after[1]} × {after[2]}"
            return row.name, f"{row.name} has a stride of {stride[0]}: {sizes}{_padding(settings[row.name])}."
    for row in convolutions:
        if text := _padding(settings[row.name]):
            return row.name, f"No convolution of your network has a stride above 1; {row.name} comes{text}."
    if not convolutions:
        return "", "Your network has no convolution."
    row = convolutions[0]
    sizes = f"{row.input_shapes[0][1]} × {row.input_shapes[0][2]} becomes {row.shape[1]} × {row.shape[2]}"
    return row.name, f"{row.name} has neither stride nor padding: {sizes}."


def _padding(known: dict[str, Any]) -> str:
    padding = known.get("padding", 0)
    if isinstance(padding, str):
        return f" with padding “{padding}”"
    return f" with a padding of {_pair(padding)[0]}" if max(_pair(padding)) else ""


def _activation(activations: list[LayerRow]) -> Said:
    if not activations:
        return "", "Your network has no activation of its own."
    first = activations[0]
    kinds: dict[str, int] = {}
    for row in activations:
        kinds[row.kind] = kinds.get(row.kind, 0) + 1
    told = ", ".join(f"{count} × {kind}" for kind, count in kinds.items())
    return first.name, f"Your network has {told}; {first.name} is the first."


def _pool(pools: list[LayerRow], convolutions: list[LayerRow], settings: Settings) -> Said:
    strided = sum(max(_pair(settings[r.name].get("stride", 1))) > 1 for r in convolutions)
    if not pools:
        return "", f"Your network has no pooling{f'; {_strided(strided)}' if strided else ''}."
    row = next((r for r in pools if len(r.shape) == 3 and max(r.shape[1:]) > 1), pools[-1])
    sizes = f"{_shape(row.input_shapes)} becomes {' × '.join(map(str, row.shape))}"
    more = f"; {_strided(strided)} too" if strided else ""
    return row.name, f"{row.name} ({row.kind}): {sizes}{more}."


def _strided(number: int) -> str:
    return (
        f"{number} convolution{'s' if number > 1 else ''} with a stride above 1 shrink{'' if number > 1 else 's'} maps"
    )


def _count(number: int) -> str:
    return f"{number:,}".replace(",", "\u202f")


def _shape(shapes: tuple[tuple[int, ...], ...]) -> str:
    return " × ".join(map(str, shapes[0])) if shapes else "?"


def _pair(value: Any) -> tuple[int, int]:
    if isinstance(value, (tuple, list)):
        return int(value[0]), int(value[-1])
    return (int(value), int(value)) if isinstance(value, (int, float)) else (0, 0)
