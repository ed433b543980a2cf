"""The small networks written out: three of the tutorials this project grew from, LeNet-5, one with knobs for sweeps.

Each is a row of named layers; the shapes at the line ends are for the size the network was published with.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import nn

from cutaway.errors import must_be

Size = tuple[int, int]


def tutorial_cifar(classes: int, size: Size = (32, 32), in_channels: int = 3) -> nn.Module:
    """conv32-pool-conv64-pool-conv64-dense64, TensorFlow's CNN tutorial: 122,570 parameters at 32 px, 10 classes."""
    maps = _layers(
        conv1=nn.Conv2d(in_channels, 32, 3),  # (N, 32, 30, 30)
        relu1=nn.ReLU(),
        pool1=nn.MaxPool2d(2),  # (N, 32, 15, 15)
        conv2=nn.Conv2d(32, 64, 3),  # (N, 64, 13, 13)
        relu2=nn.ReLU(),
        pool2=nn.MaxPool2d(2),  # (N, 64, 6, 6)
        conv3=nn.Conv2d(64, 64, 3),  # (N, 64, 4, 4)
        relu3=nn.ReLU(),
        flatten=nn.Flatten(),  # (N, 1024)
    )
    network = _then(
        maps,
        dense1=nn.Linear(_width(maps, size, in_channels), 64),  # (N, 64)
        relu4=nn.ReLU(),
        dense2=nn.Linear(64, classes),  # (N, K)
    )
    return _begun_as_in_keras(network)


def tutorial_cats_dogs(
    classes: int, size: Size = (150, 150), in_channels: int = 3, *, dropout: float = 0.5
) -> nn.Module:
    """Three conv+pool blocks and a dense layer for 150 px cats and dogs: 1,212,578 parameters for 2 classes.

    As in Keras' "very little data" tutorial (32-32-64, dense 64, dropout 0.5), which ends in one sigmoid: 65 fewer.
    """
    maps = _layers(
        conv1=nn.Conv2d(in_channels, 32, 3),  # (N, 32, 148, 148)
        relu1=nn.ReLU(),
        pool1=nn.MaxPool2d(2),  # (N, 32, 74, 74)
        conv2=nn.Conv2d(32, 32, 3),  # (N, 32, 72, 72)
        relu2=nn.ReLU(),
        pool2=nn.MaxPool2d(2),  # (N, 32, 36, 36)
        conv3=nn.Conv2d(32, 64, 3),  # (N, 64, 34, 34)
        relu3=nn.ReLU(),
        pool3=nn.MaxPool2d(2),  # (N, 64, 17, 17)
        flatten=nn.Flatten(),  # (N, 18496)
    )
    network = _then(
        maps,
        dense1=nn.Linear(_width(maps, size, in_channels), 64),  # (N, 64)
        relu4=nn.ReLU(),
        dropout=nn.Dropout(dropout),
        dense2=nn.Linear(64, classes),  # (N, K)
    )
    return _begun_as_in_keras(network)


def tutorial_cifar_bn(
    classes: int, size: Size = (32, 32), in_channels: int = 3, *, dropout: tuple[float, float, float] = (0.2, 0.3, 0.4)
) -> nn.Module:
    """A small VGG with batch normalisation and dropout: 308,394 parameters for 32 x 32 RGB and 10 classes.

    Normalisation comes before the activation, a ReLU; the tutorials that spread it put an ELU before it.
    """
    row: dict[str, nn.Module] = {}
    channels = in_channels
    for block, (filters, rate) in enumerate(zip((32, 64, 128), dropout, strict=True), start=1):
        for half in "ab":
            row[f"conv{block}{half}"] = nn.Conv2d(
                channels, filters, 3, padding=1
            )  # (N, 32 | 64 | 128, 32 | 16 | 8, same)
            row[f"norm{block}{half}"] = nn.BatchNorm2d(filters)
            row[f"relu{block}{half}"] = nn.ReLU()
            channels = filters
        row[f"pool{block}"] = nn.MaxPool2d(2)  # (N, 32 | 64 | 128, 16 | 8 | 4, same)
        row[f"dropout{block}"] = nn.Dropout(rate)
    maps = _layers(**row, flatten=nn.Flatten())  # (N, 2048)
    return _begun_as_in_keras(_then(maps, dense=nn.Linear(_width(maps, size, in_channels), classes)))  # (N, K)


