"""Sample indices -> (input, target) batches: pictures from the pixel cache, or vectors that a frozen backbone gave."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray

from cutaway.engine.prepare import normalise, to_channels
from cutaway.image import InputContract
from cutaway.training.augment import Augment, augment

Rows = Callable[[NDArray[np.int64]], NDArray[np.uint8]]


class Source(Protocol):
    """What the loop draws batches from."""

    @property
    def labels(self) -> torch.Tensor: ...

    def batch(self, indices: torch.Tensor, generator: torch.Generator | None) -> torch.Tensor:
        """Positions in this source -> the network's input (B, ...); `generator` None: no augmentation."""
        ...


@dataclass(frozen=True, slots=True)
class PictureSource:
    """`rows(positions)` gives uint8 (B, H, W, 3) at the contract's size; `at` are this fold's positions."""

    rows: Rows
    at: NDArray[np.int64]
    labels: torch.Tensor
    contract: InputContract
    augment: Augment
    device: torch.device

    def batch(self, indices: torch.Tensor, generator: torch.Generator | None) -> torch.Tensor:
        pixels = torch.from_numpy(self.rows(self.at[indices.numpy()])).to(self.device, non_blocking=True)
        x = pixels.permute(0, 3, 1, 2)  # (B, 3, H, W), channels-last memory
        if generator is not None and self.augment.active:
            x = augment(x, self.augment, generator)  # before the channels are reordered: recolouring knows RGB
        return normalise(to_channels(x, self.contract).float(), self.contract)


@dataclass(frozen=True, slots=True)
class VectorSource:
    """float32 (N, D) already computed."""

    vectors: torch.Tensor
    labels: torch.Tensor

    def batch(self, indices: torch.Tensor, generator: torch.Generator | None) -> torch.Tensor:  # noqa: ARG002
        return self.vectors[indices]
