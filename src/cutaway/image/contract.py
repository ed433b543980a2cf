"""InputContract: what turns an Image into the numbers a network was trained on. It travels inside the model file.

Two steps, in two rooms: `fit_picture` here makes uint8 (H, W, 3) at the network's size (what the pixel cache keeps);
`engine.prepare` then makes float32 (N, C, H, W) of a batch of those. Train, predict, serve, explain and export all use
the same two, so train/serve skew cannot exist.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any, Literal

Fit = Literal["crop", "squash", "pad"]
Interpolation = Literal["nearest", "bilinear", "bicubic", "lanczos"]


@dataclass(frozen=True, slots=True)
class InputContract:
    """Size, fit rule and scaling of a network's input.

    The network gets `(pixels / 255 * scale + offset - mean) / std` per channel, channels in the order `channels`.
    """

    size: tuple[int, int]
    """Height and width in pixels."""
    fit: Fit = "crop"
    """crop: cut the centre to the input's shape, then resize; squash: resize both sides; pad: all, white border."""
    crop_fraction: float = 1.0
    """Share of the (already shape-fitted) side that is kept; ImageNet recipes keep 0.875 of the middle."""
    interpolation: Interpolation = "bicubic"
    channels: Literal["RGB", "BGR", "gray"] = "RGB"
    scale: float = 1.0
    offset: float = 0.0
    mean: tuple[float, ...] = (0.0, 0.0, 0.0)
    std: tuple[float, ...] = (1.0, 1.0, 1.0)

    @property
    def pixel_key(self) -> str:
        """What the uint8 pixels depend on, as a short text: two contracts with the same key share a pixel cache."""
        height, width = self.size
        return f"{height}x{width}-{self.fit}-{self.crop_fraction:g}-{self.interpolation}"

    @property
    def in_channels(self) -> int:
        return 1 if self.channels == "gray" else 3

    def to_dict(self) -> dict[str, Any]:
        return dataclasses.asdict(self)

    @classmethod
    def from_dict(cls, doc: dict[str, Any]) -> InputContract:
        lists = {k: tuple(v) for k, v in doc.items() if isinstance(v, list)}
        return cls(**{**doc, **lists})

    def describe(self) -> str:
        """One sentence a person can check: size, fit, scaling."""
        height, width = self.size
        low, high = self.offset, self.scale + self.offset
        kept = "" if self.crop_fraction == 1 else f", middle {self.crop_fraction:.1%} kept"
        norm = ""
        if any(self.mean) or any(s != 1 for s in self.std):
            norm = f", minus mean {_row(self.mean)}, divided by std {_row(self.std)}"
        shape = f"{height} x {width} px {self.channels}, {self.fit}{kept}, {self.interpolation}"
        return f"{shape}, scaled to [{low:g}, {high:g}]{norm}"


def _row(values: tuple[float, ...]) -> str:
    return "(" + ", ".join(f"{v:g}" for v in values) + ")"
