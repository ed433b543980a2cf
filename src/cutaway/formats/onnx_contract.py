"""How pictures go into an ONNX network, and what its outputs are called: from metadata, else assumed and said."""

from __future__ import annotations

import json
import operator
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import torch
from torch import nn

from cutaway.errors import BadModel
from cutaway.formats.about import KEY, SET_INPUT, About, about_of
from cutaway.formats.labels import class_names, parse_labels
from cutaway.formats.onnx_values import Step, Value
from cutaway.image import InputContract

_MOST_TEXT = 5_000_000
_IMAGENET = ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
_NAMED = re.compile(r"(\d{1,7})\s*:\s*(?:'((?:[^'\\]|\\.)*)'|\"((?:[^\"\\]|\\.)*)\")")
_CHANGE = f"where it was trained otherwise: {SET_INPUT}"


@dataclass(frozen=True, slots=True)
class Feed:
    """What the graph's input is: height, width, channels; whether the file has channels last, whole numbers 0..255."""

    size: tuple[int, int]
    channels: int
    channels_last: bool
    bytes_in: bool


def contract_from_metadata(
    metadata: Mapping[str, str], size: tuple[int, int], channels: int
) -> tuple[About | None, list[str]]:
    """metadata_props of a file, its input's size and channels -> (what our own export wrote, sentences of note).

    The JSON text under about.KEY is About.to_text(). None where there is none, or where it is damaged or does not fit
    the input; then the note says so.
    """
    text = metadata.get(KEY, "")
    if not text or len(text) > _MOST_TEXT:
        return None, []
    try:
        about = about_of(text)
    except BadModel as error:
        return None, [f"The file's own note of its contract was not used: {error}"]
    if about.contract.size == size and about.contract.in_channels == channels:
        return about, []
    height, width = about.contract.size
    return None, [
        f"The file's own note of its contract was not used: it is for {height} x {width} px, the graph is not."
    ]


def assumed_contract(feed: Feed, steps: Sequence[Step]) -> tuple[InputContract, str]:
    """Input and the first steps of a network whose file says nothing of scaling -> (contract, sentence of note)."""
    colours: Literal["gray", "RGB"] = "gray" if feed.channels == 1 else "RGB"
    inside = _own_scaling(steps)
    if feed.bytes_in or inside == 255:
        note = "The network scales its input itself and gets values from 0 to 255; photos are cropped to its shape."
        return InputContract(feed.size, "crop", 1.0, "bilinear", colours, scale=255.0), note
    if inside == 1:
        note = "The network scales its input itself and gets values from 0 to 1; photos are cropped to its shape."
        return InputContract(feed.size, "crop", 1.0, "bilinear", colours), note
    if feed.channels_last or feed.channels == 1:
        note = "The file does not say how pictures are scaled; values from 0 to 1 were assumed and photos are cropped "
        return InputContract(feed.size, "crop", 1.0, "bilinear", colours), note + f"to its shape; {_CHANGE}."
    mean, std = _IMAGENET
    note = (
        "The file does not say how pictures are scaled; ImageNet's recipe was assumed (values from 0 to 1, minus its "
    )
    note += f"mean, divided by its standard deviation, the middle 87.5 % of the photo); {_CHANGE}."
    return InputContract(feed.size, "crop", 0.875, "bilinear", colours, mean=mean, std=std), note


def _own_scaling(steps: Sequence[Step]) -> int:
    """255 or 1: the values that a network which begins with arithmetic on its input expects; 0 where it does not."""
    at: Any = "input"
    for step in steps:
        first = step.args[0] if step.args else None
        if step.target == "input":
            at = step
            continue
        if not (isinstance(first, Value) and first.step is at):
            return 0
        if isinstance(step.target, nn.BatchNorm2d):
            return 255 if _largest(step.weights.get("running_mean")) > 3 else 1
        if step.target in (operator.sub, operator.add, operator.mul, operator.truediv):
            number = _largest(step.args[1])
            if step.target is operator.mul:
                return 255 if number < 0.03 else 1
            return 255 if number > 3 else 1
        if step.target is not torch.permute:
            return 0
        at = step
    return 0


def _largest(value: Any) -> float:
    if isinstance(value, Value):
        return float(value.tensor.abs().max()) if value.known and value.tensor.numel() else 0.0
    return abs(float(value)) if isinstance(value, int | float) else 0.0


def classes_of(metadata: Mapping[str, str], beside: Path, count: int) -> tuple[tuple[str, ...], list[str]]:
    """Class names from metadata ("names", "classes", "labels": JSON, {0: 'cat'}, or lines) or from labels.txt.

    -> (names in output order, sentences of note), as labels.class_names.
    """
    for key in ("names", "classes", "labels", "class_names"):
        names = _names(metadata.get(key, ""))
        if len(names) == count:
            return names, []
    return class_names(beside, count)


def _names(text: str) -> tuple[str, ...]:
    if not text or len(text) > _MOST_TEXT:
        return ()
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        found = None
    if isinstance(found, list):
        return tuple(str(n) for n in found) if all(isinstance(n, str) for n in found) else ()
    numbered = {int(m[1]): m[2] if m[2] is not None else m[3] for m in _NAMED.finditer(text)}
    if numbered and sorted(numbered) == list(range(len(numbered))):
        return tuple(numbered[n] for n in range(len(numbered)))
    if text.lstrip()[:1] in ("{", "["):
        return ()
    lines = parse_labels(text)
    return lines if len(lines) > 1 else tuple(n.strip() for n in text.split(",") if n.strip())
