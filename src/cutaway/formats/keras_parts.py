"""A Keras network -> Parts: the contract that feeds it, its class names, and what had to be assumed.

Keras files keep the picture's size but not its scaling. Teachable Machine exports are known by their structure and fed
as its own snippet does (centre crop, LANCZOS, x / 127.5 - 1); a network that rescales its input itself gets 0..255; for
the rest 0..1 is assumed and the card says so.
"""

from __future__ import annotations

import functools
import operator
from collections.abc import Callable
from pathlib import Path
from typing import Literal

import torch
from torch import fx

from cutaway.errors import BadModel
from cutaway.formats.keras_config import Network, Progress, build_network
from cutaway.formats.keras_tree import Layer
from cutaway.formats.keras_view import view_only
from cutaway.formats.keras_weights import Weights
from cutaway.formats.labels import class_names
from cutaway.formats.parts import Parts
from cutaway.graph.extra import Rescale
from cutaway.image import InputContract

_SCALES = (operator.mul, operator.truediv, operator.sub, operator.add)


Labels = Callable[[int], tuple[tuple[str, ...], list[str]]]
"""Number of classes -> their names and sentences of note, for files that keep names elsewhere than in labels.txt."""


def keras_parts(
    model: Layer, weights: Weights, path: Path, card: dict[str, str], keras: int, labels: Labels | None = None
) -> Parts:
    """Tree, weights, the file (labels.txt is looked for beside it), card so far, Keras' major version -> Parts.

    Raises OnlyView with every layer of the file where one of them stops the network from being built.
    """
    progress = Progress()
    try:
        network = build_network(model, weights, keras, progress)
    except BadModel as error:
        raise view_only(model, weights, card["format"], str(error), progress) from None
    notes = list(network.notes)
    contract = _contract(model, network, notes)
    classes: tuple[str, ...] = ()
    if len(network.output_shape) == 1:
        classes, more = (labels or functools.partial(class_names, path))(network.output_shape[0])
        notes += more
    if is_teachable_machine(model):
        card = {**card, "producer": f"Teachable Machine ({card['producer']})"}
    return Parts(network.graph, contract, classes, network.probabilities, {**card, "notes": " ".join(notes)})


def is_teachable_machine(model: Layer) -> bool:
    """Sequential of [Sequential of [MobileNet, global average], Sequential of [Dense, Dense softmax without bias]]."""
    parts = _inner(model)
    if model.kind != "Sequential" or [p.kind for p in parts] != ["Sequential", "Sequential"]:
        return False
    features, head = _inner(parts[0]), _inner(parts[1])
    if [p.kind for p in head] != ["Dense", "Dense"] or len(features) != 2:
        return False
    inside = {layer.name for layer in features[0].layers}
    ends_softmax = head[1].settings.get("activation") == "softmax" and head[1].settings.get("use_bias") is False
    return ends_softmax and features[1].kind == "GlobalAveragePooling2D" and {"Conv1", "out_relu"} <= inside


def _inner(layer: Layer) -> list[Layer]:
    return [child for child in layer.layers if child.kind != "InputLayer"]


def _contract(model: Layer, network: Network, notes: list[str]) -> InputContract:
    height, width, channels = network.input_shape
    colours: Literal["gray", "RGB"] = "gray" if channels == 1 else "RGB"
    if is_teachable_machine(model):
        return InputContract((height, width), "crop", 1.0, "lanczos", colours, scale=2.0, offset=-1.0)
    how = "photos are cropped to its shape"
    if _rescales(network.graph):
        notes.append(f"The network scales its input itself and gets values from 0 to 255; {how}.")
        return InputContract((height, width), "crop", 1.0, "bilinear", colours, scale=255.0)
    notes.append(f"The file does not say how pictures are scaled; values from 0 to 1 were assumed and {how}.")
    return InputContract((height, width), "crop", 1.0, "bilinear", colours)


def _rescales(graph: fx.GraphModule) -> bool:
    """Whether a Rescaling or Normalization layer is inside, or the first thing done is arithmetic with a number."""
    if any(isinstance(module, Rescale) for module in graph.modules()):
        return True
    node = next(n for n in graph.graph.nodes if n.op == "placeholder")
    while len(node.users) == 1:
        node = next(iter(node.users))
        if node.op == "call_function" and node.target in _SCALES:
            return any(isinstance(a, float) for a in node.args)
        if node.op == "call_function" and node.target is torch.flip:  # RGB to BGR, before the mean is taken off
            continue
        if not (node.op == "call_module" and type(graph.get_submodule(node.target)).__name__ == "Identity"):
            return False
    return False
