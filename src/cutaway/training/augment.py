"""Batches of pictures -> the same batches shifted, zoomed, turned, flipped and recoloured, each picture its own way.

torchvision's transforms v2 draw one set of numbers per call, so a batch would move as one block; here the numbers are
drawn per picture and applied to the whole batch at once. The arithmetic is torchvision's (parity in the tests).
"""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass

import torch
import torch.nn.functional as F

from cutaway.errors import BadInput


@dataclass(frozen=True, slots=True)
class Augment:
    """Largest change of each kind; 0 switches it off."""

    translate: float = 0.0
    """Share of the side by which the picture moves, either way."""
    zoom: float = 0.0
    """Largest enlargement: 0.2 shows between all and 1/1.2 of each side."""
    rotate: float = 0.0
    """Degrees either way."""
    flip: bool = False
    """Mirror left-right half of the time."""
    brightness: float = 0.0
    contrast: float = 0.0
    saturation: float = 0.0
    """Factors drawn from [1 - value, 1 + value]."""

    @property
    def active(self) -> bool:
        return any(getattr(self, f.name) for f in dataclasses.fields(self))

    @property
    def only_shifts(self) -> bool:
        """Whether whole-pixel shifts and flips are all there is: those need no interpolation."""
        return not (self.zoom or self.rotate)

    @property
    def recolours(self) -> bool:
        return bool(self.brightness or self.contrast or self.saturation)


# The four presets. Light is the CIFAR habit (4 of 32 pixels and a flip: He et al. 2016, section 4.2).
PRESETS = {
    "none": Augment(),
    "light": Augment(translate=0.125, flip=True),
    "medium": Augment(translate=0.1, zoom=0.2, rotate=10, flip=True, brightness=0.15, contrast=0.15),
    "strong": Augment(translate=0.15, zoom=0.4, rotate=20, flip=True, brightness=0.3, contrast=0.3, saturation=0.3),
}


# Our choice, not fitted: in fewer passes over thousands of pictures a network hardly memorises any. One run each on the
# JPEG edition of CIFAR-10, at other learning rates: 65.6 % after 2 passes without augmentation, 65.2 % after 3 with it.
_FEW_PASSES = 10


def preset(
    name: str, pictures: int, *, epochs: int | None = None, mirrored_classes: bool = True
) -> tuple[str, Augment]:
    """Preset name, number of training pictures -> its name and settings; auto: the fewer pictures, the stronger.

    auto takes none where `epochs` are few and pictures are many. `mirrored_classes` False (digits, text, left against
    right) switches the flip off.
    """
    if name == "auto":
        many = "none" if epochs is not None and epochs < _FEW_PASSES else "light"
        name = "strong" if pictures < 500 else "medium" if pictures < 5000 else many
    if name not in PRESETS:
        raise BadInput(f"There is no augmentation {name!r}; choose none, light, medium, strong or auto.")
    chosen = PRESETS[name]
    return name, chosen if mirrored_classes else dataclasses.replace(chosen, flip=False)


def augment(x: torch.Tensor, how: Augment, generator: torch.Generator) -> torch.Tensor:
    """uint8 or float (N, C, H, W) with values 0..255 -> the same shape, changed; dtype float unless only shifted."""
    x = _shift_and_flip(x, how, generator) if how.only_shifts else _affine(x.float(), how, generator)
    return _recolour(x.float(), how, generator) if how.recolours else x


def _uniform(n: int, low: float, high: float, generator: torch.Generator) -> torch.Tensor:
    return torch.rand(n, generator=generator) * (high - low) + low


def _flips(n: int, how: Augment, generator: torch.Generator) -> torch.Tensor:
    return torch.rand(n, generator=generator) < (0.5 if how.flip else 0.0)


