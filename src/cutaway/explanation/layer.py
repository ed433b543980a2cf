"""Which step's maps a layered method weighs: chosen by the size of its maps, or named; and where its cells lie."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from weakref import WeakKeyDictionary

import torch
from torch import fx

from cutaway.engine.silent import channels_last
from cutaway.errors import BadInput
from cutaway.graph.blocks import blocks_of
from cutaway.graph.names import step_named, steps_of
from cutaway.graph.receptive import ReceptiveField, receptive_fields
from cutaway.graph.shapes import shapes_of

CELLS = 6
"""Of the shorter side, at least. Measured on shapes of 96 px: the place of the largest value lies on the shape for 57 %
and 40 % of pictures with maps of 3 x 3 (ResNet-18, MobileNetV2; a blob in the centre: 52 % and 50 %), for 100 % and
85 % with maps of 6 x 6."""
RULE = f"the deepest step that all later ones work on with maps of at least {CELLS} cells on the shorter side"

Shape = tuple[int, int, int]
_Shapes = Mapping[str, tuple[int, ...]]


@dataclass(frozen=True, slots=True, eq=False)
class MapLayer:
    """A step whose value is C maps of h x w cells; `channels_last` where it is (N, h, w, C) and not (N, C, h, w).

    Cell (i, j) stands for the pixel `first + (i, j) * step`: the cells lie as far apart as their receptive fields, the
    whole grid in the middle of the picture. Where convolutions are padded that makes tiles of equal size; without
    padding (Inception) the outer cells lie further in. The receptive fields' own centres, which one-sided strides push
    aside (0, 32 ... 192 of 224 px in ResNet), are not where trained networks look: measured on shapes of 96 px the
    largest value lies on the shape for 60 % of pictures in the middle and for 36 % there.
    """

    name: str
    channels: int
    cells: tuple[int, int]
    channels_last: bool
    first: tuple[float, float]
    step: tuple[float, float]

    def placed(self, maps: torch.Tensor, size: tuple[int, int]) -> torch.Tensor:
        """Maps (..., h, w), height and width of the picture -> (..., H, W), each cell's value at its pixel.

        Linear in between, and beyond the outermost cells their value. For tiles this is torch's bilinear resize with
        align_corners=False; with True, the outer cells would lie on the picture's edge.
        """
        rows, columns = (
            _between(self.cells[a], size[a], self.first[a], self.step[a]).to(maps) for a in (0, 1)
        )  # (H, h), (W, w)
        return rows @ maps @ columns.T


_KNOWN: WeakKeyDictionary[fx.GraphModule, dict[tuple[Shape, str], MapLayer]] = WeakKeyDictionary()


def map_layer(network: fx.GraphModule, shape: Shape, typed: str = "") -> MapLayer:
    """Network, (C, H, W) of its pictures, a step's or block's name ("" or "auto": RULE) -> MapLayer.

    A block stands for its last step. Where no step has maps of CELLS cells (for pictures under 12 px: of half the
    picture's side) the largest maps are taken. Raises BadInput for a name that is not there and for a step without
    places, with the steps that have them. What was found is kept as long as the network.
    """
    known = _KNOWN.setdefault(network, {})
    if (shape, typed) not in known:
        known[shape, typed] = _found(network, shape, typed)
    return known[shape, typed]


def layers_with_maps(network: fx.GraphModule, shape: Shape) -> dict[str, tuple[int, tuple[int, int]]]:
    """Network, (C, H, W) of its pictures -> the steps that `map_layer` takes, in running order: channels and cells."""
    shapes, steps = shapes_of(network, shape), steps_of(network)
    return {
        name: _channels_and_cells(shapes[steps[name].name], channels_last(network, steps[name]))
        for name in _there(network, shapes)
    }


def _there(network: fx.GraphModule, shapes: _Shapes) -> list[str]:
    used = _on_the_way(network, shapes)
    return [name for name, node in steps_of(network).items() if node in used and _has_maps(shapes, node)]


def _found(network: fx.GraphModule, shape: Shape, typed: str) -> MapLayer:
    shapes = shapes_of(network, shape)
    steps, there = steps_of(network), _there(network, shapes)
    if typed in ("", "auto"):
        if not there:
            raise BadInput(
                "The network has no step with places: every value is a list of numbers or maps of 1 x 1 cell. "
                "Methods that need no layer are saliency, integrated-gradients, occlusion and rise."
            )
        name = _chosen(network, shapes, there, min(CELLS, min(shape[1:]) // 2))
    else:
        name = _named(network, typed)
        if name not in there:
            raise BadInput(_placeless(network, name, shapes, there))
    node = steps[name]
    last = channels_last(network, node)
    channels, cells = _channels_and_cells(shapes[node.name], last)
    field = receptive_fields(network, shapes).get(node.name)
    (top, down), (left, right) = (_lattice(field, a, cells[a], shape[1 + a]) for a in (0, 1))
    return MapLayer(name, channels, cells, last, (top, left), (down, right))


def _chosen(network: fx.GraphModule, shapes: _Shapes, there: Collection[str], least: int) -> str:
    steps = steps_of(network)
    alone = _bottlenecks(network)
    names = [name for name in there if steps[name] in alone] or list(there)
    side = {name: min(_channels_and_cells(shapes[steps[name].name], channels_last(network, steps[name]))[1])
            for name in names}  # fmt: skip
    fine = [name for name in names if side[name] >= least]
    return fine[-1] if fine else max(reversed(names), key=side.__getitem__)


def _named(network: fx.GraphModule, typed: str) -> str:
    steps = steps_of(network)
    if typed in steps:
        return typed
    inside = [name for name, blocks in blocks_of(network).items() if typed in blocks]
    if inside:
        return inside[-1]
    node = step_named(network, typed)
    return next((name for name, other in steps.items() if other is node), typed)


def _placeless(network: fx.GraphModule, name: str, shapes: _Shapes, there: Collection[str]) -> str:
    node = steps_of(network).get(name)
    shape = shapes.get(node.name, ())[1:] if node is not None else ()
    if node is None:
        what = f"{name} is what the network gets, not a step of it"
    elif len(shape) == 1:
        what = f"{name} gives {shape[0]:,} numbers without places"
    elif node is not None and _has_maps(shapes, node):
        what = f"The answer does not depend on {name}"
    else:
        what = f"{name} gives {' x '.join(map(str, shape)) or 'one'} numbers without places"
    some = list(there)[-6:]
    instead = f"the last steps with maps: {', '.join(some)}" if some else "no step of this network has maps"
    return f"{what}; {instead}."


def _has_maps(shapes: _Shapes, node: fx.Node) -> bool:
    shape = shapes.get(node.name, ())
    return len(shape) == 4 and sorted(shape[1:])[1] > 1


def _channels_and_cells(shape: tuple[int, ...], last: bool) -> tuple[int, tuple[int, int]]:
    return (shape[3], (shape[1], shape[2])) if last else (shape[1], (shape[2], shape[3]))


def _on_the_way(network: fx.GraphModule, shapes: _Shapes) -> set[fx.Node]:
    """Nodes with weights behind them that the answer depends on; a picture scaled or padded is no map of a network."""
    weighed: set[fx.Node] = set()
    for node in network.graph.nodes:
        own = node.op == "call_module" and next(network.get_submodule(str(node.target)).parameters(), None) is not None
        reads = any(before.op == "get_attr" for before in node.all_input_nodes)
        if own or reads or any(before in weighed for before in node.all_input_nodes):
            weighed.add(node)
    needed: set[fx.Node] = set()
    for node in reversed(network.graph.nodes):
        if node.op == "output" or any(user in needed for user in node.users):
            needed.add(node)
    return {node for node in weighed & needed if node.name in shapes and node.op != "output"}


def _bottlenecks(network: fx.GraphModule) -> set[fx.Node]:
    """Nodes behind which nothing made earlier is read: ends of blocks, and every step of a plain row."""
    order = {node: at for at, node in enumerate(network.graph.nodes)}
    sizes, found, latest = set[fx.Node](), set[fx.Node](), 0
    for node, at in order.items():
        given = [before for before in node.all_input_nodes if before.op != "get_attr"]
        if _is_size(node) or (given and all(before in sizes for before in given)):
            sizes.add(node)
        elif node.op not in ("get_attr", "output"):
            if latest <= at:
                found.add(node)
            latest = max([latest, *(order[user] for user in node.users if not _is_size(user))])
    return found


def _is_size(node: fx.Node) -> bool:
    word = node.target if isinstance(node.target, str) else getattr(node.target, "__name__", "")
    return node.op in ("call_function", "call_method") and word in ("size", "dim", "getattr")


def _lattice(field: ReceptiveField | None, axis: int, cells: int, pixels: int) -> tuple[float, float]:
    """-> the first cell's pixel and the pixels from cell to cell; tiles where cells have no window of their own."""
    step = field.stride[axis] if field is not None and not field.whole else 0.0
    if not 0 < step * cells <= pixels + step:
        step = pixels / cells
    return (pixels - 1 - (cells - 1) * step) / 2, step


def _between(cells: int, pixels: int, first: float, step: float) -> torch.Tensor:
    """-> float64 (pixels, cells): how much of each cell's value a pixel takes; rows add up to 1."""
    at = ((torch.arange(pixels, dtype=torch.float64) - first) / step).clamp(0, cells - 1)
    low = at.floor().long().clamp(max=max(cells - 2, 0))
    share = at - low
    found = torch.zeros(pixels, cells, dtype=torch.float64)
    found[torch.arange(pixels), low] = 1 - share
    found[torch.arange(pixels), (low + 1).clamp(max=cells - 1)] += share
    return found
