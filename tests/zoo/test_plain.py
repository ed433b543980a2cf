"""The networks written out: parameter counts by hand, shapes, knobs."""

from __future__ import annotations

import pytest
import torch

from cutaway.errors import BadInput
from cutaway.zoo import plain


def count(network: torch.nn.Module) -> int:
    return sum(p.numel() for p in network.parameters())


def test_tutorial_cifar_has_the_tutorials_parameters() -> None:
    network = plain.tutorial_cifar(10)
    by_layer = [count(layer) for layer in network if count(layer)]
    assert by_layer == [896, 18_496, 36_928, 65_600, 650]
    assert count(network) == 122_570


def test_tutorial_cats_dogs_has_the_tutorials_parameters() -> None:
    flat = 17 * 17 * 64
    assert count(plain.tutorial_cats_dogs(2)) == 896 + 9_248 + 18_496 + (flat * 64 + 64) + 2 * 65 == 1_212_578


def test_tutorial_cifar_bn_has_its_parameters() -> None:
    convolutions = 896 + 9_248 + 18_496 + 36_928 + 73_856 + 147_584
    assert count(plain.tutorial_cifar_bn(10)) == convolutions + 2 * 2 * (32 + 64 + 128) + 20_490 == 308_394
    assert [m.p for m in plain.tutorial_cifar_bn(10) if isinstance(m, torch.nn.Dropout)] == [0.2, 0.3, 0.4]


def test_lenet5_has_the_papers_parameters_with_c3_connected_to_all_maps() -> None:
    assert count(plain.lenet5(10)) == 156 + 2_416 + 48_120 + 10_164 + 850 == 61_706


def test_lenet5_takes_tanh_or_relu_only() -> None:
    assert sum(isinstance(m, torch.nn.ReLU) for m in plain.lenet5(10, activation="relu")) == 4
    with pytest.raises(BadInput, match=r"activation must be .tanh. or .relu.. Got .gelu."):
        plain.lenet5(10, activation="gelu")


@pytest.mark.parametrize("name", plain.PLAIN)
@pytest.mark.parametrize("in_channels", [1, 3])
def test_every_plain_network_gives_one_logit_per_class(name: str, in_channels: int) -> None:
    network = plain.PLAIN[name].make(3, (48, 40), in_channels).eval()
    assert network(torch.zeros(2, in_channels, 48, 40)).shape == (2, 3)


@pytest.mark.parametrize("depth", [2, 3, 4, 5, 6])
@pytest.mark.parametrize("size", [(8, 8), (9, 31)])
def test_small_cnn_works_from_eight_pixels_at_every_depth(depth: int, size: tuple[int, int]) -> None:
    network = plain.small_cnn(4, size, depth=depth, filters=4).eval()
    assert network(torch.zeros(1, 3, *size)).shape == (1, 4)
    assert sum(isinstance(m, torch.nn.Conv2d) for m in network) == depth


def test_small_cnn_doubles_its_filters_up_to_four_times() -> None:
    network = plain.small_cnn(4, depth=5, filters=8, kernel_size=5)
    widths = [m.out_channels for m in network if isinstance(m, torch.nn.Conv2d)]
    assert widths == [8, 16, 32, 32, 32]
    assert {m.kernel_size for m in network if isinstance(m, torch.nn.Conv2d)} == {(5, 5)}


@pytest.mark.parametrize(
    ("knobs", "said"),
    [
        ({"depth": 1}, "depth must be 2 to 6 blocks. Got 1."),
        ({"depth": 7}, "depth must be 2 to 6 blocks. Got 7."),
        ({"filters": 0}, "filters must be 1 to 1024. Got 0."),
        ({"kernel_size": 4}, "kernel_size must be an odd number from 1 to 11. Got 4."),
        ({"kernel_size": 13}, "kernel_size must be an odd number from 1 to 11. Got 13."),
    ],
)
def test_small_cnn_refuses_knobs_out_of_range(knobs: dict[str, int], said: str) -> None:
    with pytest.raises(BadInput, match=said):
        plain.small_cnn(2, **knobs)  # type: ignore[arg-type]
