"""uint8 pictures at the contract's size -> the float tensor the network was trained on."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray

from cutaway.image import InputContract

# ITU-R 601-2, what Pillow's convert("L") uses.
_LUMA = (0.299, 0.587, 0.114)


def prepare(pixels: NDArray[np.uint8] | torch.Tensor, contract: InputContract) -> torch.Tensor:
    """uint8 (N, H, W, 3) -> float32 (N, C, H, W), channels-last: (pixels / 255 * scale + offset - mean) / std."""
    x = torch.as_tensor(pixels).permute(0, 3, 1, 2)  # (N, 3, H, W), channels-last strides already
    return normalise(to_channels(x, contract).float(), contract)


def to_channels(x: torch.Tensor, contract: InputContract) -> torch.Tensor:
    """(N, 3, H, W) RGB -> (N, C, H, W) in the contract's channel order, dtype kept."""
    if contract.channels == "BGR":
        return x.flip(1)
    if contract.channels == "gray":
        luma = torch.tensor(_LUMA, device=x.device).view(1, 3, 1, 1)
        return (x.float() * luma).sum(1, keepdim=True)
    return x


def normalise(x: torch.Tensor, contract: InputContract) -> torch.Tensor:
    """float (N, C, H, W) with values 0..255 -> the network's range, one multiply and one add per value."""
    gain, shift = affine(contract, x)
    return x * gain + shift


def affine(contract: InputContract, like: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Contract -> gain and shift (1, C, 1, 1) such that pixels * gain + shift is the network's input."""
    channels = contract.in_channels
    mean = torch.tensor(contract.mean[:channels], dtype=torch.float64)
    std = torch.tensor(contract.std[:channels], dtype=torch.float64)
    gain = contract.scale / 255 / std
    shift = (contract.offset - mean) / std
    shape = (1, channels, 1, 1)
    return gain.view(shape).to(like), shift.view(shape).to(like)
