"""Indices -> the network's input: the contract's channels, augmented only when a generator is given."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from cutaway.engine.prepare import prepare
from cutaway.image import InputContract
from cutaway.training.augment import PRESETS, Augment, augment
from cutaway.training.source import PictureSource, VectorSource

PIXELS = np.random.default_rng(1).integers(0, 256, (10, 8, 8, 3), np.uint8)
CONTRACTS = {
    "RGB": InputContract((8, 8), mean=(0.5, 0.4, 0.3), std=(0.2, 0.3, 0.4)),
    "BGR": InputContract((8, 8), channels="BGR", scale=255.0, mean=(104, 117, 123)),
    "gray": InputContract((8, 8), channels="gray", scale=2.0, offset=-1.0),
}


def source(contract: InputContract, how: Augment, at: list[int]) -> PictureSource:
    where = np.array(at, np.int64)
    return PictureSource(lambda i: PIXELS[i], where, torch.tensor(at) % 2, contract, how, torch.device("cpu"))


@pytest.mark.parametrize("channels", CONTRACTS)
def test_without_a_generator_it_is_prepare(channels: str) -> None:
    contract = CONTRACTS[channels]
    got = source(contract, PRESETS["strong"], [7, 3, 5]).batch(torch.tensor([2, 0]), None)
    assert torch.equal(got, prepare(PIXELS[[5, 7]], contract))


@pytest.mark.parametrize("channels", CONTRACTS)
@pytest.mark.parametrize("preset", ["light", "strong"])
def test_augmentation_sees_rgb_whatever_the_network_takes(channels: str, preset: str) -> None:
    """A colour change weighs red, green and blue: it comes before channels are swapped or summed."""
    contract = CONTRACTS[channels]
    got = source(contract, PRESETS[preset], list(range(10))).batch(torch.arange(4), torch.Generator().manual_seed(3))
    rgb = torch.from_numpy(PIXELS[:4]).permute(0, 3, 1, 2)
    moved = augment(rgb, PRESETS[preset], torch.Generator().manual_seed(3)).float()
    moved = {
        "RGB": moved,
        "BGR": moved.flip(1),
        "gray": (moved * torch.tensor([0.299, 0.587, 0.114]).view(1, 3, 1, 1)).sum(1, True),
    }[channels]
    mean, std = (torch.tensor(v[: len(moved[0])]).view(1, -1, 1, 1) for v in (contract.mean, contract.std))
    expected = (moved / 255 * contract.scale + contract.offset - mean) / std
    assert (got - expected).abs().max() < 1e-4 * expected.abs().max()
    assert got.dtype == torch.float32


def test_vectors_are_handed_out_as_they_are() -> None:
    vectors = torch.randn(5, 3)
    held = VectorSource(vectors, torch.arange(5))
    assert torch.equal(held.batch(torch.tensor([4, 1]), torch.Generator()), vectors[[4, 1]])
