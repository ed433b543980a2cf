"""Weights of Cutaway's own small networks -> which one, its knobs and its picture size, read off the shapes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import torch

from cutaway.zoo.plain import PLAIN, Plain
from cutaway.zoo.signatures import shapes_by_key

Shapes = Mapping[str, tuple[int, ...]]
_FIRST = {"tutorial-cifar-bn": "conv1a", "lenet5": "c1"}
_USUAL_SIDES = (28, 32, 48, 64, 96, 128, 150, 160, 180, 192, 200, 224, 256)
_MOST_SIDE = 512


@dataclass(frozen=True, slots=True)
class PlainFit:
    name: str
    classes: int
    size: tuple[int, int]
    in_channels: int
    knobs: dict[str, Any] = field(default_factory=dict)


def fitting(shapes: Shapes) -> PlainFit | None:
    """Shapes by name -> the network of zoo.plain that has just these, None where none does.

    Only squares are tried; where several sides give the same shapes (poolings round down), the published one is taken,
    then a usual one, then the smallest.
    """
    if not 4 <= len(shapes) <= 60:
        return None
    for name, plain in PLAIN.items():
        first = shapes.get(f"{_FIRST.get(name, 'conv1')}.weight", ())
        last = shapes.get(f"{_last(name)}.weight", ())
        if len(first) != 4 or len(last) != 2 or first[1] not in (1, 3):
            continue
        knobs = _knobs(name, shapes)
        side = _side(name, plain, shapes, last[0], first[1], knobs)
        if side is not None:
            return PlainFit(name, last[0], (side, side), first[1], knobs)
    return None


def _last(name: str) -> str:
    return {"tutorial-cifar": "dense2", "tutorial-cats-dogs": "dense2", "lenet5": "output"}.get(name, "dense")


def _knobs(name: str, shapes: Shapes) -> dict[str, Any]:
    if name != "small-cnn":
        return {}
    depth = sum(f"conv{n}.weight" in shapes for n in range(1, 7))
    return {"depth": depth, "filters": shapes["conv1.weight"][0], "kernel_size": shapes["conv1.weight"][2]}


def _side(name: str, plain: Plain, shapes: Shapes, classes: int, channels: int, knobs: dict[str, Any]) -> int | None:
    published = plain.size[0]
    sides = [published] if name == "small-cnn" else [published, *_USUAL_SIDES, *range(8, _MOST_SIDE + 1)]
    for side in dict.fromkeys(sides):
        try:
            with torch.device("meta"):
                made = shapes_by_key(plain.make(classes, (side, side), channels, **knobs).state_dict())
        except Exception:  # too small a side, or knobs out of range: not this one
            continue
        if made == dict(shapes):
            return side
        if made.keys() != shapes.keys():
            return None
    return None
