"""The optimised picture: it shows what a unit with a known preference prefers, always the same, and touches nothing."""

from __future__ import annotations

import copy
from collections.abc import Generator
from typing import Any

import numpy as np
import pytest
import torch
from torch import fx, nn

from cutaway.errors import BadInput, BadModel
from cutaway.events import Progress
from cutaway.explanation.dream import Dream, Recipe, dream, spectrum_weights
from cutaway.explanation.network import own_network
from cutaway.explanation.unit import Unit, unit_named
from cutaway.graph.shapes import shapes_of
from cutaway.graph.trace import trace
from cutaway.image import InputContract
from cutaway.model import Model

SIZE = (24, 20)


def made(net: nn.Module, typed: str, contract: InputContract | None = None, **knobs: Any) -> Dream:
    contract = contract or InputContract(SIZE)
    recipe = Recipe(**{"steps": 48, **{k: v for k, v in knobs.items() if k in Recipe.__slots__}})
    rest = {k: v for k, v in knobs.items() if k not in Recipe.__slots__}
    model = Model(trace(net.eval()), contract, ("a", "b"))
    network = own_network(model)
    unit: Unit = unit_named(typed, network, shapes_of(network, (contract.in_channels, *contract.size)), model.classes)
    return last(dream(network, contract, unit, recipe, **rest))


def last(running: Generator[Progress, None, Dream]) -> Dream:
    ended: list[Dream] = []

    def run() -> Generator[Progress, None, None]:
        ended.append((yield from running))

    assert all(isinstance(event, Progress) for event in run())
    return ended[0]


