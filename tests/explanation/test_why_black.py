"""Why a map is black: a network made for each reason, and the numbers by hand."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

from cutaway.errors import BadInput
from cutaway.explanation.why_black import KINDS, Why, tally, why_layers, why_silent
from cutaway.graph.extra import ClippedReLU, ScaleChannels
from cutaway.graph.trace import trace
from cutaway.image import InputContract
from cutaway.model import Model

GREY = np.full((1, 6, 6, 3), 51, np.uint8)  # 0.2 for the network


def model(*layers: nn.Module) -> Model:
    return Model(trace(nn.Sequential(*layers).eval()), InputContract((6, 6)), ("a", "b"))


def conv(cin: int, weight: float, bias: float, size: int = 1, cout: int = 2) -> nn.Conv2d:
    layer = nn.Conv2d(cin, cout, size)
    nn.init.constant_(layer.weight, weight)
    nn.init.constant_(layer.bias, bias)
    return layer


def test_a_bias_that_pulls_down_is_told_with_its_numbers() -> None:
    """3 channels x 0.2 x weight 1 = 0.6; bias -1 takes it to -0.4. White could reach 2."""
    why = why_silent(model(conv(3, 1.0, -1.0), nn.ReLU()), "1", 1, GREY, photos=400)
    assert (why.kind, why.channel, why.layer) == ("bias", 1, "1")
    assert why.highest == pytest.approx(-0.4, abs=1e-6)
    assert why.bias == -1
    assert why.sentence == (
        "Channel 1 of 1 is black: on this picture what it reads excites it to 0.6 at most, and its bias of -1 pulls "
        "that down to -0.4. None of 400 photos excites it, so its weights get no gradient: training on them leaves it "
        "as it is."
    )


def test_weights_that_speak_against_what_is_there() -> None:
    layer = conv(3, -1.0, 0.1)
    layer.weight.data[:, 0] = 4.0  # red would excite it
    pixels = GREY * np.array([0, 1, 1], np.uint8)
    two = np.concatenate([pixels, pixels])
    why = why_silent(model(layer, nn.ReLU()), "1", 0, two)
    assert why.kind == "against"
    assert why.sentence == (
        "Channel 0 of 1 is black: its sum never exceeds -0.3 on the 2 pictures looked at; what it reads brings -0.4 at "
        "best, its bias +0.1."
    )


def test_what_no_picture_can_excite_is_proved_by_the_pictures_ends() -> None:
    """White: 3 x 1 x 0.3 = 0.9, bias -1: -0.1 at most."""
    why = why_silent(model(conv(3, 0.3, -1.0), nn.ReLU()), "1", 0, GREY)
    assert why.kind == "cannot"
    assert "its sum reaches -0.1 (bias -1)" in why.sentence
    lighter = InputContract((6, 6), scale=2.0, offset=-1.0)  # -1 to 1
    darkest = Model(model(conv(3, -0.4, -1.0), nn.ReLU()).graph, lighter, ("a", "b"))
    assert why_silent(darkest, "1", 0, GREY + 9).kind == "bias"  # black: 3 x -1 x -0.4 = 1.2, so some can


def test_behind_a_relu_only_positive_weights_can_excite() -> None:
    first = conv(3, 1.0, 0.0)
    never = why_silent(model(first, nn.ReLU(), conv(2, -1.0, 0.0), nn.ReLU()), "3", 0, GREY)
    assert (never.kind, never.highest) == ("cannot", pytest.approx(-1.2))
    some = why_silent(model(first, nn.ReLU(), conv(2, 1.0, -20.0), nn.ReLU()), "3", 0, GREY)
    assert some.kind == "bias"
    ended = why_silent(model(first, nn.ReLU6(), conv(2, 1.0, -20.0), nn.ReLU()), "3", 0, GREY)
    assert ended.kind == "cannot"
    assert "reaches -8 (bias -20)" in ended.sentence  # 2 x 6 - 20


@pytest.mark.parametrize("kind", [nn.ReLU(), nn.GELU(), nn.Identity()])
def test_weights_all_zero(kind: nn.Module) -> None:
    why = why_silent(
        model(conv(3, 0.0, -0.5, size=3), kind), "1" if not isinstance(kind, nn.Identity) else "0", 1, GREY
    )
    assert why.kind == "weights"
    assert "whatever the picture: all its 27 weights in 0 are zero, and its bias is -0.5." in why.sentence


def test_weights_that_decay_has_eaten_count_as_zero() -> None:
    layer = conv(3, 1.0, -0.5)
    layer.weight.data[1] = 1e-39
    why = why_silent(model(layer, nn.ReLU()), "1", 1, GREY)
    assert why.kind == "weights"
    assert "are nearly zero (at most 1e-39; others of the layer reach 1), and its bias is -0.5." in why.sentence


def test_a_norm_that_multiplies_by_zero() -> None:
    norm = nn.BatchNorm2d(2)
    norm.weight.data = torch.tensor([1.0, 0.0])
    norm.bias.data = torch.tensor([0.0, 0.25])
    why = why_silent(model(conv(3, 1.0, 0.0), norm, nn.ReLU()), "2", 1, GREY)
    assert why.kind == "scale"
    assert why.sentence == "Channel 1 of 2 gives 0.25 everywhere whatever the picture: 1 multiplies it by 0."
    edited = model(conv(3, 1.0, 0.0), ScaleChannels((0.0, 1.0)), nn.ReLU())
    assert why_silent(edited, "2", 0, GREY).kind == "scale"


def test_a_norm_tells_how_it_was_in_training() -> None:
    """The norm's values lie around its shift with its scale as deviation, by its definition."""
    norm = nn.BatchNorm2d(2)
    norm.weight.data[:] = 0.5
    norm.bias.data[:] = -2.0
    norm.running_mean[:] = 1.2
    why = why_silent(model(conv(3, 2.0, 0.0), norm, nn.ReLU()), "2", 0, GREY)
    assert "In training its values lay around -2, give or take 0.5: it was black there, too." in why.sentence
    assert why.highest == pytest.approx(-2.0, abs=1e-4)
    assert why.bias == pytest.approx(-2.6, abs=1e-4)


