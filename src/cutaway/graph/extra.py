"""Layers that files use and torch.nn lacks: 'same' padding by the input's size, channels-last flatten, rescaling."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import nn


class SamePad2d(nn.Module):
    """(N, C, H, W) -> (N, C, H', W') padded so that ceil(size / stride) windows of `kernel_size` fit.

    TensorFlow's 'same': total = max((ceil(n / s) - 1) * s + d * (k - 1) + 1 - n, 0), odd pixel at the bottom/right.
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
    """(N, C, H, W) -> (N, H*W*C), (N, C, L) -> (N, L*C): flatten as channels-last programs do (Keras, TFLite)."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x.movedim(1, -1).flatten(1)


class SamePool2d(nn.Module):
    """(N, C, H, W) -> average over each 'same' window, counting only the pixels inside the picture."""

    def __init__(self, kernel_size: tuple[int, int], stride: tuple[int, int]) -> None:
        super().__init__()
        self.kernel_size = tuple(kernel_size)
        self.stride = tuple(stride)
        self._pad = SamePad2d(kernel_size, stride)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        ones = torch.ones_like(x[:1, :1])
        total = F.avg_pool2d(self._pad(x), self.kernel_size, self.stride)
        return total / F.avg_pool2d(self._pad(ones), self.kernel_size, self.stride)

    def extra_repr(self) -> str:
        return f"kernel_size={self.kernel_size}, stride={self.stride}"


class ClippedReLU(nn.Module):
    """x -> top where x >= top, x down to `threshold`, below it negative_slope * (x - threshold). Any shape.

    Keras' ReLU in full; `top` None: no upper end.
    """

    def __init__(self, top: float | None = None, negative_slope: float = 0.0, threshold: float = 0.0) -> None:
        super().__init__()
        self.top = top
        self.negative_slope = negative_slope
        self.threshold = threshold

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        kept = x if self.top is None else x.clamp(max=self.top)
        return torch.where(x >= self.threshold, kept, self.negative_slope * (x - self.threshold))

    def extra_repr(self) -> str:
        return f"top={self.top}, negative_slope={self.negative_slope}, threshold={self.threshold}"


class Rescale(nn.Module):
    """(N, C, ...) -> x * scale + offset, one number each for all channels or one a channel; fixed, never trained."""

    def __init__(self, scale: tuple[float, ...], offset: tuple[float, ...]) -> None:
        super().__init__()
        self.scale = tuple(float(v) for v in scale)
        self.offset = tuple(float(v) for v in offset)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x * self._shaped(self.scale, x) + self._shaped(self.offset, x)

    @staticmethod
    def _shaped(numbers: tuple[float, ...], x: torch.Tensor) -> torch.Tensor | float:
        return numbers[0] if len(numbers) == 1 else x.new_tensor(numbers).view(-1, *[1] * (x.ndim - 2))

    def extra_repr(self) -> str:
        return f"scale={self.scale}, offset={self.offset}"


KINDS: dict[str, type[nn.Module]] = {
    "SamePad2d": SamePad2d,
    "SamePool2d": SamePool2d,
    "ChannelsLastFlatten": ChannelsLastFlatten,
    "ClippedReLU": ClippedReLU,
    "Rescale": Rescale,
}
