"""3 x 3 convolutions with a quarter of the products: Winograd's F(4 x 4, 3 x 3), for wide layers that run many times.

Lavin and Gray 2016, "Fast algorithms for convolutional neural networks" (CVPR), section 4.3: the map is cut into tiles
of 6 x 6 cells that overlap by two; a transformed tile times the transformed kernel, cell by cell, gives 4 x 4 cells of
the outcome with 36 products instead of 144. One thread, 8 maps of 14 x 14 and 256 channels: 22 ms -> 15 ms, 16 of
7 x 7 and 512: 52 -> 26; below 256 channels the transforms cost what the products save. Equal within rounding (1e-5 of
the largest value).
"""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F
from torch import fx, nn

WIDE = 256
"""Channels in and out from which a layer gains."""
_TILE, _KEPT = 6, 4
_AT_ONCE = 32768
"""Tiles times channels: 4.7 MB of transformed cells, which stay near the processor."""
_INPUT = np.array([
    [4, 0, -5, 0, 1, 0], [0, -4, -4, 1, 1, 0], [0, 4, -4, -1, 1, 0],
    [0, -2, -1, 2, 1, 0], [0, 2, -1, -2, 1, 0], [0, 4, 0, -5, 0, 1],
])  # fmt: skip
_KERNEL = np.array([[6, 0, 0], [-4, -4, -4], [-4, 4, -4], [1, 2, 4], [1, -2, 4], [0, 0, 24]]) / 24
_OUTPUT = np.array([[1, 1, 1, 1, 1, 0], [0, 1, -1, 2, -2, 0], [0, 1, 1, 4, 4, 0], [0, 1, -1, 8, -8, 1]])


class Winograd(nn.Module):
    """Equal to a 3 x 3 convolution with stride 1 and zeros around the map, within rounding; for inference."""

    weight: torch.Tensor  # (36, C, O)
    into: torch.Tensor  # (36, 36)
    out: torch.Tensor  # (16, 36)
    bias: torch.Tensor  # (O,)
    kernel_size, stride, dilation, groups, padding_mode = (3, 3), (1, 1), (1, 1), 1, "zeros"

    def __init__(self, conv: nn.Conv2d) -> None:
        super().__init__()
        padding = conv.padding
        assert not isinstance(padding, str)
        self.padding = padding
        weight = conv.weight.detach()
        self.register_buffer("weight", _transformed_kernels(weight))
        self.register_buffer("into", _both_ways(_INPUT).to(weight))
        self.register_buffer("out", _both_ways(_OUTPUT).to(weight))
        self.register_buffer("bias", weight.new_zeros(len(weight)) if conv.bias is None else conv.bias.detach())

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(N, C, H, W) -> (N, O, H', W')."""
        rows, columns = self.padding
        return self.inside(x, rows, columns)

    def inside(self, x: torch.Tensor, rows: int = 0, columns: int = 0) -> torch.Tensor:
        """Map, zeros above and below, left and right of it -> (N, O, H + 2 rows - 2, W + 2 columns - 2)."""
        height, width = x.shape[2] + 2 * rows - 2, x.shape[3] + 2 * columns - 2
        down, across = -(-height // _KEPT), -(-width // _KEPT)
        below, right = _KEPT * down - height + rows, _KEPT * across - width + columns
        some = torch.split(x, max(_AT_ONCE // (down * across * x.shape[1]), 1))
        whole = torch.cat([self._tiled(F.pad(part, (columns, right, rows, below)), down, across) for part in some])
        return whole[:, :, :height, :width]

    def _tiled(self, x: torch.Tensor, down: int, across: int) -> torch.Tensor:
        """Map (N, C, 4 * down + 2, 4 * across + 2) -> (N, O, 4 * down, 4 * across)."""
        n, channels = x.shape[:2]
        cells = _tiles(x)  # (36, N*down*across*C)
        cells = (self.into @ cells).view(_TILE * _TILE, -1, channels)  # (36, N*down*across, C)
        cells = torch.bmm(cells, self.weight).flatten(1)  # (36, N*down*across*O)
        cells = (self.out @ cells).view(_KEPT, _KEPT, n, down, across, -1)
        whole = cells.permute(2, 3, 0, 4, 1, 5).reshape(n, _KEPT * down, _KEPT * across, -1)  # (N, H, W, O)
        return whole.add_(self.bias).permute(0, 3, 1, 2)


def with_winograd(twin: fx.GraphModule) -> fx.GraphModule:
    """A twin of a graph, with layers of its own -> the same, its wide 3 x 3 convolutions replaced by Winograd's."""
    for name, conv in list(twin.named_modules()):
        if _gains(conv):
            parent, _, own = name.rpartition(".")
            setattr(twin.get_submodule(parent), own, Winograd(conv))
    return twin


def _gains(layer: nn.Module) -> bool:
    if type(layer) is not nn.Conv2d or layer.padding_mode != "zeros" or isinstance(layer.padding, str):
        return False
    plain = (layer.kernel_size, layer.stride, layer.dilation, layer.groups) == ((3, 3), (1, 1), (1, 1), 1)
    return plain and min(layer.in_channels, layer.out_channels) >= WIDE


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
