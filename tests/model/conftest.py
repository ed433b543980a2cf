"""Small models that several tests save, open and ask."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import nn

from cutaway.graph.trace import trace
from cutaway.image import InputContract
from cutaway.model import Model

CLASSES = ("cat", "dog", "hamster")


class Small(nn.Module):
    """A convolution used twice, a residual sum, a normalisation, a head."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 8, 3, padding=1)
        self.same = nn.Conv2d(8, 8, 3, padding=1, bias=False)
        self.norm = nn.BatchNorm2d(8)
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.dense = nn.Linear(8, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = torch.relu(self.stem(x))
        x = x + self.norm(self.same(torch.relu(self.same(x))))
        out: torch.Tensor = self.dense(self.pool(x).flatten(1))
        return out


class Tied(nn.Module):
    """Two layers that share one weight."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Conv2d(3, 3, 3, padding=1)
        self.second = nn.Conv2d(3, 3, 3, padding=1)
        self.second.weight = self.first.weight

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        out: torch.Tensor = self.second(torch.relu(self.first(x))).mean((2, 3))
        return out


@pytest.fixture
def make_model() -> Callable[..., Model]:
    def make(network: nn.Module | None = None, **options: object) -> Model:
        torch.manual_seed(4)
        network = network or Small()
        for module in network.modules():
            if isinstance(module, nn.BatchNorm2d):
                module.running_mean = torch.rand(module.num_features)
                module.running_var = torch.rand(module.num_features) + 0.5
        given = {"contract": InputContract((16, 16)), "classes": CLASSES, **options}
        return Model(trace(network), **given)  # type: ignore[arg-type]

    return make


@pytest.fixture
def tied() -> nn.Module:
    torch.manual_seed(6)
    return Tied()
