"""Safetensors files of weights (timm's with their config.json beside them) -> BareWeights.

The header is JSON; safetensors checks every offset against the file's size before a number is read, and maps the rest.
"""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any, get_args

from safetensors import SafetensorError, safe_open

from cutaway.errors import BadModel
from cutaway.formats.parts import BareWeights
from cutaway.image import InputContract
from cutaway.image.contract import Interpolation

_MOST_HEADER = 100_000_000
_MOST_CONFIG = 10_000_000
_FITS = {"center": "crop", "squash": "squash", "border": "pad"}


def matches(head: bytes, path: Path) -> bool:
    """First bytes -> whether they are a header's length and the beginning of its JSON."""
    del path
    return len(head) > 10 and head[8:9] == b"{" and 2 <= int.from_bytes(head[:8], "little") < _MOST_HEADER


def read(path: Path) -> BareWeights:
    """Path -> its weights by name, with what timm's config.json beside it says. Raises BadModel: damaged or empty."""
    try:
        with safe_open(path, "pt") as file:
            said = file.metadata() or {}
            tensors = {name: _aligned(file.get_tensor(name)) for name in file.keys()}  # noqa: SIM118 - not a dict
    except (SafetensorError, OSError, ValueError, RuntimeError, TypeError) as error:
        raise BadModel(f"{path.name} is not a readable safetensors file ({str(error)[:150]}).") from None
    if not tensors:
        raise BadModel(f"{path.name} is a safetensors file that holds no weights.")
    card = {"format": "safetensors weights", "notes": ""}
    if isinstance(made := said.get("format"), str):
        card["producer"] = made[:40]
    config, note = _config(path)
    if not config:
        return BareWeights(tensors, {**card, "notes": note})
    if isinstance(name := config.get("architecture"), str):
        card["architecture"] = name[:80]
    contract = _contract(config.get("pretrained_cfg"))
    return BareWeights(tensors, {**card, "notes": note}, contract, _classes(config))


def _aligned(tensor: Any) -> Any:
    return tensor if tensor.data_ptr() % 64 == 0 else tensor.clone()  # kernels round otherwise on unaligned numbers


def _config(path: Path) -> tuple[dict[str, Any], str]:
    """File -> what config.json beside it says, and a note on it."""
    beside = path.with_name("config.json")
    if not beside.is_file():
        return {}, ""
    try:
        if beside.stat().st_size > _MOST_CONFIG:
            return {}, f"config.json beside the file has more than {_MOST_CONFIG:,} bytes and was not read."
        config = json.loads(beside.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        return {}, f"config.json beside the file could not be read ({type(error).__name__})."
    if not (isinstance(config, dict) and ("pretrained_cfg" in config or "architecture" in config)):
        return {}, ""
    return config, "Network, input and class names as config.json beside the file says."


def _contract(config: Any) -> InputContract | None:
    """timm's pretrained_cfg -> the contract of its evaluation transform, None where it lacks or garbles something."""
    if not isinstance(config, dict):
        return None
    size, mean, std = (_numbers(config.get(name)) for name in ("input_size", "mean", "std"))
    if len(size) != 3 or size[0] not in (1, 3) or not len(mean) == len(std) == size[0] or not all(std):
        return None
    _, height, width = size
    kept = config.get("crop_pct", 0.875)
    how = config.get("interpolation", "bicubic")
    if not (1 <= height <= 4096 and 1 <= width <= 4096 and isinstance(kept, int | float) and 0 < kept <= 1):
        return None
    return InputContract(
        size=(int(height), int(width)),
        fit=_FITS.get(str(config.get("crop_mode")), "crop"),  # type: ignore[arg-type]
        crop_fraction=float(kept),
        interpolation=how if how in get_args(Interpolation) else "bicubic",
        channels="gray" if size[0] == 1 else "RGB",
        mean=mean,
        std=std,
    )


def _numbers(values: Any) -> tuple[float, ...]:
    """A list of finite numbers -> them; () for anything else."""
    fine = isinstance(values, list) and all(
        isinstance(v, int | float) and not isinstance(v, bool) and math.isfinite(v) for v in values
    )
    return tuple(values) if fine else ()


def _classes(config: dict[str, Any]) -> tuple[str, ...]:
    """label_names of timm's config -> class names, readable where label_descriptions says them."""
    held = config.get("pretrained_cfg")
    names = config.get("label_names") or (held.get("label_names") if isinstance(held, dict) else None)
    if not (isinstance(names, list) and names and all(isinstance(n, str) for n in names)):
        return ()
    words = config.get("label_descriptions")
    readable = tuple(str(words.get(n, n)) for n in names) if isinstance(words, dict) else tuple(names)
    return readable if len(set(readable)) == len(readable) else tuple(names)
