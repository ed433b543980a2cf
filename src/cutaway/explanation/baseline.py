"""Question -> pictures that say nothing: what an explanation compares with, covers with, or starts from."""

from __future__ import annotations

from typing import Literal

import torch

from cutaway.engine.prepare import prepare
from cutaway.errors import must_be
from cutaway.explanation.question import Question

Baseline = Literal["black", "white", "grey", "mean", "blur", "zero"]
BASELINES: tuple[Baseline, ...] = ("black", "white", "grey", "mean", "blur", "zero")
_GREY = 128
_BLUR_SHARE = 1 / 20
"""Of the shorter side: the standard deviation of the blur, which leaves no shape and keeps the colours."""


def baseline(question: Question, kind: str) -> torch.Tensor:
    """Question, name -> float32 (N, C, H, W) as the network gets it.

    black, white, grey: pixels of one level; mean: each picture's own mean colour; blur: each picture blurred until no
    shape is left; zero: the number 0 after the contract's scaling (often the training data's mean colour). Raises
    BadInput for another name.
    """
    pixels = torch.as_tensor(question.pixels)  # (N, H, W, 3)
    if kind == "zero":
        return torch.zeros_like(question.x)
    if kind in ("black", "white", "grey"):
        level = {"black": 0, "white": 255, "grey": _GREY}[kind]
        return prepare(torch.full_like(pixels, level), question.contract)
    if kind == "mean":
        mean = pixels.float().mean((1, 2), keepdim=True).round().to(torch.uint8)
        return prepare(mean.expand_as(pixels), question.contract)
    if kind == "blur":
        return prepare(_blurred(pixels), question.contract)
    raise must_be("baseline", ", ".join(BASELINES[:-1]) + f" or {BASELINES[-1]}", kind)


def _blurred(pixels: torch.Tensor) -> torch.Tensor:
    from torchvision.transforms.v2.functional import gaussian_blur

    side = min(pixels.shape[1:3])
    sigma = max(side * _BLUR_SHARE, 1.0)
    reach = min(int(3 * sigma), side - 1)  # mirrored at the edge, which a kernel wider than the picture cannot be
    kernel = 2 * max(reach, 0) + 1
    blurred: torch.Tensor = gaussian_blur(pixels.permute(0, 3, 1, 2), [kernel, kernel], [sigma, sigma])
    return blurred.permute(0, 2, 3, 1)
