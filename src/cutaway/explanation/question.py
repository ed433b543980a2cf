"""Question: pictures as a network gets them, and for which class (or of which two) the answer is to be explained."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import fx

from cutaway.engine.fast import BATCH, fast_twin, gradient_twin, light_twin
from cutaway.engine.fused import fused
from cutaway.engine.memory import keep_freed_memory
from cutaway.engine.prepare import prepare
from cutaway.engine.winograd import with_winograd
from cutaway.errors import BadModel, must_be
from cutaway.explanation.front import Front, front_of
from cutaway.explanation.network import own_network
from cutaway.image import InputContract
from cutaway.model import Model

_ALIKE = 1e-3
_CHANNELS = 128, 256
"""Of the convolutions that take fewer products in a gradient: whole maps pay from 128 on, five at a time up to 256."""
_TWINS = ("fast", "many", "quick", "light")
Made = TypeVar("Made")


@dataclass(frozen=True, eq=False)
class Question:
    """`f(x) = logit of classes - logit of against`, for N pictures at the contract's size; what every method gets.

    `network` gives logits and is the explanations' own (see network.own_network): methods may run it, never change it.
    """

    network: fx.GraphModule
    contract: InputContract
    pixels: NDArray[np.uint8]  # (N, H, W, 3)
    x: torch.Tensor  # (N, C, H, W), what the network gets
    classes: torch.Tensor  # (N,) int64
    against: torch.Tensor | None = None  # (N,) int64

    def __len__(self) -> int:
        return len(self.x)

    @property
    def size(self) -> tuple[int, int]:
        """Height and width of the pictures and of every map."""
        return self.x.shape[2], self.x.shape[3]

    def values(self, logits: torch.Tensor) -> torch.Tensor:
        """Logits (N, K) of these N pictures -> f (N,), with its gradient."""
        found = logits.gather(1, self.classes[:, None])[:, 0]
        return found if self.against is None else found - logits.gather(1, self.against[:, None])[:, 0]

    def values_at(self, row: int, logits: torch.Tensor) -> torch.Tensor:
        """Logits (M, K) of M variants of one picture -> its f (M,)."""
        found = logits[:, self.classes[row]]
        return found if self.against is None else found - logits[:, self.against[row]]

    def probabilities_at(self, row: int, logits: torch.Tensor) -> torch.Tensor:
        """Logits (M, K) of M variants of one picture -> the probability of its class (M,); of two, of the first among
        both. One logit alone is a sigmoid's."""
        if self.against is not None:
            return torch.sigmoid(self.values_at(row, logits))
        if logits.shape[1] == 1:
            return torch.sigmoid(logits[:, 0])
        return torch.softmax(logits, 1)[:, self.classes[row]]

    def logits(self, x: torch.Tensor, batch: int = BATCH) -> torch.Tensor:
        """Any pictures (M, C, H, W) -> logits (M, K) without gradients, through the quick twin in small batches."""
        with torch.inference_mode():
            return torch.cat(
                [self.fast(part.contiguous(memory_format=torch.channels_last)) for part in torch.split(x, batch)]
            )

    @functools.cached_property
    def fast(self) -> fx.GraphModule:
        """The network with batch norms folded and activations in place: equal within rounding, for runs without
        gradients whose inner values nobody reads."""
        return self._checked(lambda: fast_twin(self.network), self._plainly)[0]

    @functools.cached_property
    def many(self) -> fx.GraphModule:
        """The fast network for hundreds of runs: made in a tenth of a second and with weights of its own, so that wide
        convolutions take fewer products."""
        return self.many_run(self._plainly)

    def many_run(self, run: Callable[[fx.GraphModule], tuple[Made, torch.Tensor]]) -> Made:
        """How a network is run on the first picture -> (what comes of it, its logits): what comes of `many`, which is
        checked by that same run."""
        if "many" in self.__dict__:
            return run(self.many)[0]
        self.__dict__["many"], found = self._checked(lambda: with_winograd(fast_twin(self.network)), run)
        return found

    @functools.cached_property
    def quick(self) -> Front:
        """The network for many gradients with respect to pictures, cut behind its linear beginning: equal within
        rounding, batch norms folded, fewer products."""
        self.quick_logits(self.x[:0])
        found: Front = self.__dict__["quick"]
        return found

    def quick_logits(self, x: torch.Tensor) -> torch.Tensor:
        """Pictures (M, C, H, W) -> what `quick` gives (M, K), without gradients; the first time, it is checked along
        with them."""
        if "quick" in self.__dict__:
            return self.quick.logits(x)
        keep_freed_memory()
        front = front_of(gradient_twin(self.network))

        def run(rest: fx.GraphModule) -> tuple[torch.Tensor, torch.Tensor]:
            logits = Front(front.head, rest).logits(torch.cat([self.x[:1], x]))
            return logits[1:], logits[:1]

        rest, found = self._checked(lambda: with_winograd(front.own_rest(), *_CHANNELS), run)
        self.__dict__["quick"] = Front(front.head, rest)
        return found

    def _plainly(self, twin: fx.GraphModule) -> tuple[fx.GraphModule, torch.Tensor]:
        return twin, twin(self.x[:1])

    @torch.no_grad()
    def _checked(
        self, twin: Callable[[], fx.GraphModule], run: Callable[[fx.GraphModule], tuple[Made, torch.Tensor]]
    ) -> tuple[fx.GraphModule, Made]:
        """How a twin is made, how it is run on the first picture -> it, with fused convolutions where its logits are
        the network's, and what came of the run: they make 0 of what is not a number, and nobody promises how torch's
        own operator behaves on every machine."""
        made, wanted = fused(twin()), self.answer[:1]
        found, logits = run(made)
        if wanted.isfinite().all() and (logits - wanted).abs().max() <= _ALIKE * wanted.abs().max():
            return made, found
        plain = twin()
        return plain, run(plain)[0]

    @functools.cached_property
    def light(self) -> fx.GraphModule:
        """The network for a few gradients with respect to pictures: equal within rounding, on the same weights."""
        return light_twin(self.network)

    @functools.cached_property
    def value(self) -> torch.Tensor:
        """f of the pictures themselves (N,), without gradients."""
        return self.values(self.answer)

    @functools.cached_property
    def answer(self) -> torch.Tensor:
        """Logits (N, K) of the pictures themselves, as the network gives them, without gradients."""
        with torch.inference_mode():
            found: torch.Tensor = self.network(self.x)
        return found

    def row(self, index: int) -> Question:
        """-> the question about one of the pictures."""
        at = slice(index, index + 1)
        against = None if self.against is None else self.against[at]
        return self.with_(pixels=self.pixels[at], x=self.x[at], classes=self.classes[at], against=against)

    def with_(self, **other: object) -> Question:
        """-> the same question with other fields; with the same network its quick twins are kept, with the same
        pictures its answer too."""
        found: Question = dataclasses.replace(self, **other)  # type: ignore[arg-type]
        kept = () if "network" in other else _TWINS if "x" in other else (*_TWINS, "answer")
        found.__dict__.update({name: self.__dict__[name] for name in kept if name in self.__dict__})
        return found


