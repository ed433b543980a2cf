"""Layers that files use and torch.nn lacks: 'same' padding that depends on the input's size, flatten in channels-last order."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import nn


class SamePad2d(nn.Module):
    """(N, C, H, W) -> (N, C, H', W') padded so that a window of `kernel_size`, `stride` covers ceil(size / stride) places.

    TensorFlow's 'same': total = max((ceil(n / s) - 1) * s + d * (k - 1) + 1 - n, 0), the odd pixel at the bottom/right.
    `value` fills the border (0 for convolutions, -inf for max pooling).
    """

    def __init__(
        self,
        kernel_size: tuple[int, int],
        stride: tuple[int, int],
        dilation: tuple[int, int] = (1, 1),
        value: float = 0.0,
    ) -> None:
        super().__init__()
        self.kernel_size = tuple(kernel_size)
        self.stride = tuple(stride)
        self.dilation = tuple(dilation)
        self.value = float(value)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        height = self._total(x.shape[-2], 0)
        width = self._total(x.shape[-1], 1)
        if height == 0 and width == 0:
            return x
        sides = [width // 2, width - width // 2, height // 2, height - height // 2]
        return F.pad(x, sides, value=self.value)

    def _total(self, size: int, axis: int) -> int:
        stride, kernel, dilation = self.stride[axis], self.kernel_size[axis], self.dilation[axis]
        return max((-(-size // stride) - 1) * stride + dilation * (kernel - 1) + 1 - size, 0)

    def extra_repr(self) -> str:
        return f"kernel_size={self.kernel_size}, stride={self.stride}, dilation={self.dilation}, value={self.value}"


class ChannelsLastFlatten(nn.Module):
    """(N, C, H, W) -> (N, H*W*C): flatten in the order that channels-last programs (Keras, TFLite) write."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if x.ndim == 4:
            x = x.permute(0, 2, 3, 1)
        return x.flatten(1)


class SamePool2d(nn.Module):
    """(N, C, H, W) -> average over each 'same' window, counting only the pixels inside the picture."""

    def __init__(self, kernel_size: tuple[int, int], stride: tuple[int, int]) -> None:
        super().__init__()
        self.kernel_size = tuple(kernel_size)
        self.stride = tuple(stride)
        self._pad = SamePad2d(self.kernel_size, self.stride)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        ones = torch.ones_like(x[:1, :1])
        total = F.avg_pool2d(self._pad(x), self.kernel_size, self.stride)
        return total / F.avg_pool2d(self._pad(ones), self.kernel_size, self.stride)

    def extra_repr(self) -> str:
        return f"kernel_size={self.kernel_size}, stride={self.stride}"


KINDS: dict[str, type[nn.Module]] = {
    "SamePad2d": SamePad2d,
    "SamePool2d": SamePool2d,
    "ChannelsLastFlatten": ChannelsLastFlatten,
}
