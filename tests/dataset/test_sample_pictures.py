from __future__ import annotations

import numpy as np
import pytest
import skimage.data

from cutaway.dataset.sample_pictures import FILES, sample_names, sample_picture
from cutaway.errors import BadInput


def test_the_cat_is_scikit_images_chelsea() -> None:
    picture = sample_picture("sample:cat")
    assert picture.name == "sample:cat"
    assert np.array_equal(picture.pixels, skimage.data.chelsea())
    assert np.array_equal(sample_picture("coffee").pixels, skimage.data.coffee())


def test_every_name_can_be_read() -> None:
    assert {"astronaut", "camera", "cat", "coffee", "rocket"} <= set(sample_names()) == set(FILES)
    assert list(sample_names()) == sorted(sample_names())
    assert all(min(sample_picture(name).pixels.shape[:2]) > 100 for name in ("moon", "rocket", "camera"))


def test_another_name_is_told_with_the_nearest() -> None:
    with pytest.raises(BadInput, match=r"sample:cofee is no sample picture; there are .* Did you mean coffee\?"):
        sample_picture("cofee")
