"""Model: graph + input contract + class names + card. Immutable: whatever changes one returns another."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from numpy.typing import NDArray
from torch import fx

from cutaway.engine.prepare import prepare
from cutaway.engine.trace import Trace, trace_steps
from cutaway.errors import must_be
from cutaway.formats import Parts
from cutaway.image import Image, InputContract
from cutaway.image.fit import fit_picture

_EPSILON = 1e-12


@dataclass(frozen=True, slots=True, eq=False)
class Model:
    """A classifier that can be asked: `graph` in eval mode, the `contract` that feeds it, `classes` in output order.

    `probabilities` says whether the graph ends in a softmax or in logits. `card` holds plain texts about where it came
    from. `temperature` divides the logits before the softmax (1: as trained; fitted on the validation fold).
    """

    graph: fx.GraphModule
    contract: InputContract
    classes: tuple[str, ...]
    probabilities: bool = False
    card: dict[str, str] = field(default_factory=dict)
    temperature: float = 1.0

    @classmethod
    def of(cls, parts: Parts) -> Model:
        card = dict(parts.card)
        return cls(parts.graph, parts.contract, parts.classes, parts.probabilities, card, parts.temperature)

    def renamed(self, classes: Sequence[str]) -> Model:
        return dataclasses.replace(self, classes=tuple(classes))

    def logits(self, pixels: NDArray[np.uint8]) -> torch.Tensor:
        """uint8 (N, H, W, 3) at the contract's size -> float32 logits (N, K), log-probabilities after a softmax."""
        with torch.inference_mode():
            out = self.graph(prepare(pixels, self.contract)).float()
        return torch.log(out.clamp_min(_EPSILON)) if self.probabilities else out

    def predict(self, pictures: Sequence[Image]) -> NDArray[np.float32]:
        """Pictures of any size -> probabilities float32 (N, K), temperature applied."""
        if not pictures:
            return np.empty((0, len(self.classes)), np.float32)
        pixels = np.stack([fit_picture(picture, self.contract) for picture in pictures])
        probabilities = torch.softmax(self.logits(pixels) / self.temperature, 1)
        return probabilities.numpy()

    def trace(self, pictures: Sequence[Image], layers: Collection[str] | None = None) -> Trace:
        """Pictures of any size, names as in graph.names (None: every step) -> the value of each of these steps.

        Raises BadInput for a name that is not there and for no picture.
        """
        if not pictures:
            raise must_be("pictures", "at least one picture", "none")
        pixels = np.stack([fit_picture(picture, self.contract) for picture in pictures])
        return trace_steps(self.graph, prepare(pixels, self.contract), layers)