def ask(
    model: Model,
    pixels: NDArray[np.uint8],
    classes: Sequence[int] | None = None,
    against: Sequence[int] | None = None,
) -> Question:
    """Model, uint8 (N, H, W, 3) at its contract's size, class indices (N,) (None: the likeliest of each) -> Question.

    Raises BadInput for no picture and for an index beyond the answer, BadModel for an answer that is not (N, K).
    """
    if pixels.ndim != 4 or not len(pixels):
        raise must_be("pixels", "uint8 (N, H, W, 3) of at least one picture", f"shape {pixels.shape}")
    x = prepare(pixels, model.contract)
    unknown = torch.zeros(len(x), dtype=torch.int64)
    question = Question(own_network(model), model.contract, pixels, x, unknown)
    logits = question.answer
    if logits.ndim != 2:
        shape = " x ".join(map(str, logits.shape))
        raise BadModel(
            f"The network's answer has the shape {shape}; only one row of scores a picture can be explained."
        )
    chosen = logits.argmax(1) if classes is None else _indices("classes", classes, logits)
    second = None if against is None else _indices("against", against, logits)
    return question.with_(classes=chosen.clone(), against=second)


def _indices(name: str, given: Sequence[int], logits: torch.Tensor) -> torch.Tensor:
    if len(given) != len(logits) or any(not 0 <= i < logits.shape[1] for i in given):
        raise must_be(name, f"{len(logits)} indices from 0 to {logits.shape[1] - 1}", list(given))
    return torch.tensor(list(given), dtype=torch.int64)
