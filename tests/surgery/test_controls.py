"""Controls of a place: what is offered, with the values as they are, and going on with an edit made before."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn

from cutaway.errors import BadInput
from cutaway.graph.trace import trace
from cutaway.image import InputContract
from cutaway.model import Model
from cutaway.surgery.apply import apply
from cutaway.surgery.controls import Control, controls_of
from cutaway.surgery.edits import ScaleWeights, SetActivation, SetPooling, SetStride


@pytest.fixture(scope="module")
def model() -> Model:
    torch.manual_seed(0)
    network = nn.Sequential(
        nn.Conv2d(3, 4, 3, padding=1), nn.BatchNorm2d(4), nn.LeakyReLU(0.2), nn.MaxPool2d(2, dilation=2),
        nn.Dropout(0.3), nn.Flatten(), nn.Linear(4 * 9, 2),
    ).eval()  # fmt: skip
    return Model(trace(network), InputContract((8, 8)), ("a", "b"))


def control(model: Model, layer: str, id_: str, *given: Any) -> Control:
    return next(c for c in controls_of(model, layer, *given).controls if c.id == id_)


def ids(model: Model, layer: str) -> set[str]:
    return {c.id for c in controls_of(model, layer).controls}


def test_values_are_those_of_the_layer(model: Model) -> None:
    assert control(model, "0", "set_padding").document["padding"] == 1
    assert control(model, "4", "set_dropout").fields[0].value == pytest.approx(0.3)
    assert control(model, "2", "set_activation").fields[0].value == "leaky_relu"
    slope = control(model, "2", "set_activation:parameter").fields[0]
    assert (slope.value, slope.label) == (pytest.approx(0.2), "The slope below zero")


def test_only_what_fits_is_offered(model: Model) -> None:
    assert "fold_norm" in ids(model, "1")
    assert "fold_norm" not in ids(apply(model, [SetActivation("2", "relu")]), "2")
    assert "set_pooling" not in ids(model, "3")  # gaps in its window, which average pools have not
    assert "fit_input" in ids(model, "6")
    assert "fit_input" not in ids(model, "2")
    assert {"set_input_size", "set_classes"} <= ids(model, "")


def test_a_pool_without_gaps_may_be_of_the_other_kind() -> None:
    network = nn.Sequential(nn.Conv2d(3, 4, 3), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(36, 2)).eval()
    model = Model(trace(network), InputContract((8, 8)), ("a", "b"))
    assert control(model, "1", "set_pooling").fields[0].value == "max"
    assert control(apply(model, [SetPooling("1", "avg")]), "1", "set_pooling").fields[0].value == "avg"


def test_sliders_hold_the_value_and_end_at_whole_steps(model: Model) -> None:
    edits = [ScaleWeights("0", 7.52)]
    field = control(apply(model, edits), "0", "scale_weights", (), (), edits).fields[0]
    assert (field.value, field.low, field.rest) == (7.52, -2, 1)
    assert field.high is not None
    assert field.high >= 7.52
    bits = control(model, "0", "round_weights").fields[0]
    assert (bits.low, bits.high, type(bits.low)) == (2, 16, int)


def test_it_goes_on_with_its_own_edit_only(model: Model) -> None:
    edits = [ScaleWeights("0", 2.0, (1,)), SetActivation("2", "relu")]
    after = apply(model, edits)
    assert control(after, "0", "scale_weights", (1,), (), edits).at == 0
    assert control(after, "0", "scale_weights", (2,), (), edits).at is None
    assert control(after, "2", "set_activation", (), (), edits).at == 1
    replaced = [SetStride("0", 1), SetStride("0", 1)]
    assert control(model, "0", "set_stride", (), (), replaced).at == 1


def test_what_is_not_there_is_told(model: Model) -> None:
    with pytest.raises(BadInput, match=r"0 has 4 channels, 0 to 3\. Got 4"):
        controls_of(model, "0", (4,))
    with pytest.raises(BadInput, match=r"0 has 3 inputs per filter, 0 to 2\. Got 3"):
        controls_of(model, "0", (), (3,))
    with pytest.raises(BadInput, match="no layer 'nowhere'"):
        controls_of(model, "nowhere")
