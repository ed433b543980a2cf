"""What was typed for a unit ("conv3[12]", "conv3[12,4,7]", "class:dog") -> the numbers of a network that it means."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import fx, nn

from cutaway.engine.silent import channels_last, rule_of
from cutaway.errors import BadInput, BadModel, must_be
from cutaway.explanation.target import class_named
from cutaway.graph.extra import ClippedReLU
from cutaway.graph.names import names_of, step_named, steps_of

_BRACKETS = re.compile(r"(?P<layer>.*?)\s*\[(?P<inside>[^\[\]]*)\]")
_NUMBER = re.compile(r"\d{1,9}")
_CLASS = "class:"
_LIKE = "like conv3[12] (channel), conv3[12,4,7] (channel, row, column), conv3[*] (the most active) or class:dog"
Shapes = Mapping[str, tuple[int, ...]]


@dataclass(frozen=True, slots=True)
class Layer:
    """A step with channels: `node` is its node's name, `size` the rows and columns of its maps (1, 1 for numbers).

    `last`: the channels are the last axis of its value. `rests`: its values rest at zero (ReLU and its kin).
    `ceiling`: the value they end at (6 for ReLU6), None for no end. `source`: the step whose value is read: the layer
    itself, or what goes into a ReLU with a ceiling, at which photos could no longer be told apart.
    """

    name: str
    node: str
    channels: int
    size: tuple[int, int]
    maps: bool
    last: bool
    rests: bool
    ceiling: float | None
    source: str


@dataclass(frozen=True, slots=True)
class Unit:
    """One channel of a layer, one cell of its map, or one class's logit (`target` is then the class's name)."""

    layer: Layer
    channel: int
    cell: tuple[int, int] | None = None
    target: str = ""

    @property
    def name(self) -> str:
        if self.target:
            return f"class:{self.target}"
        where = "" if self.cell is None else f",{self.cell[0]},{self.cell[1]}"
        return f"{self.layer.name}[{self.channel}{where}]"

    def values(self, value: torch.Tensor) -> torch.Tensor:
        """Value of the layer's source for N pictures -> the unit's numbers (N, H, W); (N, 1, 1) for a cell, number or
        class. Below zero a ReLU gives zero; a ceiling is left away."""
        found = self.raw(value)
        return found if self.layer.ceiling is None else found.clamp_min(0)

    def raw(self, value: torch.Tensor) -> torch.Tensor:
        """Value of any step of the layer's shape -> the same numbers of it, as they are."""
        found = by_channel(value, self.layer)[:, self.channel]
        if self.cell is None:
            return found
        row, column = self.cell
        return found[:, row : row + 1, column : column + 1]


def by_channel(value: torch.Tensor, layer: Layer) -> torch.Tensor:
    """A layer's value for N pictures -> (N, C, H, W), a view."""
    if value.ndim == 2:
        return value[:, :, None, None]
    return value.permute(0, 3, 1, 2) if layer.last else value


def starred(typed: str) -> str:
    """What was typed -> the layer of "conv3[*]", "" where one unit is meant."""
    found = _BRACKETS.fullmatch(typed.strip())
    return found["layer"] if found and found["inside"].strip() == "*" else ""


def unit_named(typed: str, network: fx.GraphModule, shapes: Shapes, classes: Sequence[str]) -> Unit:
    """What was typed, a network that ends in logits, what `shapes_of` found in it, class names -> Unit.

    Raises BadInput with the nearest names, the number of channels, or the size of the maps; BadModel for a class of a
    network without a row of scores.
    """
    word = typed.strip()
    if word.lower().startswith(_CLASS):
        return _class_unit(word[len(_CLASS) :], network, shapes, classes)
    steps = steps_of(network)
    if word in classes and word not in steps:
        return _class_unit(word, network, shapes, classes)
    found = _BRACKETS.fullmatch(word)
    if not found or not found["layer"]:
        if word not in steps:
            step_named(network, word)  # raises with the nearest names
        layer = layer_named(word, network, shapes)
        raise BadInput(
            f"{word} has {_counted(layer.channels)}; name one, {word}[0] to {word}[{layer.channels - 1}], or ask for "
            f"{word}[*], the most active."
        )
    layer = layer_named(found["layer"], network, shapes)
    if found["inside"].strip() in classes and layer.channels == len(classes) and not layer.maps:
        return Unit(layer, list(classes).index(found["inside"].strip()))
    numbers = [n.strip() for n in found["inside"].split(",")]
    if len(numbers) not in (1, 3) or not all(_NUMBER.fullmatch(n) for n in numbers):
        raise must_be("unit", _LIKE, typed)
    channel, *cell = map(int, numbers)
    _must_be_there(layer, channel, cell)
    return Unit(layer, channel, (cell[0], cell[1]) if cell else None)


