"""Image: what every other room means by a picture."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Pixels = NDArray[np.uint8]


@dataclass(frozen=True, slots=True, eq=False)
class Image:
    """One decoded picture.

    `pixels` is uint8 (H, W, 3), sRGB, upright. `name` is how a person knows it, `sha256` the hex digest of the file's
    bytes (of the pixels where there is no file). `notes` says what the loader did beyond decoding: "rotated-6",
    "first-frame", "alpha-flattened", "depth-scaled", "bad-orientation". `stored_size` is the (height, width) that the
    file holds after turning upright; `pixels` is smaller where the caller asked for a scaled-down decode.
    """

    pixels: Pixels
    name: str
    sha256: str = ""
    notes: tuple[str, ...] = ()
    stored_size: tuple[int, int] = (0, 0)
