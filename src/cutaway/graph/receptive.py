"""Graph and shapes -> the receptive field of every step: which pixels one of its numbers depends on.

Exact window arithmetic (Araujo, Norris and Sim 2019, "Computing receptive fields of convolutional neural networks",
extended to upsampling, adaptive pools, merged and reordered dimensions). Windows are not clipped to the picture and a
dilated or strided window counts from its first to its last pixel. Mirroring pads count like zeros.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from torch import fx

from cutaway.graph.axis import Axis
from cutaway.graph.receptive_calls import call_view
from cutaway.graph.receptive_layers import module_view
from cutaway.graph.view import Shape, View

_Pair = tuple[float, float]


@dataclass(frozen=True, slots=True)
class ReceptiveField:
    """What one number of a step sees, along rows and columns; sizes and places in pixels of the network's input.

    `whole`: every number sees the whole picture. `gated`: it has a window of its own and besides, through a pool or a
    normalisation over all places, the whole picture (squeeze-and-excitation, group norm).
    """

    rows: Axis
    columns: Axis
    whole: bool = False
    gated: bool = False

    @property
    def size(self) -> tuple[int, int]:
        """Height and width of the window."""
        return self.rows.size, self.columns.size

    @property
    def stride(self) -> _Pair:
        """Pixels between the windows of neighbours down and across; 0 where all numbers see the same."""
        return self.rows.stride, self.columns.stride

    @property
    def offset(self) -> _Pair:
        """Row and column of the centre of the first number's window; (0, 0) is the centre of the first pixel."""
        return self.rows.offset, self.columns.offset

    def window(self, row: int, column: int, picture: tuple[int, int] | None = None) -> tuple[int, int, int, int]:
        """Place in the map -> first row, first column, last row, last column that it sees (all included).

        With the picture's (H, W) clipped to it; without, padding counts and numbers may lie outside.
        """
        (top, bottom), (left, right) = self.rows.window(row), self.columns.window(column)
        if picture is None:
            return top, left, bottom, right
        height, width = picture
        return max(top, 0), max(left, 0), min(bottom, height - 1), min(right, width - 1)

    @property
    def text(self) -> str:
        """ "43 x 43", "whole", or "43 x 43, gated"."""
        if self.whole:
            return "whole"
        return f"{self.size[0]} x {self.size[1]}" + (", gated" if self.gated else "")

    def to_dict(self) -> dict[str, object]:
        return {
            "size": list(self.size),
            "stride": list(self.stride),
            "offset": list(self.offset),
            "whole": self.whole,
            "gated": self.gated,
        }


def receptive_fields(graph: fx.GraphModule, shapes: Mapping[str, Shape]) -> dict[str, ReceptiveField]:
    """Graph, the shapes that `shapes_of` found -> node name: receptive field.

    Nodes that do not depend on the picture (stored numbers) and values that are no tensors have none.
    """
    views: dict[fx.Node, View] = {}
    for node in graph.graph.nodes:
        view = _view_of(graph, node, views, shapes)
        if view is not None:
            views[node] = view
    return {node.name: _field(view) for node, view in views.items() if node.name in shapes and node.op != "output"}


def _view_of(
    graph: fx.GraphModule, node: fx.Node, views: Mapping[fx.Node, View], shapes: Mapping[str, Shape]
) -> View | None:
    if node.op == "placeholder":
        return View.of_picture(shapes[node.name]) if len(shapes.get(node.name, ())) == 4 else None
    if node.op in ("get_attr", "output") or not any(before in views for before in node.all_input_nodes):
        return None
    if node.op == "call_module":
        return module_view(graph.get_submodule(str(node.target)), node, views, shapes)
    return call_view(node, views, shapes)


def _field(view: View) -> ReceptiveField:
    rows, columns = view.axes["h"], view.axes["w"]
    everywhere = view.whole >= {"h", "w"}
    own_window = bool(rows.step or columns.step)
    return ReceptiveField(rows, columns, everywhere and not own_window, everywhere and own_window)
