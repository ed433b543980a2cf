"""Random weights: nothing learned is left, answers keep their spread, the network that was given stays as it is."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import fx, nn

from cutaway.explanation.question import Question, ask
from cutaway.explanation.randomise import randomised, untrained
from cutaway.graph.trace import trace
from cutaway.image import InputContract
from cutaway.model import Model


def made(*layers: nn.Module, count: int = 1) -> Question:
    torch.manual_seed(0)
    net = nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(6, 3))
    for layer in net:
        if isinstance(layer, nn.BatchNorm2d):
            nn.init.normal_(layer.weight)
            nn.init.normal_(layer.bias)
    pixels = np.random.default_rng(0).integers(0, 256, (count, 16, 16, 3), dtype=np.uint8)
    return ask(Model(trace(net.eval()), InputContract((16, 16)), ("a", "b", "c")), pixels)


def state(network: fx.GraphModule) -> dict[str, torch.Tensor]:
    return {name: value.clone() for name, value in network.state_dict().items()}


def test_every_weight_is_another_and_the_network_is_untouched() -> None:
    question = made(nn.Conv2d(3, 6, 3), nn.BatchNorm2d(6), nn.ReLU(), nn.Conv2d(6, 6, 3, groups=2), nn.PReLU(6))
    before, dice = state(question.network), torch.get_rng_state()
    other = untrained(question).network
    for name, value in state(question.network).items():
        assert torch.equal(value, before[name]), name
    assert torch.equal(dice, torch.get_rng_state())
    after = state(other)
    assert [n for n in before if n.endswith("weight") and torch.equal(before[n], after[n])] == ["4.weight"], (
        "six equal slopes have no other order"
    )
    assert torch.equal(after["1.weight"], torch.ones(6))
    assert not any(after[n].any() for n in after if n.endswith("bias"))


def test_it_is_the_same_for_a_seed() -> None:
    question = made(nn.Conv2d(3, 6, 3))
    first, again, other = (state(untrained(question, s).network) for s in (0, 0, 1))
    assert all(torch.equal(first[n], again[n]) for n in first)
    assert not torch.equal(first["0.weight"], other["0.weight"])


def test_norms_measure_the_pictures() -> None:
    question = made(nn.Conv2d(3, 6, 3, bias=False), nn.BatchNorm2d(6), count=9)
    twin = randomised(question.network, question.x)
    (conv, norm) = (twin.get_submodule(n) for n in "01")
    assert isinstance(norm, nn.BatchNorm2d)
    out = conv(question.x)
    # the layer before was scaled after the norm was not yet there: both see the same values
    torch.testing.assert_close(norm.running_mean, out.mean((0, 2, 3)), rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(norm.running_var, out.var((0, 2, 3), correction=0), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("gain", [0.05, 40.0])
def test_without_norms_answers_neither_fade_nor_overflow(gain: float) -> None:
    layers: list[nn.Module] = []
    for i in range(12):
        conv = nn.Conv2d(6 if i else 3, 6, 3, padding=1)
        with torch.no_grad():
            conv.weight.mul_(gain)
        layers += [conv, nn.ReLU()]
    question = made(*layers)
    with torch.no_grad():
        ours = question.network(question.x).std()
    twin = randomised(question.network, question.x)
    assert float(twin(question.x).std() / ours) == pytest.approx(1, rel=1e-3)


def test_equal_weights_become_different_ones() -> None:
    question = made(nn.Conv2d(3, 6, 3))
    with torch.no_grad():
        question.network.get_submodule("0").weight.fill_(0.1)  # type: ignore[union-attr,operator]
    weight = untrained(question).network.get_submodule("0").weight
    assert float(weight.std()) > 0  # type: ignore[arg-type,operator]
