"""A picture that moves, turns, grows, is covered or recoloured step by step, and what the network says to each step.

The picture is changed at the network's own size, after it was cut and resized. Where the change asks for something
beyond its edges, the picture is reflected there, so that no black border tells the network that something moved.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray

from cutaway.engine.fast import BATCH
from cutaway.errors import must_be
from cutaway.model import Model

Pixels = NDArray[np.uint8]
Floats = NDArray[np.float64]
Kind = Literal["translate", "rotate", "zoom", "cover", "brightness", "contrast", "saturation", "hue"]
Along = Literal["x", "y", "both"]

UNITS: dict[str, str] = {
    "translate": "pixels", "rotate": "degrees", "zoom": "times", "cover": "share covered", "brightness": "times",
    "contrast": "times", "saturation": "times", "hue": "degrees",
}  # fmt: skip
_LUMA = (0.299, 0.587, 0.114)  # ITU-R 601-2, as in engine.prepare
FORMULA = "1 - mean over the moved steps of (1/2) sum over classes |p(class) - p of the unmoved picture(class)|"
"""How `Shift.invariance` is computed: 1 minus the mean total variation distance to the unmoved answer."""


@dataclass(frozen=True, slots=True)
class Change:
    """A kind of change and how far it goes; 0 (for zoom, brightness, contrast and saturation 1) changes nothing.

    translate: `most` pixels to the right, down or both, and as many the other way; rotate: degrees clockwise and
    counter-clockwise; zoom: 1/most to most times; cover: 0 to `most` of the area, a square in the middle of the
    picture's mean colour; brightness, contrast, saturation: 1 - most to 1 + most times; hue: -most to most degrees.
    """

    kind: Kind
    most: float
    along: Along = "x"

    def __post_init__(self) -> None:
        if self.kind not in UNITS:
            raise must_be("kind", f"one of {', '.join(UNITS)}", self.kind)
        if self.along not in ("x", "y", "both"):
            raise must_be("along", "x, y or both", self.along)
        low, high, words = _LIMITS[self.kind]
        if not (math.isfinite(self.most) and low < self.most <= high):
            raise must_be(self.kind, words, self.most)

    def amounts(self, steps: int) -> tuple[float, ...]:
        """How many steps (3 or more, odd unless it covers, so that the unmoved picture is among them) -> the amounts.

        Evenly spaced, for zoom by equal factors.
        """
        if self.kind == "cover":
            if steps < 3:
                raise must_be("steps", "at least 3", steps)
            return tuple(float(v) for v in np.linspace(0, self.most, steps))
        if steps < 3 or steps % 2 == 0:
            raise must_be("steps", "an odd number, at least 3, so that the unmoved picture is in the middle", steps)
        even = [2 * i / (steps - 1) - 1 for i in range(steps)]
        if self.kind == "zoom":
            return tuple(float(self.most**e) for e in even)
        middle = 1.0 if self.unmoved else 0.0
        return tuple(middle + self.most * e for e in even)

    @property
    def unmoved(self) -> float:
        """The amount that changes nothing."""
        return 1.0 if self.kind in ("zoom", "brightness", "contrast", "saturation") else 0.0


_LIMITS: dict[str, tuple[float, float, str]] = {
    "translate": (0, 4096, "a number of pixels above 0"),
    "rotate": (0, 180, "degrees above 0, at most 180"),
    "zoom": (1, 16, "a factor above 1, at most 16"),
    "cover": (0, 1, "a share of the area above 0, at most 1"),
    "brightness": (0, 1, "above 0, at most 1 (0.5: from half to one and a half times)"),
    "contrast": (0, 1, "above 0, at most 1 (0.5: from half to one and a half times)"),
    "saturation": (0, 1, "above 0, at most 1 (1: from gray to twice)"),
    "hue": (0, 180, "degrees above 0, at most 180"),
}


@dataclass(frozen=True, slots=True, eq=False)
class Shift:
    """One picture's steps: amounts (S,), the changed pictures uint8 (S, H, W, 3), probabilities (S, K)."""

    change: Change
    amounts: tuple[float, ...]
    pictures: Pixels
    probabilities: Floats

    @property
    def start(self) -> int:
        """The step of the unmoved picture."""
        return min(range(len(self.amounts)), key=lambda i: abs(self.amounts[i] - self.change.unmoved))

    @property
    def invariance(self) -> float:
        """1: the probabilities never change; 0: they have nothing in common with the unmoved picture's. See FORMULA."""
        others = np.delete(self.probabilities, self.start, axis=0)
        return float(1 - 0.5 * np.abs(others - self.probabilities[self.start]).sum(1).mean())

    @property
    def kept(self) -> float:
        """Share of the moved steps whose likeliest class is the unmoved picture's."""
        answers = np.delete(self.probabilities, self.start, axis=0).argmax(1)
        return float((answers == self.probabilities[self.start].argmax()).mean())

    @property
    def turns(self) -> tuple[float, ...]:
        """Amounts nearest to the unmoved picture, on each side, where another class becomes the likeliest."""
        answer = self.probabilities.argmax(1)
        found = []
        for side in (range(self.start - 1, -1, -1), range(self.start + 1, len(self.amounts))):
            found += [self.amounts[i] for i in side if answer[i] != answer[self.start]][:1]
        return tuple(found)


