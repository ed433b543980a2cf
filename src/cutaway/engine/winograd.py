"""3 x 3 convolutions with a quarter of the products: Winograd's F(4 x 4, 3 x 3), for wide layers that run many times.

Lavin and Gray 2016, "Fast algorithms for convolutional neural networks" (CVPR), section 4.3: the map is cut into tiles
of 6 x 6 cells that overlap by two; a transformed tile times the transformed kernel, cell by cell, gives 4 x 4 cells of
the outcome with 36 products instead of 144. One thread, 5 maps, torch's -> this, in ms: 28 x 28 and 128 channels
5.8 -> 3.6, 14 x 14 and 256 5.7 -> 3.3, 7 x 7 and 512 6.8 -> 3.6; with 64 channels the transforms cost what the products
save. Kernels of 512 channels are 38 MB once transformed: fewer maps than some ten at a time do not pay for reading
them. Equal within rounding (1e-5 of the largest value).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, TypeGuard

import numpy as np
import torch
import torch.nn.functional as F
from torch import fx, nn
from torch.autograd.function import once_differentiable

WIDE = 256
"""Channels in and out from which a layer gains, whatever the size of its maps."""
_TILE, _KEPT = 6, 4
_AT_ONCE = 32768
"""Tiles times channels: 4.7 MB of transformed cells, which stay near the processor."""
# A line's transforms for the numbers 0, 1, -1, 2, 1/2 and infinity. Lavin and Gray's have -2 for 1/2; with these each
# number has its inverse among them, and a kernel turned round the same six values in another order.
_INPUT = np.array([
    [36, -90, 0, 90, -36, 0], [0, -36, 54, 54, -36, 0], [0, -4, 14, -14, 4, 0],
    [0, 2, -4, -2, 4, 0], [0, 32, -16, -32, 16, 0], [0, -36, 90, 0, -90, 36],
]) / 36  # fmt: skip
_KERNEL = np.array([[1, 0, 0], [1, 1, 1], [1, -1, 1], [1, 2, 4], [4, 2, 1], [0, 0, 1]])
_OUTPUT = np.array([[8, 8, 8, 8, 8, 0], [0, 8, -8, 16, 4, 0], [0, 8, 8, 32, 2, 0], [0, 8, -8, 64, 1, 8]]) / 8
_TURNED = [5, 1, 2, 4, 3, 0]


class Winograd(nn.Module):
    """Equal to a 3 x 3 convolution with stride 1 and zeros around the map, within rounding; its weights stay.

    Autograd goes back to its map, as a convolution with the kernels turned round and 2 - padding zeros around it: the
    transformed kernels serve both ways.
    """

    weight: torch.Tensor  # (36, C, O)
    bias: torch.Tensor  # (O,)
    kernel_size, stride, dilation, groups, padding_mode = (3, 3), (1, 1), (1, 1), 1, "zeros"

    def __init__(self, conv: nn.Conv2d) -> None:
        super().__init__()
        padding = conv.padding
        assert not isinstance(padding, str)
        self.padding = padding
        weight = conv.weight.detach()
        self.register_buffer("weight", _transformed_kernels(weight))
        self.register_buffer("bias", weight.new_zeros(len(weight)) if conv.bias is None else conv.bias.detach())

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(N, C, H, W) -> (N, O, H', W')."""
        rows, columns = self.padding
        return self.inside(x, rows, columns)

    def inside(self, x: torch.Tensor, rows: int = 0, columns: int = 0) -> torch.Tensor:
        """Map, zeros above and below, left and right of it -> (N, O, H + 2 rows - 2, W + 2 columns - 2)."""
        if torch.is_grad_enabled() and x.requires_grad:
            found: torch.Tensor = _WithGradient.apply(x, self, rows, columns)
            return found
        return _convolved(x, self.weight, self.bias, (rows, columns), _FORTH)


class _WithGradient(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: torch.Tensor, layer: Winograd, rows: int, columns: int) -> torch.Tensor:
        ctx.layer, ctx.zeros = layer, (2 - rows, 2 - columns)
        return _convolved(x, layer.weight, layer.bias, (rows, columns), _FORTH)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        weight = ctx.layer.weight.transpose(1, 2)  # (36, O, C)
        return _convolved(gradient, weight, gradient.new_zeros(weight.shape[2]), ctx.zeros, _BACK), None, None, None


