"""Normalisation: minus a mean, divided by a deviation, times gamma, plus beta."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch

from cutaway.engine.unfold.place import Place, as_numpy, gather, short
from cutaway.engine.unfold.terms import Arithmetic, Axes, Line, Window

MOST_SHOWN = 4096
"""A mean over more cells than this is told as a number, without its window."""


def batch_norm(place: Place) -> Arithmetic:
    """BatchNorm1d and 2d and F.batch_norm: stored statistics, those of the pictures where none are stored."""
    mean, var, gamma, beta, eps = _batch_numbers(place)
    channel = place.at[1]
    if mean is None or var is None:
        axes = tuple(tuple(range(n)) if i != 1 else (channel,) for i, n in enumerate(place.shape(place.input)))
        return _by_statistics(place, axes, _at(gamma, channel), _at(beta, channel), eps, "the channel, all pictures")
    return _affine(place, float(mean[channel]), float(var[channel]), _at(gamma, channel), _at(beta, channel), eps)


def instance_norm(place: Place) -> Arithmetic:
    """InstanceNorm2d: each channel of each picture by itself, unless running statistics are stored."""
    layer, channel = place.module, place.at[1]
    gamma, beta = _at(_numbers(layer.weight), channel), _at(_numbers(layer.bias), channel)
    if layer.running_mean is not None:
        stored = as_numpy(layer.running_mean)[channel], as_numpy(layer.running_var)[channel]
        return _affine(place, float(stored[0]), float(stored[1]), gamma, beta, layer.eps)
    axes = ((place.at[0],), (channel,), *(tuple(range(n)) for n in place.shape(place.input)[2:]))
    return _by_statistics(place, axes, gamma, beta, layer.eps, f"channel {channel}")


def group_norm(place: Place) -> Arithmetic:
    """GroupNorm and F.group_norm: mean and deviation over the channels of one group."""
    if place.node.op == "call_module":
        layer = place.module
        groups, gamma, beta, eps = layer.num_groups, _numbers(layer.weight), _numbers(layer.bias), layer.eps
    else:
        groups = place.settled(place.argument(1, "num_groups"))
        gamma, beta = (_numbers(place.settled(place.argument(i, n))) for i, n in ((2, "weight"), (3, "bias")))
        eps = place.settled(place.argument(4, "eps", 1e-5))
    shape, channel = place.shape(place.input), place.at[1]
    wide = shape[1] // groups
    first = channel // wide * wide
    axes = ((place.at[0],), tuple(range(first, first + wide)), *(tuple(range(n)) for n in shape[2:]))
    said = f"group {channel // wide} (channels {first} to {first + wide - 1})"
    return _by_statistics(place, axes, _at(gamma, channel), _at(beta, channel), eps, said)


def layer_norm(place: Place) -> Arithmetic:
    """LayerNorm and F.layer_norm: mean and deviation over the last axes."""
    shape, gamma, beta, eps = _layer_numbers(place)
    inner = place.at[len(place.at) - len(shape) :]
    axes = (*((c,) for c in place.at[: -len(shape)]), *(tuple(range(n)) for n in shape))
    return _by_statistics(place, axes, _at(gamma, inner), _at(beta, inner), eps, "these cells")


def rms_norm(place: Place) -> Arithmetic:
    """RMSNorm: divided by the root of the mean of the squares over the last axes."""
    layer = place.module
    shape = tuple(layer.normalized_shape)
    inner = place.at[len(place.at) - len(shape) :]
    axes = (*((c,) for c in place.at[: -len(shape)]), *(tuple(range(n)) for n in shape))
    values = gather(place.array(place.input), axes, 0.0)
    eps = float(torch.finfo(place.result(place.input).dtype).eps if layer.eps is None else layer.eps)
    x, gamma = place.single(place.input, place.at), _at(_numbers(layer.weight), inner)
    square = float((values**2).mean())
    total = x / math.sqrt(square + eps) * (1.0 if gamma is None else gamma)
    lines = [Line("x", x), Line("mean of the squares", square), Line("total", total)]
    formula = "x / √(mean of the squares + ε)" + ("" if gamma is None else " × γ")
    return place.found(
        total, formula, windows=_shown(place, axes, "x"), lines=lines,
        parameters={"epsilon": eps} | ({} if gamma is None else {"gamma": gamma}),
        leads_to=[place.source(place.input, axes)],
    )  # fmt: skip


def local_response(place: Place) -> Arithmetic:
    """LocalResponseNorm: divided by (k + alpha * mean of the squares over neighbouring channels) ** beta."""
    layer, (picture, channel, *cell) = place.module, place.at
    first = channel - layer.size // 2
    near = [c for c in range(first, first + layer.size) if 0 <= c < place.shape(place.input)[1]]
    axes: Axes = ((picture,), tuple(near), *((c,) for c in cell))
    squares = gather(place.array(place.input), axes, 0.0) ** 2
    x, mean = place.single(place.input, place.at), float(squares.sum()) / layer.size
    total = x / (layer.k + layer.alpha * mean) ** layer.beta
    lines = [Line("x", x), Line(f"squares of the {layer.size} channels around it, mean", mean), Line("total", total)]
    used = {"alpha": layer.alpha, "beta": layer.beta, "k": float(layer.k), "size": float(layer.size)}
    return place.found(
        total, "x / (k + α × mean of the squares of the neighbouring channels) ^ β",
        windows=_shown(place, axes, "neighbouring channels"), lines=lines, parameters=used,
        leads_to=[place.source(place.input, axes)],
    )  # fmt: skip


def _affine(place: Place, mean: float, var: float, gamma: float | None, beta: float | None, eps: float) -> Arithmetic:
    x = place.single(place.input, place.at)
    total, lines, used = _steps(x, mean, var, gamma, beta, eps)
    return place.found(
        total, _formula(gamma), lines=lines, parameters=used, leads_to=[place.cell(place.input, place.at)]
    )


def _by_statistics(
    place: Place, axes: Axes, gamma: float | None, beta: float | None, eps: float, said: str
) -> Arithmetic:
    values = gather(place.array(place.input), axes, 0.0)
    mean, var = float(values.mean()), float(values.var())
    x = place.single(place.input, place.at)
    total, lines, used = _steps(x, mean, var, gamma, beta, eps)
    lines[1:1] = [Line(f"mean of {said}: {values.size:,} values", mean), Line("their variance", var)]
    return place.found(
        total, _formula(gamma), windows=_shown(place, axes, said), lines=lines, parameters=used,
        leads_to=[place.source(place.input, axes)],
    )  # fmt: skip


def _steps(
    x: float, mean: float, var: float, gamma: float | None, beta: float | None, eps: float
) -> tuple[float, list[Line], dict[str, float]]:
    centred = x - mean
    scaled = centred / math.sqrt(var + eps)
    lines = [
        Line("x", x),
        Line("minus the mean", centred, f"{short(x)} - {short(mean)}"),
        Line("divided by √(variance + ε)", scaled, f"{short(centred)} / √({var:.4g} + {eps:g})"),
    ]
    used = {"mean": mean, "variance": var, "epsilon": float(eps)}
    total = scaled
    if gamma is not None:
        used["gamma"] = gamma
        total = scaled * gamma
        lines.append(Line("times γ", total, f"{short(scaled)} × {short(gamma)}"))
    if beta is not None:
        used["beta"] = beta
        lines.append(Line("plus β", total + beta, f"{short(total)} + {short(beta)}"))
        total += beta
    return total, lines, used


def _formula(gamma: float | None) -> str:
    return "(x - mean) / √(variance + ε)" + ("" if gamma is None else " × γ + β")


def _shown(place: Place, axes: Axes, label: str) -> tuple[Window, ...]:
    """The window, one per channel where it is a map, none where it is too large to look at or holds other pictures."""
    over_pictures = len(axes[0]) > 1 and len(place.bare(place.input, axes)) < len(axes)
    if over_pictures or math.prod(len(a) for a in axes) > MOST_SHOWN:
        return ()
    if len(axes) == 4 and len(axes[0]) == 1 and len(axes[2]) * len(axes[3]) > 1:
        return tuple(place.window(place.input, (axes[0], (c,), *axes[2:]), label=f"channel {c}") for c in axes[1])
    return (place.window(place.input, axes, label=label),)


def _numbers(tensor: torch.Tensor | None) -> np.ndarray[Any, Any] | None:
    return None if tensor is None else as_numpy(tensor)


def _at(numbers: np.ndarray[Any, Any] | None, at: int | Sequence[int]) -> float | None:
    return None if numbers is None else float(numbers[at if isinstance(at, int) else tuple(at)])


def _batch_numbers(place: Place) -> tuple[Any, Any, Any, Any, float]:
    if place.node.op == "call_module":
        layer = place.module
        found = (layer.running_mean, layer.running_var, layer.weight, layer.bias)
        return *map(_numbers, found), layer.eps
    names = ("running_mean", "running_var", "weight", "bias")
    mean, var, gamma, beta = (_numbers(place.settled(place.argument(i, n))) for i, n in enumerate(names, 1))
    if place.settled(place.argument(5, "training", False)):
        mean = var = None
    return mean, var, gamma, beta, float(place.settled(place.argument(7, "eps", 1e-5)))


def _layer_numbers(place: Place) -> tuple[tuple[int, ...], Any, Any, float]:
    if place.node.op == "call_module":
        layer = place.module
        return tuple(layer.normalized_shape), _numbers(layer.weight), _numbers(layer.bias), layer.eps
    shape = tuple(place.settled(place.argument(1, "normalized_shape")))
    gamma, beta = (_numbers(place.settled(place.argument(i, n))) for i, n in ((2, "weight"), (3, "bias")))
    return shape, gamma, beta, float(place.settled(place.argument(4, "eps", 1e-5)))