def shift(model: Model, fitted: Pixels, change: Change, steps: int = 17) -> Shift:
    """Model, picture uint8 (H, W, 3) at the contract's size, change, number of steps -> Shift.

    Raises BadInput for a number of steps that does not fit, BadModel naming a layer that cannot work.
    """
    amounts = change.amounts(steps)
    pictures = np.stack([changed(fitted, change, amount) for amount in amounts])
    return Shift(change, amounts, pictures, _probabilities(model, pictures))


def changed(picture: Pixels, change: Change, amount: float) -> Pixels:
    """uint8 (H, W, 3), change, amount -> the changed picture, of the same size; bilinear, edges reflected."""
    if amount == change.unmoved:
        return picture.copy()
    if change.kind in ("translate", "rotate", "zoom"):
        return _moved(picture, change, amount)
    x = picture.astype(np.float64)
    if change.kind == "cover":
        height, width = picture.shape[:2]
        share = math.sqrt(amount)
        tall, wide = round(share * height), round(share * width)
        top, left = (height - tall) // 2, (width - wide) // 2
        x[top : top + tall, left : left + wide] = x.mean((0, 1))
    elif change.kind == "brightness":
        x *= amount
    elif change.kind == "contrast":
        gray = (x @ _LUMA).mean()
        x = gray + amount * (x - gray)
    elif change.kind == "saturation":
        gray = (x @ _LUMA)[..., None]
        x = gray + amount * (x - gray)
    else:
        x = x @ _turned_hue(amount).T
    found: Pixels = np.rint(np.clip(x, 0, 255)).astype(np.uint8)
    return found


def _moved(picture: Pixels, change: Change, amount: float) -> Pixels:
    """Rotation about the middle, zoom from the middle, translation: sampled from the picture, reflected beyond it."""
    height, width = picture.shape[:2]
    x = torch.from_numpy(picture).permute(2, 0, 1)[None].float()
    if change.kind == "translate":
        right, down = (amount if change.along != "y" else 0.0), (amount if change.along != "x" else 0.0)
        rows = [[1.0, 0.0, -2 * right / width], [0.0, 1.0, -2 * down / height]]
    elif change.kind == "rotate":
        turn = math.radians(amount)
        cos, sin = math.cos(turn), math.sin(turn)  # clockwise as seen, in units of half a side
        rows = [[cos, sin * height / width, 0.0], [-sin * width / height, cos, 0.0]]
    else:
        if amount < 1:  # smaller: averaged first, or edges would flicker
            small = (max(1, round(height * amount)), max(1, round(width * amount)))
            x = F.interpolate(x, size=small, mode="bilinear", antialias=True)
        rows = [[1 / amount, 0.0, 0.0], [0.0, 1 / amount, 0.0]]
    grid = F.affine_grid(torch.tensor([rows]), [1, 3, height, width], align_corners=False)
    y = F.grid_sample(x, grid, mode="bilinear", padding_mode="reflection", align_corners=False)
    found: Pixels = y[0].permute(1, 2, 0).round().clamp(0, 255).to(torch.uint8).numpy()
    return found


def _turned_hue(degrees: float) -> Floats:
    """Degrees -> the RGB matrix that turns colours about the gray axis of YIQ, lightness kept."""
    to_yiq = np.array([_LUMA, (0.595716, -0.274453, -0.321263), (0.211456, -0.522591, 0.311135)])
    cos, sin = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    turn = np.array([[1, 0, 0], [0, cos, -sin], [0, sin, cos]])
    found: Floats = np.linalg.inv(to_yiq) @ turn @ to_yiq
    return found


def _probabilities(model: Model, pictures: Pixels) -> Floats:
    parts = [model.logits(pictures[i : i + BATCH]) for i in range(0, len(pictures), BATCH)]
    found: Floats = torch.softmax(torch.cat(parts).double() / model.temperature, 1).numpy()
    return found


@dataclass(frozen=True, slots=True)
class Compared:
    """One of several networks: mean invariance and share of kept answers over the pictures, and its accuracy there.

    `accuracy` is None without labels.
    """

    name: str
    invariance: float
    kept: float
    accuracy: float | None = None


def compare_invariance(
    models: Mapping[str, Model],
    pictures: Pixels,
    change: Change,
    *,
    steps: int = 17,
    labels: Sequence[int] | None = None,
) -> tuple[Compared, ...]:
    """Name: model, fitted pictures uint8 (N, H, W, 3), change -> how little each model's answers follow the change.

    The same pictures, changed in the same way, for every model: they share one contract's size. Raises BadInput.
    """
    if not len(pictures):
        raise must_be("pictures", "at least one", 0)
    found = []
    for name, model in models.items():
        shifts = [shift(model, picture, change, steps) for picture in pictures]
        right = None
        if labels is not None:
            answers = [int(s.probabilities[s.start].argmax()) for s in shifts]
            right = float(np.mean([a == b for a, b in zip(answers, labels, strict=True)]))
        means = (float(np.mean([s.invariance for s in shifts])), float(np.mean([s.kept for s in shifts])))
        found.append(Compared(name, *means, right))
    return tuple(found)
