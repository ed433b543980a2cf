"""Any mode Pillow knows -> plain RGB: deep gray scaled, transparency on white, everything else converted.

Embedded ICC profiles are not applied: the reference rates and every published network read the stored numbers as sRGB.
"""

from __future__ import annotations

import numpy as np
from PIL import Image as Pillow

from cutaway.image.depth import levels_to_8_bit

WHITE = (255, 255, 255)


def to_rgb(picture: Pillow.Image) -> tuple[Pillow.Image, list[str]]:
    """Loaded Pillow image of any mode -> (the same picture in mode RGB, notes of what was done to its numbers)."""
    if picture.mode in ("I", "F") or picture.mode.startswith("I;16"):
        return _deep_gray(picture)
    if picture.has_transparency_data:
        return _on_white(picture), ["alpha-flattened"]
    return (picture if picture.mode == "RGB" else picture.convert("RGB")), []


def _deep_gray(picture: Pillow.Image) -> tuple[Pillow.Image, list[str]]:
    values = np.asarray(picture)
    levels, notes = levels_to_8_bit(values), ["depth-scaled"]
    clear = picture.info.get("transparency")
    if isinstance(clear, int):  # a 16-bit gray PNG names one gray level that is not there
        levels = np.where(values == clear, np.uint8(255), levels)
        notes.append("alpha-flattened")
    return Pillow.fromarray(levels).convert("RGB"), notes


def _on_white(picture: Pillow.Image) -> Pillow.Image:
    seen = picture if picture.mode == "RGBA" else picture.convert("RGBA")
    paper = Pillow.new("RGB", seen.size, WHITE)
    paper.paste(seen, mask=seen.getchannel("A"))
    return paper
