"""Edges: Sobel's kernels on the picture's brightness, as scipy computes them."""

from __future__ import annotations

import numpy as np
from scipy.ndimage import sobel

from cutaway.explanation.edges import edges


def test_it_is_sobels_gradient() -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (2, 9, 12, 3), dtype=np.uint8)
    grey = pixels.astype(np.float64) @ (0.299, 0.587, 0.114)
    expected = [np.hypot(sobel(g, 0, mode="reflect"), sobel(g, 1, mode="reflect")) for g in grey]
    np.testing.assert_allclose(edges(pixels), expected, rtol=1e-5, atol=1e-3)


def test_a_flat_picture_has_none() -> None:
    assert not edges(np.full((1, 4, 4, 3), 77, np.uint8)).any()


def test_a_step_of_brightness_is_where_it_is() -> None:
    pixels = np.zeros((1, 6, 6, 3), np.uint8)
    pixels[:, :, 3:] = 255
    found = edges(pixels)[0]
    assert set(np.flatnonzero(found.any(0))) == {2, 3}
    np.testing.assert_allclose(found[:, 2:4], 1020, rtol=1e-5)
