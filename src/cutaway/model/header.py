"""Plain values of a model file's header -> checked ones: a file may say anything."""

from __future__ import annotations

import math
import typing
from typing import Any

from cutaway.errors import BadModel
from cutaway.image import InputContract
from cutaway.image.contract import Fit, Interpolation

_MOST_PX = 16_384
_CHOICES = {
    "fit": typing.get_args(Fit),
    "interpolation": typing.get_args(Interpolation),
    "channels": ("RGB", "BGR", "gray"),
}


def contract_of(document: Any) -> InputContract:
    """What InputContract.to_dict gave -> the contract. Raises BadModel naming the entry that cannot be."""
    if not isinstance(document, dict):
        raise _wrong("its contract", document)
    contract = InputContract.from_dict(document)
    size: Any = contract.size
    if not (isinstance(size, tuple) and len(size) == 2 and all(type(s) is int and 1 <= s <= _MOST_PX for s in size)):
        raise _wrong("size", size)
    for name, allowed in _CHOICES.items():
        if getattr(contract, name) not in allowed:
            raise _wrong(name, getattr(contract, name))
    for name in ("mean", "std"):
        values: Any = getattr(contract, name)
        if not (isinstance(values, tuple) and len(values) >= contract.in_channels and all(map(_finite, values))):
            raise _wrong(name, values)
    if not all(contract.std):
        raise _wrong("std", contract.std)
    for name in ("scale", "offset", "crop_fraction"):
        if not _finite(getattr(contract, name)):
            raise _wrong(name, getattr(contract, name))
    if not 0 < contract.crop_fraction <= 1:
        raise _wrong("crop_fraction", contract.crop_fraction)
    return contract


def must_be_text(value: Any) -> str:
    """A text -> the same. Raises BadModel for anything else."""
    if not isinstance(value, str):
        raise _wrong("a class name or card entry", value)
    return value


def positive(value: Any) -> float:
    """A number above 0 -> the same. Raises BadModel for anything else."""
    if not (_finite(value) and value > 0):
        raise _wrong("temperature", value)
    return float(value)


def _finite(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _wrong(name: str, value: Any) -> BadModel:
    return BadModel(f"Its header says {str(value)[:60]!r} for {name}, which cannot be.")