def layer_named(name: str, network: fx.GraphModule, shapes: Shapes) -> Layer:
    """Name of a step, network, its shapes -> Layer. Raises BadInput where it is not there or has no channels."""
    node = step_named(network, name)
    return _layer(name, node, network, shapes)


def _layer(name: str, node: fx.Node, network: fx.GraphModule, shapes: Shapes) -> Layer:
    shape = shapes.get(node.name, ())
    if node.op not in ("call_module", "call_function", "call_method") or len(shape) not in (2, 4):
        what = "is not computed by a layer" if not shape or node.op in ("placeholder", "get_attr") else (
            f"gives {' x '.join(map(str, shape[1:]))} numbers, neither maps nor one number a channel"
        )  # fmt: skip
        raise BadInput(f"{name} {what}, so it has no units; layers that have are {_with_units(node, network, shapes)}.")
    last = len(shape) == 4 and channels_last(network, node)
    maps = len(shape) == 4
    channels = shape[-1] if last else shape[1]
    size = ((shape[1], shape[2]) if last else (shape[2], shape[3])) if maps else (1, 1)
    rests, ceiling = rule_of(network, node).name == "zero", ceiling_of(network, node)
    before = node.all_input_nodes[0] if ceiling is not None else node
    if len(shapes.get(before.name, ())) != len(shape) or before.op == "placeholder":
        before, ceiling = node, None
    source = next(n for n, at in names_of(network).items() if at is before)
    return Layer(name, node.name, channels, size, maps, last, rests, ceiling, source)


def ceiling_of(network: fx.GraphModule, node: fx.Node) -> float | None:
    """Node -> the value that a ReLU with an upper end ends at; None for every other step."""
    if node.op != "call_module":
        return 6.0 if node.op == "call_function" and getattr(node.target, "__name__", "") == "relu6" else None
    layer = network.get_submodule(str(node.target))
    if isinstance(layer, nn.Hardtanh):  # ReLU6 is one
        return float(layer.max_val) if layer.min_val == 0 else None
    if not isinstance(layer, ClippedReLU) or layer.negative_slope or layer.threshold or layer.top is None:
        return None
    return float(layer.top)


def _class_unit(word: str, network: fx.GraphModule, shapes: Shapes, classes: Sequence[str]) -> Unit:
    output = next(node for node in network.graph.nodes if node.op == "output")
    node = output.args[0]
    shape = shapes.get(node.name, ()) if isinstance(node, fx.Node) else ()
    if len(shape) != 2:
        raise BadModel("The network's answer is not one row of scores a picture, so it has no classes to look for.")
    index = class_named(word, classes, shape[1])
    name = next(name for name, n in names_of(network).items() if n is node)
    return Unit(
        _layer(name, node, network, shapes), index, None, classes[index] if index < len(classes) else str(index)
    )


def _must_be_there(layer: Layer, channel: int, cell: Sequence[int]) -> None:
    if channel >= layer.channels:
        raise BadInput(
            f"{layer.name} has {_counted(layer.channels)}, 0 to {layer.channels - 1}; "
            f"there is no {layer.name}[{channel}]."
        )
    if cell and not layer.maps:
        raise BadInput(
            f"{layer.name} gives one number a channel, without rows and columns; ask for {layer.name}[{channel}]."
        )
    if cell and not (cell[0] < layer.size[0] and cell[1] < layer.size[1]):
        rows, columns = layer.size
        raise BadInput(
            f"The maps of {layer.name} have rows 0 to {rows - 1} and columns 0 to {columns - 1}; there is no "
            f"{layer.name}[{channel},{cell[0]},{cell[1]}]."
        )


def _counted(channels: int) -> str:
    return f"{channels:,} channel{'s' * (channels != 1)}"


def _with_units(node: fx.Node, network: fx.GraphModule, shapes: Shapes) -> str:
    """The nearest steps in running order that have channels."""
    order = {n: i for i, n in enumerate(network.graph.nodes)}
    steps = [
        (abs(order[n] - order[node]), name)
        for name, n in steps_of(network).items()
        if len(shapes.get(n.name, ())) in (2, 4)
    ]
    return ", ".join(name for _, name in sorted(steps)[:3]) or "none"