def with_winograd(twin: fx.GraphModule, least: int = WIDE, most: float = math.inf) -> fx.GraphModule:
    """A twin of a graph, with layers of its own -> the same, its 3 x 3 convolutions with so many channels in and out
    replaced by Winograd's."""
    for name, conv in list(twin.named_modules()):
        if _fits(conv) and all(least <= channels <= most for channels in (conv.in_channels, conv.out_channels)):
            parent, _, own = name.rpartition(".")
            setattr(twin.get_submodule(parent), own, Winograd(conv))
    return twin


def _fits(layer: nn.Module) -> TypeGuard[nn.Conv2d]:
    if type(layer) is not nn.Conv2d or layer.padding_mode != "zeros" or isinstance(layer.padding, str):
        return False
    plain = (layer.kernel_size, layer.stride, layer.dilation, layer.groups) == ((3, 3), (1, 1), (1, 1), 1)
    return plain and max(layer.padding) <= 2


@dataclass(frozen=True, slots=True)
class _Transforms:
    into: torch.Tensor  # (36, 36): a tile's cells -> its values at the six numbers, both ways
    out: torch.Tensor  # (16, 36): products of values -> the cells of the outcome

    @classmethod
    def of(cls, into: np.ndarray, out: np.ndarray) -> _Transforms:
        return cls(_both_ways(into), _both_ways(out))


def _convolved(
    x: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor, zeros: tuple[int, int], transforms: _Transforms
) -> torch.Tensor:
    """Map (N, C, H, W), transformed kernels (36, C, O), zeros around the map -> (N, O, H', W')."""
    rows, columns = zeros
    height, width = x.shape[2] + 2 * rows - 2, x.shape[3] + 2 * columns - 2
    down, across = -(-height // _KEPT), -(-width // _KEPT)
    edges = (columns, _KEPT * across - width + columns, rows, _KEPT * down - height + rows)
    into, out = transforms.into.to(x), transforms.out.to(x)
    size = (len(x), weight.shape[2], _KEPT * down, _KEPT * across)
    whole = torch.empty(size, dtype=x.dtype, device=x.device, memory_format=torch.channels_last)
    placed = whole.permute(0, 2, 3, 1).view(len(x), down, _KEPT, across, _KEPT, -1)
    at_once = max(_AT_ONCE // (down * across * x.shape[1]), 1)
    for part, place in zip(torch.split(x, at_once), torch.split(placed, at_once), strict=True):
        cells = (into @ _tiles(F.pad(part, edges))).view(_TILE * _TILE, -1, x.shape[1])  # (36, N*down*across, C)
        cells = torch.bmm(cells, weight).flatten(1)  # (36, N*down*across*O)
        cells = (out @ cells).view(_KEPT, _KEPT, len(part), down, across, -1)
        torch.add(cells.permute(2, 3, 0, 4, 1, 5), bias, out=place)
    exact = whole.shape[2:] == (height, width)
    return whole if exact else whole[:, :, :height, :width].clone(memory_format=torch.channels_last)


def _tiles(x: torch.Tensor) -> torch.Tensor:
    """Map (N, C, 4 * down + 2, 4 * across + 2) -> (36, N * down * across * C), each tile's cells."""
    tiles = x.unfold(2, _TILE, _KEPT).unfold(3, _TILE, _KEPT)  # (N, C, down, across, 6, 6)
    return tiles.permute(4, 5, 0, 2, 3, 1).reshape(_TILE * _TILE, -1)


def _transformed_kernels(weight: torch.Tensor) -> torch.Tensor:
    """(O, C, 3, 3) -> (36, C, O)."""
    taps = weight.permute(2, 3, 1, 0).reshape(9, -1)  # (9, C*O)
    return (_both_ways(_KERNEL).to(weight) @ taps).view(_TILE * _TILE, weight.shape[1], weight.shape[0])


def _both_ways(matrix: np.ndarray) -> torch.Tensor:
    """How a line is transformed (a, b) -> how a square is, flat (a*a, b*b)."""
    return torch.from_numpy(np.kron(matrix, matrix).astype(np.float64))


_FORTH = _Transforms.of(_INPUT, _OUTPUT)
_BACK = _Transforms.of(_INPUT[_TURNED], _OUTPUT[:, _TURNED])
