"""How a .tflite file's picture is scaled: by its metadata, its structure, its integers, its first steps; or assumed."""

from __future__ import annotations

from collections import Counter
from typing import Literal

import numpy as np

from cutaway.formats.tflite_metadata import Metadata
from cutaway.formats.tflite_tables import Tables, Tensor, count_of
from cutaway.image import InputContract

_KNOWN = ((0.0, 1.0), (-1.0, 1.0), (0.0, 255.0))
_NEAR = 0.02
_SCALES = ("MUL", "DIV", "SUB", "ADD")
_INTEGERS = ("uint8", "int8")
_TEACHABLE = Counter({"CONV_2D": 35, "DEPTHWISE_CONV_2D": 17, "ADD": 10, "PAD": 5, "FULLY_CONNECTED": 2, "MEAN": 1})
_HOW = "photos are cropped to its shape"


def is_teachable_machine(tables: Tables) -> bool:
    """MobileNetV2 of width 0.35 (its folded layers), 100 hidden units, softmax: what Teachable Machine exports."""
    steps = [s for s in tables.operators if s.kind not in ("QUANTIZE", "DEQUANTIZE", "RESHAPE")]
    kinds = Counter(s.kind for s in steps)
    if kinds != _TEACHABLE + Counter({"SOFTMAX": 1}) or steps[-1].kind != "SOFTMAX":
        return False
    made = [_made(tables, s.inputs) for s in steps if s.kind in ("CONV_2D", "FULLY_CONNECTED")]
    return made[0] == 16 and made[-2] == 100 and made[-3] == 1280


def _made(tables: Tables, inputs: tuple[int, ...]) -> int:
    """Outputs of a layer's weights (O, ...)."""
    shape = tables.tensor(inputs[1]).shape if len(inputs) > 1 and inputs[1] >= 0 else ()
    return shape[0] if shape else 0


def contract_of(
    tables: Tables, picture: tuple[int, int, int], metadata: Metadata | None, notes: list[str]
) -> InputContract:
    """File, (height, width, channels), its metadata -> the contract; adds what was assumed to `notes`."""
    height, width, channels = picture
    colours: Literal["gray", "RGB"] = "gray" if channels == 1 else "RGB"
    size = (height, width)
    stored = _stored_integers(tables)
    if is_teachable_machine(tables):
        low, high = _range(stored) if stored else (-1.0, 1.0)
        return InputContract(size, "crop", 1.0, "lanczos", colours, scale=high - low, offset=low)
    if metadata and metadata.mean:
        scaled = _by_metadata(size, colours, channels, metadata)
        if scaled is not None:
            notes.append(f"The file's metadata say how pictures are scaled; {_HOW}.")
            return scaled
    if stored:
        low, high = _range(stored)
        notes.append(f"The file's integers say that pictures are scaled to {low:g} to {high:g}; {_HOW}.")
        return InputContract(size, "crop", 1.0, "bilinear", colours, scale=high - low, offset=low)
    if tables.tensor(tables.inputs[0]).type in _INTEGERS or _rescales(tables):
        notes.append(f"The network scales its input itself and gets values from 0 to 255; {_HOW}.")
        return InputContract(size, "crop", 1.0, "bilinear", colours, scale=255.0)
    notes.append(f"The file does not say how pictures are scaled; values from 0 to 1 were assumed and {_HOW}.")
    return InputContract(size, "crop", 1.0, "bilinear", colours)


def _by_metadata(
    size: tuple[int, int], colours: Literal["gray", "RGB"], channels: int, metadata: Metadata
) -> InputContract | None:
    if len(metadata.mean) not in (1, channels) or len(metadata.std) not in (1, channels):
        return None
    if len(metadata.mean) == len(metadata.std) == 1:
        mean, std = metadata.mean[0], metadata.std[0]
        return InputContract(size, "crop", 1.0, "bilinear", colours, scale=255.0 / std, offset=-mean / std)
    means, stds = (v * (3 // len(v)) for v in (metadata.mean, metadata.std))
    return InputContract(size, "crop", 1.0, "bilinear", colours, scale=255.0, mean=means, std=stds)


def _stored_integers(tables: Tables) -> Tensor | None:
    """The 8-bit tensor that holds the picture: the input itself, or what its first operator quantises it to."""
    given = tables.inputs[0]
    first = [step for step in tables.operators if given in step.inputs][:1]
    quantised = [step.outputs[0] for step in first if step.kind == "QUANTIZE" and step.outputs]
    for index in (given, *quantised):
        tensor = tables.tensor(index)
        if tensor.type in _INTEGERS and tensor.quantisation is not None and len(tensor.quantisation.scale) == 1:
            return tensor
    return None


def _range(tensor: Tensor) -> tuple[float, float]:
    """The numbers that an 8-bit tensor's least and greatest value stand for: a pixel's 0 and 255.

    Taken for the usual range where that is within 2 % of it (calibration misses the ends, 1/127.5 has no exact middle).
    """
    assert tensor.quantisation is not None
    least = 0 if tensor.type == "uint8" else -128
    scale, zero = float(tensor.quantisation.scale[0]), float(tensor.quantisation.zero[0])
    low, high = scale * (least - zero), scale * (least + 255 - zero)
    for known in _KNOWN:
        if np.allclose((low, high), known, rtol=0, atol=_NEAR * (known[1] - known[0])):
            return known
    return low, high


def _rescales(tables: Tables) -> bool:
    """Whether the first thing done with the picture is arithmetic with numbers of the file (one, or one a channel)."""
    given = tables.inputs[0]
    for step in tables.operators:
        if given in step.inputs and step.kind in ("QUANTIZE", "DEQUANTIZE", "CAST") and step.outputs:
            given = step.outputs[0]
        elif given in step.inputs:
            other = [i for i in step.inputs if i != given and i >= 0]
            return step.kind in _SCALES and len(other) == 1 and _is_small(tables, other[0])
    return False


def _is_small(tables: Tables, index: int) -> bool:
    """Whether a tensor is numbers of the file (16-bit ones are turned to 32 first), at most one a channel."""
    maker = next((step for step in tables.operators if index in step.outputs), None)
    if maker is not None:
        if maker.kind != "DEQUANTIZE" or not maker.inputs:
            return False
        index = maker.inputs[0]
    return count_of(tables.tensor(index).shape) <= 3
