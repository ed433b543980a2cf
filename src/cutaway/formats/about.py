"""What Cutaway writes about a model into its exports (ONNX metadata, .pt2 extra file); plain values -> checked ones.

A file may say anything: every value that is read is checked, and a wrong one is named.
"""

from __future__ import annotations

import dataclasses
import json
import math
import typing
from dataclasses import dataclass
from typing import Any

from cutaway.errors import BadModel
from cutaway.formats.parts import Parts
from cutaway.image import InputContract
from cutaway.image.contract import Fit, Interpolation

FORMAT = "cutaway-export-1"
KEY = "cutaway"
"""Name of the metadata entry (ONNX) that holds the document; in .pt2 archives it is the extra file cutaway.json."""
SET_INPUT = "cutaway edit FILE --set input.mean=0.5,0.5,0.5 --set input.std=0.5,0.5,0.5 (open_model(..., contract=...))"
"""How a person puts right what was assumed of a network's input."""
_MOST_PX = 16_384
_CHOICES = {
    "fit": typing.get_args(Fit),
    "interpolation": typing.get_args(Interpolation),
    "channels": ("RGB", "BGR", "gray"),
}


@dataclass(frozen=True, slots=True)
class About:
    """What a graph does not say. `golden`: its outputs for the picture of model.golden, () where none are kept."""

    contract: InputContract
    classes: tuple[str, ...]
    probabilities: bool
    temperature: float = 1.0
    card: dict[str, str] = dataclasses.field(default_factory=dict)
    golden: tuple[float, ...] = ()

    def to_text(self) -> str:
        """-> the JSON that `about_of` reads."""
        return json.dumps({"format": FORMAT, **dataclasses.asdict(self)})

    def put(self, parts: Parts) -> Parts:
        """What a reader found or assumed -> the same with what the file says for certain."""
        card = {**self.card, **{k: v for k, v in parts.card.items() if k in ("format", "producer")}}
        return dataclasses.replace(
            parts,
            contract=self.contract,
            classes=self.classes,
            probabilities=self.probabilities,
            temperature=self.temperature,
            card=card,
            golden=self.golden,
        )


def about_of(text: str) -> About:
    """JSON text of an export -> About. Raises BadModel naming the entry that cannot be."""
    try:
        found = json.loads(text)
        if not isinstance(found, dict) or found.get("format") != FORMAT:
            raise BadModel(f"Its note of Cutaway is not in the format {FORMAT!r}.")
        golden = tuple(finite(v) for v in found["golden"])
        return About(
            contract_of(found["contract"]),
            tuple(must_be_text(name) for name in found["classes"]),
            bool(found["probabilities"]),
            positive(found["temperature"]),
            {must_be_text(k): must_be_text(v) for k, v in found["card"].items()},
            golden,
        )
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise BadModel(f"Its note of Cutaway is damaged ({type(error).__name__}: {str(error)[:80]}).") from None


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


def finite(value: Any) -> float:
    """A finite number -> the same. Raises BadModel for anything else."""
    if not _finite(value):
        raise _wrong("a kept answer", value)
    return float(value)


def _finite(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _wrong(name: str, value: Any) -> BadModel:
    return BadModel(f"Its header says {str(value)[:60]!r} for {name}, which cannot be.")