def test_nothing_to_read() -> None:
    first = conv(3, 1.0, 0.0)
    first.bias.data[0] = -0.7
    second = conv(2, 1.0, -0.1)
    second.weight.data[:, 1] = 0.0
    why = why_silent(model(first, nn.ReLU(), second, nn.ReLU()), "3", 0, GREY)
    assert why.kind == "input"
    assert "gives 0 everywhere: the one channel it reads of 1 are zero" not in why.sentence
    assert "the one channel it reads of 1 is zero on this picture, which leaves its bias, -0.1." in why.sentence


def test_at_the_upper_end() -> None:
    why = why_silent(model(conv(3, 20.0, 0.0), nn.ReLU6()), "1", 0, GREY)
    assert why.kind == "full"
    assert "never falls below 12" in why.sentence


def test_the_same_everywhere_on_a_picture_of_one_colour() -> None:
    assert why_silent(model(conv(3, 1.0, 0.0), nn.ReLU()), "1", 0, GREY).kind == "constant"


def test_one_that_is_not_black() -> None:
    pixels = GREY.copy()
    pixels[0, :3] = 255
    why = why_silent(model(conv(3, 1.0, -1.0), nn.ReLU()), "1", 0, pixels)
    assert why.sentence == "Channel 0 of 1 is not black: it is above zero at 50.0% of the places on this picture."


