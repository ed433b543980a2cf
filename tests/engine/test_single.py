"""The value of a step on one picture, as maps or as a row of numbers."""

from __future__ import annotations

import numpy as np
import pytest

from cutaway.engine.single import of_one_picture


@pytest.mark.parametrize(
    ("shape", "last", "wanted"),
    [
        ((1, 8, 4, 5), False, (8, 4, 5)), ((1, 4, 5, 8), True, (8, 4, 5)), ((1, 8, 1, 1), False, (8,)),
        ((1, 1, 1, 8), True, (8,)), ((1, 10), False, (10,)), ((1, 50, 64), False, (50, 64)), ((1,), False, (1,)),
        ((), False, (1,)), ((1, 2, 3, 4, 5), False, (120,)),
    ],
)  # fmt: skip
def test_shapes(shape: tuple[int, ...], last: bool, wanted: tuple[int, ...]) -> None:
    values = np.arange(int(np.prod(shape)), dtype=np.float32).reshape(shape)
    found = of_one_picture(values, last=last)
    assert found.shape == wanted
    assert sorted(found.ravel()) == sorted(values.ravel())


def test_channels_that_come_last_are_put_first() -> None:
    values = np.arange(24, dtype=np.float32).reshape(1, 2, 3, 4)
    assert (of_one_picture(values, last=True)[1] == values[0, :, :, 1]).all()