def _shift_and_flip(x: torch.Tensor, how: Augment, generator: torch.Generator) -> torch.Tensor:
    n, _, height, width = x.shape
    dy, dx = (
        torch.randint(-reach, reach + 1, (n,), generator=generator)
        for reach in (round(how.translate * height), round(how.translate * width))
    )
    columns = torch.arange(width).expand(n, width)  # (N, W)
    columns = torch.where(_flips(n, how, generator)[:, None], columns.flip(1), columns)
    rows = _reflect(torch.arange(height)[None] + dy[:, None], height)  # (N, H)
    columns = _reflect(columns + dx[:, None], width)  # (N, W)
    here = x.permute(0, 2, 3, 1)  # (N, H, W, C), contiguous in channels-last memory
    picked = here[torch.arange(n)[:, None, None], rows[:, :, None].to(x.device), columns[:, None, :].to(x.device)]
    return picked.permute(0, 3, 1, 2)


def _reflect(index: torch.Tensor, size: int) -> torch.Tensor:
    """Indices beyond the border -> mirrored back inside, the border pixel not repeated."""
    index = index.abs()
    return torch.where(index >= size, 2 * (size - 1) - index, index).clamp_(0, size - 1)


def _affine(x: torch.Tensor, how: Augment, generator: torch.Generator) -> torch.Tensor:
    n, _, height, width = x.shape
    angle = _uniform(n, -how.rotate, how.rotate, generator) * (math.pi / 180)
    scale = 1 / _uniform(n, 1, 1 + how.zoom, generator)
    ty = _uniform(n, -2 * how.translate, 2 * how.translate, generator)
    tx = _uniform(n, -2 * how.translate, 2 * how.translate, generator)
    mirror = torch.where(_flips(n, how, generator), -1.0, 1.0)
    theta = affine_matrices(angle, scale, tx, ty, mirror, aspect=width / height)
    grid = F.affine_grid(theta.to(x), list(x.shape), align_corners=False)
    moved = F.grid_sample(x, grid, mode="bilinear", padding_mode="reflection", align_corners=False)
    return moved.contiguous(memory_format=torch.channels_last)


def affine_matrices(
    angle: torch.Tensor,
    scale: torch.Tensor,
    tx: torch.Tensor,
    ty: torch.Tensor,
    mirror: torch.Tensor,
    *,
    aspect: float,
) -> torch.Tensor:
    """Per picture angle (radians), scale, shifts (of the half side) and mirror (+1/-1) -> (N, 2, 3) for affine_grid."""
    cos, sin = torch.cos(angle) * scale, torch.sin(angle) * scale
    top = torch.stack([cos * mirror, -sin / aspect, tx], 1)
    bottom = torch.stack([sin * aspect * mirror, cos, ty], 1)
    return torch.stack([top, bottom], 1)


def _recolour(x: torch.Tensor, how: Augment, generator: torch.Generator) -> torch.Tensor:
    n = len(x)
    bright, contrast, saturation = (
        _uniform(n, 1 - value, 1 + value, generator).view(n, 1, 1, 1).to(x)
        for value in (how.brightness, how.contrast, how.saturation)
    )
    return recolour(x, bright, contrast, saturation)


def recolour(x: torch.Tensor, bright: torch.Tensor, contrast: torch.Tensor, saturation: torch.Tensor) -> torch.Tensor:
    """float (N, C, H, W) in 0..255 and factors (N, 1, 1, 1) -> brightness, then contrast, then saturation changed.

    RGB or gray; a gray picture has no saturation to change.
    """
    x = (x * bright).clamp(0, 255)
    x = torch.lerp(_gray(x).mean((2, 3), keepdim=True), x, contrast).clamp(0, 255)
    return torch.lerp(_gray(x), x, saturation).clamp(0, 255)


def _gray(x: torch.Tensor) -> torch.Tensor:
    if x.shape[1] == 1:
        return x
    weights = torch.tensor([0.2989, 0.587, 0.114], device=x.device, dtype=x.dtype).view(1, 3, 1, 1)
    return (x * weights).sum(1, keepdim=True)