class Residual(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.one, self.two = conv(3, 1.0, -2.0), conv(3, 1.0, -1.0)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return F.relu(self.one(x) + self.two(x))


def test_behind_a_sum_the_sum_is_told() -> None:
    net = Model(trace(Residual()), InputContract((6, 6)), ())
    why = why_silent(net, "relu", 0, GREY)
    assert (why.kind, why.highest) == ("below", pytest.approx(-1.8))
    assert why.sentence == "Channel 0 of relu is black: what add gives it never exceeds -1.8 on this picture."
    summed = why_silent(net, "add", 0, GREY)
    assert summed.kind == "unknown"
    assert "it is made by add, which has no weights" in summed.sentence


def test_grouped_dense_and_pooled_layers_and_other_floors() -> None:
    depthwise = nn.Conv2d(3, 3, 1, groups=3)
    nn.init.constant_(depthwise.weight, 1.0)
    depthwise.bias.data = torch.tensor([0.0, -0.5, -2.0])
    net = model(depthwise, nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(27, 4), nn.ReLU())
    net.graph.get_parameter("4.weight").data[:] = 1.0
    net.graph.get_parameter("4.bias").data[:] = -5.0
    kinds = [why.kind for why in why_layers(net, {"2": (0, 1, 2)}, torch.full((1, 3, 6, 6), 0.2))["2"]]
    assert kinds == ["constant", "bias", "cannot"]
    hidden = why_silent(net, "5", 3, GREY)
    assert (hidden.kind, hidden.highest) == ("bias", pytest.approx(9 * 0.2 - 5))
    assert why_silent(model(conv(3, 1.0, -4.0), nn.Hardsigmoid()), "1", 0, GREY).kind == "bias"
    assert why_silent(model(conv(3, 1.0, 0.0), ClippedReLU(threshold=1.0)), "1", 0, GREY).kind == "against"


def test_layers_asked_together_are_told_as_each_alone() -> None:
    torch.manual_seed(0)
    net = model(nn.Conv2d(3, 6, 3), nn.ReLU(), nn.Conv2d(6, 6, 1), nn.BatchNorm2d(6), nn.ReLU(), nn.MaxPool2d(2))
    x = torch.rand(3, 3, 6, 6)
    together = why_layers(net, {name: range(6) for name in ("0", "1", "2", "3", "4", "5")}, x, 9)
    assert list(together) == ["0", "1", "2", "3", "4", "5"]
    assert all(why_layers(net, {name: range(6)}, x, 9)[name] == whys for name, whys in together.items())


def test_reasons_are_counted_and_written() -> None:
    reasons = why_layers(model(conv(3, 1.0, -1.0), nn.ReLU()), {"1": (0, 1)}, torch.full((1, 3, 6, 6), 0.2))["1"]
    assert tally(reasons) == {"bias": 2}
    assert set(tally(reasons)) <= set(KINDS)
    assert reasons[0].to_dict() == {"channel": 0, "reason": "bias", "sentence": reasons[0].sentence, "highest": -0.4,
                                    "bias": -1.0}  # fmt: skip
    assert Why("1", 0, "unknown", "").to_dict()["highest"] is None


def test_a_channel_or_a_layer_that_is_not_there() -> None:
    net = model(conv(3, 1.0, -1.0), nn.ReLU())
    with pytest.raises(BadInput, match=r"channel must be from 0 to 1, as 1 has 2 channels\. Got \[7\]\."):
        why_silent(net, "1", 7, GREY)
    with pytest.raises(BadInput, match="no layer 'relu9'"):
        why_silent(net, "relu9", 0, GREY)


def test_the_model_stays_as_it_was() -> None:
    net = model(conv(3, 1.0, -1.0), nn.BatchNorm2d(2), nn.ReLU())
    before = {name: tensor.clone() for name, tensor in net.graph.state_dict().items()}
    state = torch.get_rng_state()
    why_silent(net, "2", 0, GREY)
    assert all(torch.equal(tensor, before[name]) for name, tensor in net.graph.state_dict().items())
    assert torch.equal(torch.get_rng_state(), state)
