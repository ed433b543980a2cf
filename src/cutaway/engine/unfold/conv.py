"""Convolutions: patch x kernel, summed over the input channels, plus bias."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import fx

from cutaway.engine.unfold.place import Place, as_numpy
from cutaway.engine.unfold.reach import Reach, reach, same_before, transposed
from cutaway.engine.unfold.terms import Arithmetic, Line, Window


@dataclass(frozen=True, slots=True, eq=False)
class Kernel:
    """A convolution's numbers and settings, one per spatial axis; `before`: padding ahead of cell 0."""

    weight: NDArray[Any]  # (out, in / groups, ...) or, transposed, (in, out / groups, ...)
    bias: NDArray[Any] | None
    stride: tuple[int, ...]
    before: tuple[int, ...]
    dilation: tuple[int, ...]
    groups: int
    mode: str
    note: str = ""

    @property
    def size(self) -> tuple[int, ...]:
        return tuple(int(n) for n in self.weight.shape[2:])


def kernel_of(place: Place) -> Kernel:
    """The step's convolution, a layer or a call of F.conv2d -> its numbers."""
    if place.node.op == "call_module":
        return _of_layer(place.module, place.shape(place.input)[2:])
    weight: torch.Tensor = place.settled(place.argument(1, "weight"))
    bias = place.settled(place.argument(2, "bias"))
    two = weight.ndim - 2
    stride, padding, dilation = (
        _each(place.settled(place.argument(i, name, default)), two)
        for i, name, default in ((3, "stride", 1), (4, "padding", 0), (5, "dilation", 1))
    )
    before = _before(padding, tuple(weight.shape[2:]), dilation)
    return Kernel(as_numpy(weight), None if bias is None else as_numpy(bias), stride, before, dilation,
                  int(place.settled(place.argument(6, "groups", 1))), "zeros")  # fmt: skip


def _of_layer(layer: Any, sizes: tuple[int, ...]) -> Kernel:
    kind, weight = type(layer).__name__, layer.weight
    note = ""
    if "StdConv" in kind:
        weight = _standardised(layer)
        note = "The kernel shown is the standardised one, which this layer computes from its stored weights."
    stride, dilation = tuple(layer.stride), tuple(layer.dilation)
    if kind == "Conv2dSame" or getattr(layer, "same_pad", False):
        before = tuple(same_before(*each) for each in zip(sizes, layer.kernel_size, stride, dilation))
    else:
        before = _before(layer.padding, tuple(layer.kernel_size), dilation)
    bias = None if layer.bias is None else as_numpy(layer.bias)
    return Kernel(as_numpy(weight), bias, stride, before, dilation, layer.groups, layer.padding_mode, note)


def _standardised(layer: Any) -> torch.Tensor:
    """timm's weight standardisation: each filter minus its mean, divided by its deviation (and gain), in float32 as
    the layer does it, so that these are the numbers the network multiplied with."""
    gain = (layer.gain * layer.scale).detach().view(-1) if hasattr(layer, "gain") else None
    flat = layer.weight.detach().reshape(1, layer.out_channels, -1)
    return F.batch_norm(flat, None, None, gain, training=True, momentum=0.0, eps=layer.eps).reshape_as(layer.weight)


def _before(padding: Any, kernel: tuple[int, ...], dilation: tuple[int, ...]) -> tuple[int, ...]:
    if padding == ("valid",) or padding == "valid":
        return (0,) * len(kernel)
    if padding == ("same",) or padding == "same":
        return tuple(d * (k - 1) // 2 for k, d in zip(kernel, dilation))
    return _each(padding, len(kernel))


def _each(value: Any, axes: int) -> tuple[Any, ...]:
    if isinstance(value, int | str):
        return (value,) * (axes if isinstance(value, int) else 1)
    return tuple(value) * (axes if len(value) == 1 else 1)


def reaches(kernel: Kernel, at: tuple[int, ...], sizes: tuple[int, ...]) -> list[Reach]:
    """Output coordinates, input sizes -> what is read along each spatial axis."""
    settings = zip(at, sizes, kernel.size, kernel.stride, kernel.before, kernel.dilation)
    return [reach(i, n, k, s, before, d, kernel.mode) for i, n, k, s, before, d in settings]


def conv(place: Place) -> Arithmetic:
    """Conv1d, Conv2d, Conv3d and their kin."""
    kernel, (picture, channel, *cell) = kernel_of(place), place.at
    sizes = place.shape(place.input)[2:]
    read = reaches(kernel, tuple(cell), sizes)
    inputs = kernel.weight.shape[1]
    first = channel // (kernel.weight.shape[0] // kernel.groups) * inputs
    return _summed(place, kernel, picture, channel, range(first, first + inputs), read, kernel.weight[channel])


def conv_transposed(place: Place) -> Arithmetic:
    """ConvTranspose1d and 2d: only the inputs that reach this cell are shown, each with its place of the kernel."""
    kernel, (picture, channel, *cell) = kernel_of(place), place.at
    sizes = place.shape(place.input)[2:]
    settings = zip(cell, sizes, kernel.size, kernel.stride, kernel.before, kernel.dilation)
    found = [transposed(*each) for each in settings]
    outputs, inputs = kernel.weight.shape[1], kernel.weight.shape[0] // kernel.groups
    group = channel // outputs
    sources = range(group * inputs, (group + 1) * inputs)
    slices = kernel.weight[np.ix_(list(sources), [channel - group * outputs], *[places for _, places in found])][:, 0]
    return _summed(place, kernel, picture, channel, sources, [r for r, _ in found], slices)


def _summed(
    place: Place, kernel: Kernel, picture: int, channel: int, inputs: range, read: list[Reach], weights: NDArray[Any]
) -> Arithmetic:
    windows = [_channel(place, place.input, picture, c, read, weights[i]) for i, c in enumerate(inputs)]
    products = sum(w.sum for w in windows)
    bias = 0.0 if kernel.bias is None else float(kernel.bias[channel])
    lines = [Line(_of(len(windows), "input channel"), products, _sums(windows))]
    if kernel.bias is not None:
        lines.append(Line(f"bias of filter {channel}", bias))
    lines.append(Line("total", products + bias))
    spatial = tuple(r.at for r in read)
    used = {"bias": bias} if kernel.bias is not None else {}
    formula = "sum over the input channels of (patch × kernel)" + (" + bias" if used else "")
    source = place.source(place.input, ((picture,), tuple(inputs), *spatial))
    return place.found(
        products + bias, formula, windows=windows, lines=lines, parameters=used, leads_to=[source], note=kernel.note
    )


def _channel(place: Place, node: fx.Node, picture: int, c: int, read: list[Reach], weights: NDArray[Any]) -> Window:
    axes = ((picture,), (c,), *(r.at for r in read))
    padded = ((False,), (False,), *(r.padded for r in read))
    return place.window(node, axes, weights, padded=padded, label=f"input channel {c}")


def _of(n: int, what: str) -> str:
    return f"sum of the products of {n} {what}{'s' * (n != 1)}"


def _sums(windows: list[Window], most: int = 6) -> str:
    if len(windows) == 1:
        return ""
    shown = " + ".join(f"{w.sum:.4g}" if w.sum >= 0 else f"({w.sum:.4g})" for w in windows[:most])
    return shown + (f" + ... ({len(windows)} sums)" if len(windows) > most else "")
