"""fit_picture: a decoded picture -> uint8 at the network's own size, by the contract's fit rule.

Every fit is Pillow's `resize` (antialiased, on 8-bit levels in the stored gamma), as torchvision, timm and Teachable
Machine do on decoded files.
"""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
from PIL import Image as Pillow

from cutaway.image.colour import WHITE
from cutaway.image.contract import InputContract
from cutaway.image.picture import Image, Pixels
from cutaway.image.read import decode_through, file_bytes, shown_name
from cutaway.image.write import from_array

FILTERS = {
    "nearest": Pillow.Resampling.NEAREST,
    "bilinear": Pillow.Resampling.BILINEAR,
    "bicubic": Pillow.Resampling.BICUBIC,
    "lanczos": Pillow.Resampling.LANCZOS,
}
Size = tuple[int, int]
"""(width, height), Pillow's order; a contract's size is (height, width)."""
LONGEST_RESIZE = 16
"""A picture whose resized area is more than this many times what is kept is not resized as a whole."""


def fit_picture(picture: Image | Pixels, contract: InputContract) -> Pixels:
    """Picture, contract -> uint8 (H, W, 3) with (H, W) = contract.size, RGB whatever the contract's channel order.

    crop: with crop_fraction 1 the same pixels as PIL.ImageOps.fit; below 1 as torchvision's and timm's evaluation
    transforms (shorter side to floor(size / crop_fraction), then the centre). squash: both sides, aspect ignored. pad:
    all of the picture, centred on white. A smaller picture is enlarged. Raises BadInput for what is no picture.
    """
    pixels = picture.pixels if isinstance(picture, Image) else picture
    return np.array(_fitted(Pillow.fromarray(from_array(pixels)), contract))  # (H, W, 3)


def read_fitted(path: Path, contract: InputContract, *, name: str | None = None) -> Image:
    """Path of a file, contract -> Image whose pixels are uint8 (H, W, 3) at contract.size.

    The same pixels as `fit_picture(read_image(path, target_px(contract)), contract)`, a tenth faster on small photos
    because they are not copied out of Pillow and back. Raises BadPicture as `read_image`.
    """
    shown = shown_name(path) if name is None else name
    return decode_fitted(file_bytes(path, shown), shown, contract)


def decode_fitted(data: bytes, name: str, contract: InputContract) -> Image:
    """A file's bytes, what to call it, contract -> Image as `read_fitted`, for bytes out of a table or an archive."""
    return decode_through(data, name, target_px(contract), lambda upright: _fitted(upright, contract))


def unfitted(fitted: Pixels, contract: InputContract) -> Pixels:
    """uint8 (H, W, 3) at contract.size -> the smallest picture that `fit_picture` makes these very pixels of.

    Where the contract keeps only the middle, a border is put around, the edge's colours carried on.
    """
    height, width = contract.size
    down, across = (max(0, _scaled(side, contract.crop_fraction) - side) for side in (height, width))
    top, left = round(down / 2.0), round(across / 2.0)
    around = ((top, down - top), (left, across - left), (0, 0))
    found: Pixels = np.pad(fitted, around, "edge")
    return found


def target_px(contract: InputContract) -> int:
    """Contract -> what to ask `read_image` for, in pixels: the shorter side that its fit shrinks a picture to."""
    return max(_scaled(side, contract.crop_fraction) for side in contract.size)


def _fitted(whole: Pillow.Image, contract: InputContract) -> Pillow.Image:
    height, width = contract.size
    if contract.fit == "crop" and contract.crop_fraction == 1:
        return _centre_crop(whole, (width, height), FILTERS[contract.interpolation])
    return _resize_and_cut(whole, (width, height), contract)


def _centre_crop(whole: Pillow.Image, wanted: Size, resample: Pillow.Resampling) -> Pillow.Image:
    """PIL.ImageOps.fit with bleed 0, centering 0.5, term by term: the largest centred box of the shape, resized."""
    shape, wanted_shape = whole.width / whole.height, wanted[0] / wanted[1]
    width, height = float(whole.width), float(whole.height)
    if shape > wanted_shape:
        width = wanted_shape * whole.height
    elif shape < wanted_shape:
        height = whole.width / wanted_shape
    left, top = (whole.width - width) * 0.5, (whole.height - height) * 0.5
    return whole.resize(wanted, resample, (left, top, left + width, top + height))


def _resize_and_cut(whole: Pillow.Image, wanted: Size, contract: InputContract) -> Pillow.Image:
    """torchvision's and timm's order: resize the whole, then keep the centre, laid on white where it is short."""
    goal = (_scaled(wanted[0], contract.crop_fraction), _scaled(wanted[1], contract.crop_fraction))
    resized = _resized(whole.size, goal, contract)
    kept = (min(resized[0], wanted[0]), min(resized[1], wanted[1]))
    inner = _centre_of_resized(whole, resized, kept, FILTERS[contract.interpolation])
    if kept == wanted:
        return inner
    paper = Pillow.new("RGB", wanted, WHITE)
    paper.paste(inner, ((wanted[0] - kept[0]) // 2, (wanted[1] - kept[1]) // 2))
    return paper


def _resized(size: Size, goal: Size, contract: InputContract) -> Size:
    """Picture's size, size before the cut -> what the whole picture is resized to; a thread keeps one pixel."""
    if contract.fit == "squash":
        return goal
    ratios = size[0] / goal[0], size[1] / goal[1]
    if contract.fit == "pad":
        ratio = max(ratios)
        return max(1, round(size[0] / ratio)), max(1, round(size[1] / ratio))
    if goal[0] == goal[1]:  # torchvision.transforms.Resize rounds down; timm uses it for square inputs
        other = int(goal[0] * max(size) / min(size))
        return (goal[0], other) if size[0] <= size[1] else (other, goal[0])
    return round(size[0] / min(ratios)), round(size[1] / min(ratios))  # timm's ResizeKeepRatio


def _centre_of_resized(whole: Pillow.Image, resized: Size, kept: Size, resample: Pillow.Resampling) -> Pillow.Image:
    """Picture resized to `resized`, its centre `kept` pixels cut out.

    A strip of 5,000 x 1 would become 1,280,000 x 256 on the way. There the part that stays is resized alone: the same
    picture, but for the levels that Pillow's 32-bit box rounds differently.
    """
    left, top = round((resized[0] - kept[0]) / 2.0), round((resized[1] - kept[1]) / 2.0)
    if resized[0] * resized[1] <= LONGEST_RESIZE * kept[0] * kept[1]:
        large = whole if whole.size == resized else whole.resize(resized, resample)
        return large.crop((left, top, left + kept[0], top + kept[1]))
    across, down = whole.width / resized[0], whole.height / resized[1]
    right, bottom = min((left + kept[0]) * across, whole.width), min((top + kept[1]) * down, whole.height)
    return whole.resize(kept, resample, (left * across, top * down, right, bottom))


def _scaled(side: int, crop_fraction: float) -> int:
    """Input side, kept share -> side before the cut. 224 / (224 / 232) must be 232, not 231 after rounding down."""
    return math.floor(side / crop_fraction + 1e-6)
