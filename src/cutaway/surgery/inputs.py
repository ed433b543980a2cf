"""What a picture goes through before the network, and what the answers are called."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Literal

from cutaway.errors import BadInput
from cutaway.image.contract import Fit, Interpolation
from cutaway.surgery.edit import Edit
from cutaway.surgery.patient import Patient

MOST_PX = 4096


@dataclass(frozen=True)
class SetInputSize(Edit):
    """Set the size of the pictures that the network gets."""

    structural = True

    size: int | tuple[int, int]
    """Pixels: one number for a square, or height and width."""

    def operate(self, patient: Patient) -> None:
        size = (self.size, self.size) if isinstance(self.size, int) else self.size
        if not all(1 <= side <= MOST_PX for side in size):
            raise BadInput(f"a picture's sides are 1 to {MOST_PX} pixels. Got {' x '.join(map(str, size))}.")
        patient.contract = dataclasses.replace(patient.contract, size=size)

    @property
    def sentence(self) -> str:
        size = (self.size, self.size) if isinstance(self.size, int) else self.size
        return f"set the input's size to {size[0]} x {size[1]} px"


@dataclass(frozen=True)
class SetInput(Edit):
    """Change how pictures are fitted and scaled before the network gets them; what is left out stays."""

    fit: Fit | None = None
    """crop: cut the centre to shape, then resize; squash: resize both sides; pad: all of it, white border."""
    crop_fraction: float | None = None
    """Share of the side that is kept, above 0 to 1."""
    interpolation: Interpolation | None = None
    """nearest, bilinear, bicubic or lanczos."""
    channels: Literal["RGB", "BGR", "gray"] | None = None
    """Order of the colours; gray for networks with one input channel."""
    scale: float | None = None
    """The network gets (pixels / 255 * scale + offset - mean) / std."""
    offset: float | None = None
    """See scale: scale 2 and offset -1 give -1 to 1."""
    mean: tuple[float, ...] | None = None
    """One number a channel."""
    std: tuple[float, ...] | None = None
    """One number a channel, not 0."""

    def operate(self, patient: Patient) -> None:
        given = {f.name: v for f in dataclasses.fields(self) if (v := getattr(self, f.name)) is not None}
        if not given:
            raise BadInput("nothing was named; it changes fit, crop_fraction, interpolation, channels, scale, ...")
        old = patient.contract
        if self.crop_fraction is not None and not 0 < self.crop_fraction <= 1:
            raise BadInput(f"crop_fraction must be above 0 and at most 1. Got {self.crop_fraction:g}.")
        if self.scale == 0:
            raise BadInput("scale must not be 0: every picture would look the same. Got 0.")
        if self.channels is not None and (self.channels == "gray") != (old.channels == "gray"):
            raise BadInput(
                f"the network takes {old.in_channels} channel{'s' * (old.in_channels > 1)}, {old.channels}; "
                f"{self.channels} gives {1 if self.channels == 'gray' else 3}."
            )
        for name in ("mean", "std"):
            numbers = given.get(name)
            if numbers is not None and (len(numbers) != old.in_channels or (name == "std" and not all(numbers))):
                rule = ", none of them 0" if name == "std" else ""
                raise BadInput(f"{name} must be {old.in_channels} numbers, one a channel{rule}. Got {list(numbers)}.")
        patient.contract = dataclasses.replace(old, **given)

    @property
    def sentence(self) -> str:
        given = [f"{f.name} {_shown(v)}" for f in dataclasses.fields(self) if (v := getattr(self, f.name)) is not None]
        return f"set the input's {', '.join(given) or 'nothing'}"


@dataclass(frozen=True)
class SetClasses(Edit):
    """Give the classes other names, in output order."""

    names: tuple[str, ...]
    """As many as the network has outputs."""

    def operate(self, patient: Patient) -> None:
        cleaned = tuple(name.strip() for name in self.names)
        if len(cleaned) != len(patient.classes):
            raise BadInput(
                f"the network has {len(patient.classes)} classes ({', '.join(patient.classes[:6])}"
                f"{', ...' * (len(patient.classes) > 6)}); {len(cleaned)} names were given."
            )
        for name in cleaned:
            if not name or not name.isprintable():
                raise BadInput(f"a class name is a text on one line. Got {name!r}.")
            if cleaned.count(name) > 1:
                raise BadInput(f"two classes cannot both be called {name!r}.")
        patient.classes = cleaned

    @property
    def sentence(self) -> str:
        return f"call the classes {', '.join(self.names)}"


def _shown(value: object) -> str:
    return "(" + ", ".join(f"{v:g}" for v in value) + ")" if isinstance(value, tuple) else str(value)
