"""The part of a picture that a contract keeps, as shares of its sides: what a person sees framed on the photo."""

from __future__ import annotations

from cutaway.image.contract import InputContract
from cutaway.image.fit import _resized, _scaled


def kept_box(size: tuple[int, int], contract: InputContract) -> tuple[float, float, float, float]:
    """Picture's (height, width), contract -> (left, top, right, bottom) of what `fit_picture` keeps, each in [0, 1].

    (0, 0, 1, 1) where all of it is kept (squash or pad with crop_fraction 1).
    """
    height, width = size
    high, wide = contract.size
    if contract.fit == "crop" and contract.crop_fraction == 1:
        ratio = min(width / wide, height / high)  # pixels of the picture for one of the input
        return _middle(wide * ratio / width, high * ratio / height)
    goal = (_scaled(wide, contract.crop_fraction), _scaled(high, contract.crop_fraction))
    resized = _resized((width, height), goal, contract)
    return _middle(min(1.0, wide / resized[0]), min(1.0, high / resized[1]))


def _middle(across: float, down: float) -> tuple[float, float, float, float]:
    return (1 - across) / 2, (1 - down) / 2, (1 + across) / 2, (1 + down) / 2
