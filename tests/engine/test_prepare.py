"""Pixels -> the network's input, against torchvision's transforms and formulas by hand."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torchvision.transforms import v2

from cutaway.engine.prepare import affine, normalise, prepare, to_channels
from cutaway.image import InputContract

PIXELS = np.random.default_rng(0).integers(0, 256, (2, 5, 7, 3), np.uint8)
IMAGENET = InputContract((5, 7), mean=(0.485, 0.456, 0.406), std=(0.229, 0.224, 0.225))


def test_imagenets_statistics_are_torchvisions() -> None:
    """Within 1e-6 of ToDtype(scale=True) and Normalize."""
    theirs = v2.Compose([v2.ToDtype(torch.float32, scale=True), v2.Normalize(IMAGENET.mean, IMAGENET.std)])
    expected = theirs(torch.from_numpy(PIXELS).permute(0, 3, 1, 2))
    got = prepare(PIXELS, IMAGENET)
    assert got.dtype == torch.float32
    assert got.shape == (2, 3, 5, 7)
    assert (got - expected).abs().max() < 1e-6


def test_teachable_machine_gets_x_over_127_5_minus_1() -> None:
    got = prepare(PIXELS, InputContract((5, 7), scale=2.0, offset=-1.0))
    expected = PIXELS.astype(np.float64) / 127.5 - 1
    assert np.abs(got.permute(0, 2, 3, 1).numpy() - expected).max() < 2e-7
    ends = prepare(np.array([0, 255] * 3, np.uint8).reshape(1, 1, 2, 3), InputContract((1, 2), scale=2.0, offset=-1.0))
    assert ends.min() == -1
    assert ends.max() == pytest.approx(1, abs=1e-7)


def test_bgr_and_caffes_means() -> None:
    """Keras' "caffe" mode: BGR, mean (103.939, 116.779, 123.68), values up to 255."""
    contract = InputContract((5, 7), channels="BGR", scale=255.0, mean=(103.939, 116.779, 123.68))
    expected = PIXELS[..., ::-1].astype(np.float64) - np.array(contract.mean)
    assert np.abs(prepare(PIXELS, contract).permute(0, 2, 3, 1).numpy() - expected).max() < 1e-4


def test_gray_is_the_luma_of_itu_r_601() -> None:
    contract = InputContract((5, 7), channels="gray", mean=(0.1307,), std=(0.3081,))
    luma = PIXELS.astype(np.float64) @ np.array([0.299, 0.587, 0.114]) / 255
    got = prepare(PIXELS, contract)
    assert got.shape == (2, 1, 5, 7)
    assert np.abs(got[:, 0].numpy() - (luma - 0.1307) / 0.3081).max() < 1e-6


@given(
    scale=st.floats(0.1, 255),
    offset=st.floats(-1, 1),
    mean=st.lists(st.floats(-1, 1), min_size=3, max_size=3),
    std=st.lists(st.floats(0.1, 2), min_size=3, max_size=3),
)
def test_it_is_the_contracts_formula(scale: float, offset: float, mean: list[float], std: list[float]) -> None:
    contract = InputContract((5, 7), scale=scale, offset=offset, mean=tuple(mean), std=tuple(std))
    expected = (PIXELS / 255 * scale + offset - np.array(mean)) / np.array(std)
    got = prepare(PIXELS, contract).permute(0, 2, 3, 1).numpy()
    assert np.abs(got - expected).max() <= 1e-6 * max(1.0, np.abs(expected).max())


def test_memory_is_channels_last() -> None:
    for channels in ("RGB", "BGR"):
        got = prepare(PIXELS, InputContract((5, 7), channels=channels))  # type: ignore[arg-type]
        assert got.is_contiguous(memory_format=torch.channels_last)


def test_tensors_are_taken_too_and_left_alone() -> None:
    tensor = torch.from_numpy(PIXELS.copy())
    assert torch.equal(prepare(tensor, IMAGENET), prepare(PIXELS, IMAGENET))
    assert np.array_equal(tensor.numpy(), PIXELS)


def test_parts_of_prepare() -> None:
    x = torch.from_numpy(PIXELS).permute(0, 3, 1, 2)
    assert to_channels(x, IMAGENET) is x
    gain, shift = affine(IMAGENET, x.double())
    assert gain.dtype == torch.float64
    assert gain.flatten().tolist() == pytest.approx([1 / 255 / s for s in IMAGENET.std])
    assert shift.flatten().tolist() == pytest.approx([-m / s for m, s in zip(IMAGENET.mean, IMAGENET.std)])
    assert torch.equal(normalise(x.float(), IMAGENET), prepare(PIXELS, IMAGENET))
