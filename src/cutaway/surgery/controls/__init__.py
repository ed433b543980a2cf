"""What can be done to a place of a network, as controls: computed here, drawn by whoever shows them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from torch import nn

from cutaway.errors import BadInput
from cutaway.model import Model
from cutaway.surgery.controls import layers, network, weights, windows
from cutaway.surgery.controls.control import Choice as Choice
from cutaway.surgery.controls.control import Control as Control
from cutaway.surgery.controls.control import Field as Field
from cutaway.surgery.controls.control import Place as Place
from cutaway.surgery.edit import Edit
from cutaway.surgery.filters_of import seen
from cutaway.surgery.patient import Patient

UNCONTROLLED = {"together": "it is made of other edits: by remedies, and by the controls of every layer at once"}
"""Edits without a control of their own, and why."""


@dataclass(frozen=True, slots=True)
class Operations:
    """Controls of a place. `channels`, `inputs`: how many there are to choose from, 0 where there is nothing."""

    layer: str
    kind: str
    channels: int
    inputs: int
    controls: tuple[Control, ...]


def controls_of(
    model: Model,
    layer: str = "",
    channels: Sequence[int] = (),
    inputs: Sequence[int] = (),
    edits: Sequence[Edit] = (),
) -> Operations:
    """Edited model, step ("": the network as a whole), chosen output channels and inputs, the edits that made it ->
    every edit that fits, with its values as they are.

    Raises BadInput for a step or a channel that is not there.
    """
    place = Place(Patient(model), layer, tuple(channels), tuple(inputs), tuple(edits))
    if not layer:
        return Operations("", "network", 0, 0, tuple(network.network(place)))
    node = place.patient.node(layer)
    made, taken = _counts(place)
    for what, given, count in (("channels", channels, made), ("inputs per filter", inputs, taken)):
        if bad := [index for index in given if not 0 <= index < count]:
            raise BadInput(f"{layer} has {count} {what}, 0 to {count - 1}. Got {bad[0]}.")
    if node.op == "placeholder":
        rest = (*layers.given(place), *layers.structure(place))
        return Operations(layer, "input", made, taken, (*network.network(place), *rest))
    found = [
        one
        for part in (weights.weights, layers.activation, layers.given, windows.windows, layers.normalisation,
                     layers.dropout, layers.structure)
        for one in part(place)
    ]  # fmt: skip
    kind = (
        type(place.module).__name__ if place.module is not None else str(getattr(node.target, "__name__", node.target))
    )
    return Operations(layer, kind, made, taken, tuple(found))


def _counts(place: Place) -> tuple[int, int]:
    """Output channels and inputs per filter: of the layer's weights where it has some, else of what it gives."""
    weight = place.module._parameters.get("weight") if isinstance(place.module, nn.Module) else None
    if weight is None or (weight.ndim == 1 and weight.numel() == 1):
        return layers.channels_given(place), 0
    filters = seen(place.module, weight)  # type: ignore[arg-type]
    return filters.shape[0], filters.shape[1] if filters.ndim > 1 else 0
