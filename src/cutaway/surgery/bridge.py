"""From maps of one shape to maps of another: the fewest layers that stand in for a block that was taken out."""

from __future__ import annotations

import torch
from torch import nn

from cutaway.errors import BadInput
from cutaway.surgery.dry import Shape, shape_text


def bridge(before: Shape, after: Shape, seed: int = 0) -> list[nn.Module]:
    """Shape that comes, shape that is wanted (both with batch axis) -> layers between them, () for equal ones.

    Channels: a 1 x 1 convolution (or a dense layer) with random weights; sizes: a pool over even windows where there
    are such, else over windows of the size that fits. Raises BadInput where the axes differ in number.
    """
    if len(before) != len(after) or len(before) not in (2, 4):
        raise BadInput(f"nothing bridges {shape_text(before[1:])} and {shape_text(after[1:])}.")
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        if len(before) == 2:
            return [nn.Linear(before[1], after[1])] if before != after else []
        channels = [nn.Conv2d(before[1], after[1], 1)] if before[1] != after[1] else []
    return [*resize(before[2:], after[2:]), *channels]


def resize(before: Shape, after: Shape) -> list[nn.Module]:
    """Height and width that come, that are wanted -> a pool, an enlargement, or nothing."""
    if before == after:
        return []
    if all(b >= a for b, a in zip(before, after)):
        down, across = (b // a for b, a in zip(before, after))
        if (before[0] // down, before[1] // across) == after:
            return [nn.AvgPool2d((down, across), (down, across))]
        return [nn.AdaptiveAvgPool2d(tuple(after))]
    return [nn.Upsample(size=tuple(after))]