def one_kernel(kernel: torch.Tensor, bias: float = 0.0) -> nn.Sequential:
    """Kernel (I, k, k) -> a network with it as its only convolution."""
    net = nn.Sequential(nn.Conv2d(len(kernel), 1, kernel.shape[-1], padding=kernel.shape[-1] // 2), nn.ReLU())
    with torch.no_grad():
        net[0].weight[0] = kernel
        net[0].bias.fill_(bias)
    return net


def vertical_edge() -> torch.Tensor:
    kernel = torch.zeros(3, 5, 5)
    kernel[:, :, :2], kernel[:, :, 3:] = -0.1, 0.1
    return kernel


def slopes(picture: np.ndarray) -> tuple[float, float]:
    """Mean absolute difference of neighbours across and down."""
    grey = picture.astype(float).mean(2)
    return float(np.abs(np.diff(grey, axis=1)).mean()), float(np.abs(np.diff(grey, axis=0)).mean())


def test_an_edge_detector_gets_vertical_edges() -> None:
    found = made(one_kernel(vertical_edge()), "0[0]")
    across, down = slopes(found.picture)
    assert across > 1.5 * down
    turned = made(one_kernel(vertical_edge().transpose(1, 2).contiguous()), "1[0]")
    across, down = slopes(turned.picture)
    assert down > 1.5 * across
    assert found.value > 2
    assert found.grey == pytest.approx(0.1 * 3 * 10 * 128 / 255, rel=1e-5)  # at the left border, beside padding of 0
    assert found.curve[-1] > 2 * found.curve[0]
    assert (found.steps, len(found.curve), found.flat, found.stopped) == (48, 48, False, False)


@pytest.mark.parametrize("order", ["RGB", "BGR"])
def test_a_colour_detector_gets_its_colour(order: Any) -> None:
    kernel = torch.tensor([-1.0, -1.0, 1.0]).reshape(3, 1, 1)  # the third channel: blue of RGB, red of BGR
    contract = InputContract(SIZE, channels=order, mean=(0.5, 0.5, 0.5), std=(0.2, 0.2, 0.2))
    picture = made(one_kernel(kernel), "0[0]", contract, steps=160).picture.reshape(-1, 3).mean(0)
    wanted = 2 if order == "RGB" else 0
    assert picture[wanted] > np.delete(picture, wanted).max() + 60


def test_gray_input_of_28_px_gives_a_gray_picture() -> None:
    found = made(one_kernel(vertical_edge()[:1]), "1[0]", InputContract((28, 28), channels="gray"))
    assert found.picture.shape == (28, 28, 3)
    assert (found.picture[..., 0] == found.picture[..., 2]).all()
    across, down = slopes(found.picture)
    assert across > 1.5 * down


def classifier() -> nn.Module:
    torch.manual_seed(1)
    return nn.Sequential(
        nn.Conv2d(3, 6, 3, 2), nn.BatchNorm2d(6), nn.ReLU6(inplace=True), nn.Conv2d(6, 8, 3), nn.SiLU(),
        nn.Flatten(), nn.Linear(8 * 9 * 7, 2),
    )  # fmt: skip


def test_a_class_a_cell_and_a_norm_are_reached_beyond_grey() -> None:
    for typed in ("class:b", "6[0]", "4[3,2,2]", "1[2]", "2[1]", "4[7]"):
        found = made(classifier(), typed, steps=24)
        assert found.value > found.grey, typed
        assert found.curve[-1] > found.curve[0], typed


def test_a_cell_changes_only_what_it_sees() -> None:
    alone = made(classifier(), "0[1,4,5]", robust=False)
    assert alone.cell == (4, 5)
    window = alone.picture[8:11, 10:13].astype(int)
    assert np.ptp(window) > 50
    outside = alone.picture.astype(int)
    outside[8:11, 10:13] = 128
    assert np.abs(outside - 128).mean() < np.abs(window - 128).mean()
    moved = made(classifier(), "0[1,4,5]", middle=(9.0, 11.0), sees=3.0)
    assert moved.value > 2 * max(moved.grey, 0.1)


def test_the_same_seed_gives_the_same_picture_and_leaves_the_worlds_randomness_alone() -> None:
    one, two = made(classifier(), "4[3]", steps=10), made(classifier(), "4[3]", steps=10)
    net = one_kernel(vertical_edge())
    before = torch.get_rng_state()
    made(net, "0[0]", steps=3)
    assert torch.equal(torch.get_rng_state(), before)
    assert (one.picture == two.picture).all()
    assert one.curve == two.curve
    assert (made(classifier(), "4[3]", steps=10, seed=1).picture != one.picture).any()


def test_the_network_is_left_as_it_was() -> None:
    model = Model(trace(classifier().eval()), InputContract(SIZE), ("a", "b"))
    weights = copy.deepcopy(model.graph.state_dict())
    network = own_network(model)
    modes = [(layer.training, getattr(layer, "inplace", None)) for layer in network.modules()]
    unit = unit_named("2[1]", network, shapes_of(network, (3, *SIZE)), model.classes)
    last(dream(network, model.contract, unit, Recipe(5)))
    for name, value in model.graph.state_dict().items():
        assert torch.equal(value, weights[name])
    assert all(p.grad is None for g in (model.graph, network) for p in g.parameters())
    assert modes == [(layer.training, getattr(layer, "inplace", None)) for layer in network.modules()]


def test_a_relu_that_is_silent_on_noise_is_woken() -> None:
    found = made(one_kernel(vertical_edge(), bias=-1.6), "1[0]", steps=96)
    assert found.grey == 0
    assert found.curve[0] < 0.5
    assert found.value > 0.1


def test_a_relu6_is_climbed_and_told_beyond_its_ceiling() -> None:
    net = nn.Sequential(nn.Conv2d(3, 1, 1), nn.ReLU6())
    with torch.no_grad():
        net[0].weight.fill_(4.0)
        net[0].bias.fill_(0.5)
    found = made(net, "1[0]")
    assert found.value > 9
    assert found.picture.mean() > 145


def test_a_unit_that_no_picture_changes_is_told_after_one_step() -> None:
    found = made(one_kernel(torch.zeros(3, 3, 3), bias=-2), "1[0]")
    assert (found.flat, found.steps, found.value) == (True, 1, 0.0)


def test_plain_pixels_are_rougher() -> None:
    """What the spectrum is for: neighbouring pixels agree more."""
    waves = made(classifier(), "class:a", robust=False)
    plain = made(classifier(), "class:a", robust=False, fourier=False)
    rough = [np.abs(np.diff(d.picture.astype(float), axis=1)).mean() / d.picture.std() for d in (waves, plain)]
    assert rough[0] < 0.7 * rough[1]


@pytest.mark.parametrize("size", [(8, 8), (7, 10), (9, 5)])
def test_weights_of_the_spectrum_are_lucids(size: tuple[int, int]) -> None:
    height, width = size
    frequency = np.sqrt(np.fft.fftfreq(height)[:, None] ** 2 + np.fft.rfftfreq(width)[None] ** 2)
    wanted = np.sqrt(height * width) / np.maximum(frequency, 1 / max(size)) ** 1.5
    np.testing.assert_allclose(spectrum_weights(size, 1.5), wanted, rtol=1e-5)


def test_ctrl_c_keeps_the_steps_done() -> None:
    model = Model(trace(classifier().eval()), InputContract(SIZE), ("a", "b"))
    network = own_network(model)
    unit = unit_named("class:a", network, shapes_of(network, (3, *SIZE)), model.classes)
    running = dream(network, model.contract, unit, Recipe(1000))
    assert next(running) == Progress("dream", 8, 1000, "steps")
    with pytest.raises(StopIteration) as end:
        running.throw(KeyboardInterrupt())
    assert (end.value.value.steps, end.value.value.stopped) == (8, True)


def test_a_network_without_a_gradient_is_told() -> None:
    graph = fx.Graph()
    x = graph.placeholder("x")
    still = graph.call_function(torch.ones, (1, 2))
    graph.output(graph.call_function(torch.add, (still, graph.call_method("mean", (x, (1, 2, 3))))))
    model = fx.GraphModule(nn.Module(), graph)
    unit = unit_named("ones[1]", model, shapes_of(model, (3, *SIZE)), ())
    with pytest.raises(BadModel, match=r"ones\[1\] has no gradient towards the picture.*--steps 0 shows the photos"):
        last(dream(model, InputContract(SIZE), unit, Recipe(3)))


def test_values_that_are_not_finite_are_told() -> None:
    net = one_kernel(vertical_edge())
    with torch.no_grad():
        net[0].weight[0, 0, 0, 0] = torch.inf
    with pytest.raises(BadModel, match=r"0\[0\] gives values that are not finite after 0 steps"):
        made(net, "0[0]")


def test_no_step_is_refused() -> None:
    with pytest.raises(BadInput, match=r"steps must be at least 1\. Got 0"):
        made(classifier(), "class:a", steps=0)