def lenet5(classes: int, size: Size = (32, 32), in_channels: int = 1, *, activation: str = "tanh") -> nn.Module:
    """LeCun et al. 1998: 61,706 parameters for 32 x 32 gray and 10 classes.

    Departures: subsampling is plain average pooling (no trained gain and bias), C3 sees all maps of S2, tanh is not
    scaled, the output is a dense layer instead of distances to bitmaps. `activation` is "tanh" or "relu".
    """
    if activation not in ("tanh", "relu"):
        raise must_be("activation", '"tanh" or "relu"', activation)
    act = nn.Tanh if activation == "tanh" else nn.ReLU
    maps = _layers(
        c1=nn.Conv2d(in_channels, 6, 5),  # (N, 6, 28, 28)
        act1=act(),
        s2=nn.AvgPool2d(2),  # (N, 6, 14, 14)
        c3=nn.Conv2d(6, 16, 5),  # (N, 16, 10, 10)
        act3=act(),
        s4=nn.AvgPool2d(2),  # (N, 16, 5, 5)
        flatten=nn.Flatten(),  # (N, 400)
    )
    return _then(
        maps,
        c5=nn.Linear(_width(maps, size, in_channels), 120),  # (N, 120)
        act5=act(),
        f6=nn.Linear(120, 84),  # (N, 84)
        act6=act(),
        output=nn.Linear(84, classes),  # (N, K)
    )


def small_cnn(
    classes: int,
    size: Size = (32, 32),
    in_channels: int = 3,
    *,
    depth: int = 3,
    filters: int = 32,
    kernel_size: int = 3,
    dropout: float = 0.2,
) -> nn.Module:
    """`depth` blocks of convolution, normalisation, ReLU and pooling, then the mean of each map: for sweeps.

    `filters` of the first block double each block up to four times as many; `kernel_size` is odd. A block pools as long
    as 2 x 2 values are left, so every size from 8 x 8 works at every depth (2..6).
    """
    if not 2 <= depth <= 6:
        raise must_be("depth", "2 to 6 blocks", depth)
    if not 1 <= filters <= 1024:
        raise must_be("filters", "1 to 1024", filters)
    if kernel_size % 2 == 0 or not 1 <= kernel_size <= 11:
        raise must_be("kernel_size", "an odd number from 1 to 11", kernel_size)
    row: dict[str, nn.Module] = {}
    channels, side = in_channels, min(size)
    for block in range(1, depth + 1):
        wide = filters * min(2 ** (block - 1), 4)
        row[f"conv{block}"] = nn.Conv2d(channels, wide, kernel_size, padding=kernel_size // 2, bias=False)
        row[f"norm{block}"] = nn.BatchNorm2d(wide)
        row[f"relu{block}"] = nn.ReLU()
        if side >= 4:
            row[f"pool{block}"] = nn.MaxPool2d(2)
            side //= 2
        channels = wide
    return _layers(
        **row,
        mean=nn.AdaptiveAvgPool2d(1),
        flatten=nn.Flatten(),
        dropout=nn.Dropout(dropout),
        dense=nn.Linear(channels, classes),
    )


@dataclass(frozen=True, slots=True)
class Plain:
    """A network of this file: how to make it, the size and channels it was published with, a line for the list."""

    make: Callable[..., nn.Module]
    size: Size
    in_channels: int
    note: str
    classes: int = 10


PLAIN: dict[str, Plain] = {
    "tutorial-cifar": Plain(
        tutorial_cifar, (32, 32), 3, "conv32-pool-conv64-pool-conv64-dense64, the CIFAR-10 tutorial"
    ),
    "tutorial-cats-dogs": Plain(tutorial_cats_dogs, (150, 150), 3, "three conv+pool blocks and a dense layer", 2),
    "tutorial-cifar-bn": Plain(tutorial_cifar_bn, (32, 32), 3, "a small VGG with batch normalisation and dropout"),
    "small-cnn": Plain(small_cnn, (32, 32), 3, "knobs depth, filters, kernel_size, dropout; any size from 8 x 8"),
    "lenet5": Plain(lenet5, (32, 32), 1, "LeCun et al. 1998; knob activation (tanh, relu)"),
}


def _begun_as_in_keras(network: nn.Sequential) -> nn.Sequential:
    """Glorot-uniform weights and zero biases, as the tutorials' programs start: torch's own narrower start costs
    tutorial-cifar 2 points of test accuracy after 1.5 passes over CIFAR-10 (65.9 % against 63.9 %)."""
    for module in network:
        if isinstance(module, nn.Conv2d | nn.Linear):
            nn.init.xavier_uniform_(module.weight)
            assert module.bias is not None
            nn.init.zeros_(module.bias)
    return network


def _layers(**named: nn.Module) -> nn.Sequential:
    return nn.Sequential(OrderedDict(named))


def _then(first: nn.Sequential, **named: nn.Module) -> nn.Sequential:
    return nn.Sequential(OrderedDict([*first.named_children(), *named.items()]))


def _width(maps: nn.Sequential, size: Size, in_channels: int) -> int:
    """Layers that end in a flatten, input size -> how many numbers per picture come out."""
    with torch.no_grad():
        return int(maps.eval()(torch.zeros(1, in_channels, *size)).shape[1])
