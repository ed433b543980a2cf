"""The frame on the photo against what fit_picture keeps of a picture whose levels say where they are."""

from __future__ import annotations

import numpy as np
import pytest

from cutaway.image import InputContract, fit_picture
from cutaway.image.kept import kept_box


@pytest.mark.parametrize("size", [(300, 480), (480, 300), (256, 256)])
@pytest.mark.parametrize(
    "contract",
    [
        InputContract((64, 64)),
        InputContract((64, 96)),
        InputContract((64, 64), crop_fraction=0.875),
        InputContract((64, 64), "squash"),
        InputContract((64, 64), "squash", crop_fraction=0.5),
    ],
)
def test_the_box_is_what_the_network_gets(size: tuple[int, int], contract: InputContract) -> None:
    height, width = size
    picture = np.zeros((height, width, 3), np.uint8)
    picture[..., 0] = np.rint(np.linspace(0, 255, width))[None]
    picture[..., 1] = np.rint(np.linspace(0, 255, height))[:, None]
    fitted = fit_picture(picture, contract).astype(float)
    left, top, right, bottom = kept_box(size, contract)
    # A pixel of the input is up to 1/64 of the picture, its middle half of that away from the edge: 255 / 64 / 2 = 2.
    assert fitted[32, 0, 0] / 255 == pytest.approx(left, abs=0.02)
    assert fitted[32, -1, 0] / 255 == pytest.approx(right, abs=0.02)
    assert fitted[0, 32, 1] / 255 == pytest.approx(top, abs=0.02)
    assert fitted[-1, 32, 1] / 255 == pytest.approx(bottom, abs=0.02)


def test_padding_keeps_all() -> None:
    assert kept_box((100, 300), InputContract((64, 64), "pad")) == (0, 0, 1, 1)
