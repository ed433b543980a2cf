"""The last step back: from the numbers a network is given to the levels of the picture's pixels."""

from __future__ import annotations

from collections.abc import Sequence

from cutaway.engine.unfold.place import short
from cutaway.engine.unfold.terms import Line
from cutaway.image import InputContract

_NAMES = {"RGB": ("red", "green", "blue"), "BGR": ("blue", "green", "red"), "gray": ("grey",)}
_LUMA = (0.299, 0.587, 0.114)


def channel_names(contract: InputContract) -> tuple[str, ...]:
    """Contract -> what the network's input channels are: red, green, blue in its order, or grey."""
    return _NAMES[contract.channels]


def pixel_lines(contract: InputContract, levels: Sequence[int], channel: int) -> tuple[Line, ...]:
    """Contract, a pixel's red, green and blue level (0 to 255), input channel -> how the network's number is made.

    float64 of `(level / 255 * scale + offset - mean) / std`, off from the network's float32 by rounding only.
    """
    name = channel_names(contract)[channel]
    if contract.channels == "gray":
        level = sum(w * n for w, n in zip(_LUMA, levels))
        text = " + ".join(f"{w:g} × {n}" for w, n in zip(_LUMA, levels))
    else:
        level = float(levels[("red", "green", "blue").index(name)])
        text = ""
    scaled = level / 255 * contract.scale + contract.offset
    offset = f" + {short(contract.offset)}" if contract.offset else ""
    factor = f" × {contract.scale:g}" if contract.scale != 1 else ""
    lines = [Line(f"{name} level of the pixel, 0 to 255", level, text),
             Line("scaled", scaled, f"{level:.4g} / 255{factor}{offset}")]  # fmt: skip
    mean, std = contract.mean[channel], contract.std[channel]
    if mean or std != 1:
        lines.append(
            Line("minus mean, divided by deviation", (scaled - mean) / std, f"({scaled:.4g} - {mean:g}) / {std:g}")
        )
    return tuple(lines)
