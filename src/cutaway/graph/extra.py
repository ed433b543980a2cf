"""Layers that files and edits use and torch.nn lacks: 'same' padding by the input's size, channels-last flatten,
rescaling, channels silenced, dropout at prediction, frozen statistics.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
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


class ScaleChannels(nn.Module):
    """Each channel times its own factor, fixed, never trained; 0 gives zeros whatever the channel holds, NaN too.

    (N, C, ...) with `dim` 1, (..., C) with `dim` -1. Edits put it behind the layer whose channels they silence.
    """

    def __init__(self, factors: tuple[float, ...], dim: int = 1) -> None:
        super().__init__()
        self.factors = tuple(float(v) for v in factors)
        self.dim = dim

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        shape = [1] * x.ndim
        shape[self.dim] = len(self.factors)
        factors = x.new_tensor(self.factors).view(shape)
        if 0.0 not in self.factors:
            return x * factors
        silent = torch.tensor([factor == 0 for factor in self.factors], device=x.device).view(shape)
        return torch.where(silent, 0.0, x * factors)

    def extra_repr(self) -> str:
        return f"factors={self.factors}, dim={self.dim}"


class AlwaysDropout(nn.Module):
    """Dropout at prediction too: the same values of every picture are zero, the rest divided by 1 - p. Any shape.

    Which ones follows from `seed` and the shape alone, so a picture's answer does not depend on when or with which
    others it is asked; another seed is another of the thinned networks that dropout trains. `whole_maps` drops whole
    channels of (N, C, ...). In training mode it is ordinary dropout.
    """

    def __init__(self, p: float = 0.5, seed: int = 0, whole_maps: bool = False) -> None:
        super().__init__()
        if not 0 <= p <= 1:
            raise ValueError(f"p must lie in [0, 1], got {p}")
        self.p = float(p)
        self.seed = int(seed)
        self.whole_maps = whole_maps

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if self.training:
            return F.dropout1d(x, self.p) if self.whole_maps and x.ndim == 3 else self._random(x)
        gains = x.new_tensor(self.gains(tuple(x.shape)))
        return x * (gains.view(-1, *[1] * (x.ndim - 2)) if self.whole_maps else gains)

    def gains(self, shape: tuple[int, ...]) -> NDArray[np.float32]:
        """Shape (N, C, ...) -> what each value of one picture is multiplied by, (C, ...), or (C,) with `whole_maps`."""
        size = shape[1:2] if self.whole_maps else shape[1:]
        stays = evenly_spread(self.seed, math.prod(size)) >= self.p
        kept: NDArray[np.float32] = (stays / (1 - self.p if self.p < 1 else 1)).astype(np.float32).reshape(size)
        return kept

    def _random(self, x: torch.Tensor) -> torch.Tensor:
        return F.dropout2d(x, self.p) if self.whole_maps and x.ndim == 4 else F.dropout(x, self.p)

    def extra_repr(self) -> str:
        return f"p={self.p}, seed={self.seed}, whole_maps={self.whole_maps}"


def evenly_spread(seed: int, count: int) -> NDArray[np.float64]:
    """Seed, count -> that many numbers in [0, 1), the same on every machine and in every version.

    SplitMix64's output function of seed and place (Steele, Lea and Flood, OOPSLA 2014).
    """
    with np.errstate(over="ignore"):
        start = np.uint64(seed % 2**64) * np.uint64(0xD1342543DE82EF95)
        z = start + np.arange(1, count + 1, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15)
        z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        z ^= z >> np.uint64(31)
    spread: NDArray[np.float64] = (z >> np.uint64(11)).astype(np.float64) / 2**53
    return spread


class _Frozen:
    """In training mode too the stored statistics normalise, and stay as they are; weight and bias still learn."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        norm: Any = self
        return F.batch_norm(x, norm.running_mean, norm.running_var, norm.weight, norm.bias, eps=norm.eps)


class FrozenBatchNorm1d(_Frozen, nn.BatchNorm1d):
    """(N, C) or (N, C, L) -> BatchNorm1d with frozen statistics: what it does in eval mode, in training mode too."""


class FrozenBatchNorm2d(_Frozen, nn.BatchNorm2d):
    """(N, C, H, W) -> BatchNorm2d with frozen statistics: what it does in eval mode, in training mode too."""


KINDS: dict[str, type[nn.Module]] = {
    "SamePad2d": SamePad2d,
    "SamePool2d": SamePool2d,
    "ChannelsLastFlatten": ChannelsLastFlatten,
    "ClippedReLU": ClippedReLU,
    "Rescale": Rescale,
    "ScaleChannels": ScaleChannels,
    "AlwaysDropout": AlwaysDropout,
    "FrozenBatchNorm1d": FrozenBatchNorm1d,
    "FrozenBatchNorm2d": FrozenBatchNorm2d,
}
