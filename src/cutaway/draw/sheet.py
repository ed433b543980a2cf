"""Pictures and captions -> one PNG contact sheet (augmentation previews, samples of a class)."""

from __future__ import annotations

import io
import math
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from cutaway.errors import must_be

if TYPE_CHECKING:
    from PIL.Image import Image as PilImage

GAP = 8
CAPTION = 18
PAPER = (252, 252, 250)
INK = (60, 66, 74)


def contact_sheet(
    pictures: Sequence[NDArray[np.uint8]], captions: Sequence[str] = (), columns: int = 6, cell_px: int = 128
) -> bytes:
    """uint8 RGB pictures (H, W, 3) of any sizes -> PNG bytes of a grid, each fitted into `cell_px` without distortion.

    Small pictures are enlarged by whole factors so that their pixels stay sharp; captions (as many as pictures, or
    none) stand below, cut to the cell's width. Raises BadInput.
    """
    from PIL import Image, ImageDraw, ImageFont

    if not pictures:
        raise must_be("pictures", "at least one uint8 array of shape (H, W, 3)", "none")
    if captions and len(captions) != len(pictures):
        raise must_be("captions", f"as many as pictures ({len(pictures)})", len(captions))
    if columns < 1:
        raise must_be("columns", "at least 1", columns)
    columns = min(columns, len(pictures))
    tall = cell_px + (CAPTION if captions else 0)
    rows = math.ceil(len(pictures) / columns)
    sheet = Image.new("RGB", (GAP + columns * (cell_px + GAP), GAP + rows * (tall + GAP)), PAPER)
    pen, font = ImageDraw.Draw(sheet), ImageFont.load_default(size=12)
    for i, picture in enumerate(pictures):
        left, top = GAP + (i % columns) * (cell_px + GAP), GAP + (i // columns) * (tall + GAP)
        small = fitted(picture, cell_px)
        sheet.paste(small, (left + (cell_px - small.width) // 2, top + (cell_px - small.height) // 2))
        if captions:
            pen.text((left, top + cell_px + 3), _cut(captions[i], cell_px, font.getlength), INK, font)
    out = io.BytesIO()
    sheet.save(out, "PNG", optimize=True)
    return out.getvalue()


def thumbnail(picture: NDArray[np.uint8], side_px: int = 160, quality: int = 82) -> bytes:
    """uint8 RGB (H, W, 3) -> an encoded picture at most `side_px` on its long side: PNG when tiny, JPEG otherwise."""
    from PIL import Image

    made = Image.fromarray(_checked(picture))
    out = io.BytesIO()
    if max(made.size) <= 64:
        made.save(out, "PNG", optimize=True)
    else:
        made.thumbnail((side_px, side_px), Image.Resampling.LANCZOS)
        made.save(out, "JPEG", quality=quality, optimize=True)
    return out.getvalue()


def fitted(picture: NDArray[np.uint8], side_px: int) -> PilImage:
    """uint8 RGB (H, W, 3) -> PIL image that just fits into a square of `side_px`."""
    from PIL import Image

    made = Image.fromarray(_checked(picture))
    longest = max(made.size)
    if longest * 2 <= side_px:
        factor = side_px // longest
        return made.resize((made.width * factor, made.height * factor), Image.Resampling.NEAREST)
    scale = side_px / longest
    size = (max(1, round(made.width * scale)), max(1, round(made.height * scale)))
    return made.resize(size, Image.Resampling.LANCZOS)


def _checked(picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
    if picture.dtype != np.uint8 or picture.ndim != 3 or picture.shape[2] != 3 or 0 in picture.shape:
        raise must_be("a picture", "uint8 of shape (H, W, 3)", f"{picture.dtype} of shape {picture.shape}")
    return np.ascontiguousarray(picture)


def _cut(words: str, wide: int, length: Callable[[str], float]) -> str:
    if length(words) <= wide:
        return words
    while words and length(words + "…") > wide:
        words = words[:-1]
    return words + "…"
