"""Activations with their slopes, and what is left of a gradient after several layers of them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray

from cutaway.errors import must_be

Floats = NDArray[np.float64]
Name = Literal["relu", "leaky_relu", "sigmoid", "tanh"]

_FUNCTIONS: dict[Name, Callable[[torch.Tensor], torch.Tensor]] = {
    "relu": F.relu, "leaky_relu": lambda x: F.leaky_relu(x, 0.1), "sigmoid": torch.sigmoid, "tanh": torch.tanh,
}  # fmt: skip
DEEPEST = 30


def applied(name: Name, values: Floats) -> Floats:
    """Activation, numbers -> numbers of the same shape. leaky_relu: a tenth of what is below zero."""
    found: Floats = _FUNCTIONS[name](torch.from_numpy(values)).numpy()
    return found


def slopes(name: Name, values: Floats) -> Floats:
    """Activation, numbers -> its derivative at each, from autograd: at 0 that of ReLU is 0."""
    x = torch.from_numpy(values).clone().requires_grad_()
    (slope,) = torch.autograd.grad(_FUNCTIONS[name](x).sum(), x)
    return slope.numpy()


@dataclass(frozen=True, slots=True)
class Chain:
    """One number through several layers of one weight each. `values`: after each layer; `steps`: by how much each layer
    multiplies the gradient, weight times slope; `left`: d(value after this layer) / d(first number)."""

    values: tuple[float, ...]
    steps: tuple[float, ...]
    left: tuple[float, ...]


def chain(name: Name, start: float, weight: float, depth: int) -> Chain:
    """Activation, first number, every layer's weight, layers -> Chain of x -> activation(weight * x), again and again.

    `left` is autograd's own, not the product of `steps`, which it equals. Raises BadInput for a depth out of range.
    """
    if not 1 <= depth <= DEEPEST:
        raise must_be("depth", f"from 1 to {DEEPEST}", depth)
    first = torch.tensor(start, dtype=torch.float64, requires_grad=True)
    now, values, steps, left = first, [], [], []
    for _ in range(depth):
        following = _FUNCTIONS[name](weight * now)
        steps.append(float(torch.autograd.grad(following, now, retain_graph=True)[0]))
        left.append(float(torch.autograd.grad(following, first, retain_graph=True)[0]))
        values.append(float(following.detach()))
        now = following
    return Chain(tuple(values), tuple(steps), tuple(left))
