"""filters: the kernels of one layer as a picture, with their statistics."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from cutaway.events import Event
from cutaway.verbs.verb import Verb

if TYPE_CHECKING:
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray
    from torch import fx, nn

    from cutaway.draw.scene import Block, Scene

BINS = 61
WEAK = 0.01
"""A filter weaker than this share of the layer's strongest is told as nearly zero."""


@dataclass(frozen=True, slots=True)
class FiltersOptions:
    """Look at the kernels of a layer: as pictures, with their statistics."""

    model: str
    """Run, its name under runs/, last, or any model file."""
    layer: str = ""
    """A layer with weights; default the first convolution."""
    out: str = ""
    """The sheet, .png or .svg; default filters-MODEL.png in this folder."""


@dataclass(frozen=True, slots=True)
class FiltersResult:
    """The sheet's path and what the layer's weights are.

    `shape` (O, I, kH, kW); `strengths` per filter: root of the sum of squares; `weak`: filters below a hundredth of the
    strongest; `counts` between `edges`: histogram of all weights.
    """

    model: str
    layer: str
    kind: str
    path: Path
    shape: tuple[int, ...]
    groups: int
    min: float
    max: float
    mean: float
    std: float
    zeros: int
    strengths: tuple[float, ...]
    weak: tuple[int, ...]
    counts: tuple[int, ...]
    edges: tuple[float, ...]

    def to_dict(self) -> dict[str, Any]:
        numbers = {name: round(getattr(self, name), 6) for name in ("min", "max", "mean", "std")}
        return {
            "model": self.model, "layer": self.layer, "kind": self.kind, "path": str(self.path),
            "shape": list(self.shape), "groups": self.groups, **numbers, "zeros": self.zeros,
            "strengths": [round(s, 6) for s in self.strengths], "weak": list(self.weak),
            "counts": list(self.counts), "edges": [round(e, 6) for e in self.edges],
        }  # fmt: skip


def _run(options: FiltersOptions) -> Generator[Event, None, FiltersResult]:
    import numpy as np

    from cutaway.draw.kernels import strengths
    from cutaway.engine.kernels import in_rgb, kernels_of, layers_with_kernels
    from cutaway.verbs.find import find_model
    from cutaway.verbs.picture_file import picture_file

    yield from ()  # a verb is a generator; this one has nothing to tell on the way
    path = picture_file(options.out, "filters", options.model)
    model = find_model(options.model)
    layers = layers_with_kernels(model.graph)
    name = _asked(options.layer, model.graph, layers)
    module = layers[name]
    weights = kernels_of(module, name)
    counts, edges = np.histogram(weights, BINS, _span(weights))
    per_filter = strengths(weights)
    result = FiltersResult(
        options.model, name, type(module).__name__, path, weights.shape, int(getattr(module, "groups", 1)),
        float(weights.min()), float(weights.max()), float(weights.mean(dtype=np.float64)),
        float(weights.std(dtype=np.float64)), int((weights == 0).sum()), tuple(map(float, per_filter)),
        tuple(int(i) for i in np.flatnonzero(per_filter < WEAK * per_filter.max())),
        tuple(map(int, counts)), tuple(map(float, edges)),
    )  # fmt: skip
    scene = _sheet(result, weights, in_rgb(weights, model.graph, name, model.contract))
    if path.suffix.lower() == ".svg":
        path.write_text(scene.svg(), encoding="utf-8")
    else:
        path.write_bytes(scene.png())
    return result


def _asked(typed: str, graph: fx.GraphModule, layers: dict[str, nn.Module]) -> str:
    from torch import nn

    from cutaway.errors import BadInput
    from cutaway.graph.names import step_named

    if not typed:
        convolutions = [name for name, module in layers.items() if not isinstance(module, nn.Linear)]
        if not convolutions:
            raise BadInput("The network has no convolution; name one of its layers with --layer.")
        return convolutions[0]
    if typed in layers:
        return typed
    step_named(graph, typed)  # raises with the nearest names
    first = ", ".join(list(layers)[:5]) or "none"
    raise BadInput(f"The layer {typed!r} has no kernels; layers that have are {first}, and so on.")


def _span(weights: NDArray[np.float32]) -> tuple[float, float]:
    """-> the histogram's ends: round zero where weights lie on both sides, never a single point."""
    low, high = float(weights.min()), float(weights.max())
    return (low, high) if high - low > 1e-12 * max(abs(low), abs(high), 1e-30) else (low - 0.5, high + 0.5)


def _sheet(result: FiltersResult, weights: NDArray[np.float32], rgb: NDArray[np.float32] | None) -> Scene:
    from cutaway.draw.histogram import histogram_block
    from cutaway.draw.kernels import WIDTH, kernels_block
    from cutaway.draw.scene import Block, Mark, moved, number, page
    from cutaway.verbs.model_name import title_of

    outs, ins, high, wide = result.shape
    network = title_of(result.model)
    each = f"{ins} × {high} × {wide}" if (high, wide) != (1, 1) else f"{ins}"
    grouped = f" in {result.groups} groups" if result.groups > 1 else ""
    facts = (
        f"{outs} filters of {each} weights{grouped}; {number(result.min)} to {number(result.max)}, mean "
        f"{number(result.mean)}, standard deviation {number(result.std)}"
    )
    weak = f"; {len(result.weak)} filters are nearly zero" if result.weak else ""
    half = (WIDTH - 60) / 2
    left = histogram_block(result.counts, result.edges, half, 190, f"all {weights.size:,} weights")
    right = _strengths(result, half)
    marks: list[Mark] = [*left.marks, *moved(right.marks, half + 60, 0)]
    kernels = kernels_block(weights if rgb is None else rgb, sees_colours=rgb is not None)
    blocks = [kernels, Block(190, tuple(marks))]
    return page(f"{result.layer}: kernels", (f"{network}, {result.kind}", f"{facts}{weak}."), blocks, gap=30)


def _strengths(result: FiltersResult, width: float) -> Block:
    """Filters by strength, the strongest first, with the ends in numbers."""
    from cutaway.draw.scene import BLUE, INK, MUTED, Block, Box, Line, Mark, Words, number

    order = sorted(range(len(result.strengths)), key=lambda i: -result.strengths[i])
    top, base = 26.0, 168.0
    most = max(result.strengths) or 1.0
    pitch = width / len(order)
    gap = 0.5 if pitch > 2 else 0.0
    marks: list[Mark] = [Words(0, 13, "strength of each filter (root of the sum of squares)", 14, INK, strong=True)]
    for place, i in enumerate(order):
        tall = (base - top) * result.strengths[i] / most
        marks.append(Box(place * pitch, base - tall, max(0.5, pitch - gap), tall, BLUE))
    first, last = (f"filter {i}: {number(result.strengths[i])}" for i in (order[0], order[-1]))
    marks += [Line(0, base, width, base, MUTED, 0.5), Words(0, base + 15, first, 11.5, MUTED),
              Words(width, base + 15, last, 11.5, MUTED, "end")]  # fmt: skip
    return Block(190, tuple(marks))


filters = Verb("filters", FiltersOptions, _run)
