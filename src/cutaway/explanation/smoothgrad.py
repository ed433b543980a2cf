"""SmoothGrad: the gradient averaged over noisy copies of the picture, so that what depends on chance evens out."""

from __future__ import annotations

import functools
from collections.abc import Generator
from dataclasses import dataclass

import torch

from cutaway.engine.threads import side_by_side
from cutaway.errors import must_be
from cutaway.events import Progress
from cutaway.explanation.front import Front
from cutaway.explanation.gradient import AT_A_TIME, gradient_at, strongest, summed
from cutaway.explanation.method import Answer, Method
from cutaway.explanation.question import Question

_MOST_SAMPLES = 10_000


@dataclass(frozen=True, slots=True)
class SmoothGradSettings:
    samples: int = 50
    """Noisy copies whose gradients are averaged."""
    noise: float = 0.15
    """Standard deviation of the noise, as a share of the range between the picture's smallest and largest value."""
    seed: int = 0
    """Of the noise: the same seed gives the same map."""


def smoothgrad(question: Question, settings: SmoothGradSettings) -> Generator[Progress, None, Answer]:
    """Question -> the largest absolute value over the channels of the mean gradient over noisy copies, >= 0.

    Smilkov et al. 2017, section 3, with the paper's noise of 10 to 20 % and 50 copies; absolute values as in its
    pictures. Raises BadInput for settings outside their range.
    """
    if not 1 <= settings.samples <= _MOST_SAMPLES:
        raise must_be("samples", f"from 1 to {_MOST_SAMPLES:,}", settings.samples)
    if not 0 < settings.noise <= 10:
        raise must_be("noise", "a share of the range above 0 and at most 10", settings.noise)
    found = yield from smoothed(question, settings)
    return Answer(strongest(found).float().numpy())


def smoothed(question: Question, settings: SmoothGradSettings) -> Generator[Progress, None, torch.Tensor]:
    """Question -> the mean gradient over noisy copies of each picture (N, C, H, W).

    Our own loop and not captum's NoiseTunnel: that draws from torch's global random numbers, and would go back through
    the network's linear beginning for every copy instead of once for their mean. Every picture gets the same noise.
    """
    front = question.quick
    found = []
    for row in range(len(question)):
        x = question.x[row : row + 1]
        totals: list[torch.Tensor] = []
        done = 0
        slopes_of = functools.partial(_slopes, question, row, front)
        for count, sums in side_by_side(slopes_of, noisy(x, settings)):
            totals = [total + part for total, part in zip(totals, sums, strict=True)] if totals else list(sums)
            done += count
            yield Progress("SmoothGrad", row * settings.samples + done, len(question) * settings.samples, "gradients")
        found.append(front.back(x, tuple(total / settings.samples for total in totals)))
    return torch.cat(found)


def _slopes(question: Question, row: int, front: Front, copies: torch.Tensor) -> tuple[int, tuple[torch.Tensor, ...]]:
    """One picture's batch of noisy copies -> how many they are, and the sum of the gradients behind the front."""
    with torch.enable_grad():
        starts = tuple(value.requires_grad_() for value in front.values(copies))
        slopes = gradient_at(question.values_at(row, front.rest(*starts)).sum(), starts)
    return len(copies), tuple(map(summed, slopes))


def noisy(x: torch.Tensor, settings: SmoothGradSettings) -> Generator[torch.Tensor, None, None]:
    """One picture (1, C, H, W) -> its noisy copies, batch by batch."""
    chance = torch.Generator().manual_seed(settings.seed)
    deviation = settings.noise * (x.max() - x.min())
    left = settings.samples
    while left:
        count = min(left, AT_A_TIME)
        yield x + deviation * torch.randn((count, *x.shape[1:]), generator=chance, dtype=x.dtype)
        left -= count


METHOD = Method(
    name="smoothgrad",
    title="SmoothGrad",
    says="A small change of this pixel changes the answer much, also when the picture is a little noisy.",
    paper="Smilkov, Thorat, Kim, Viégas, Wattenberg 2017: SmoothGrad: removing noise by adding noise",
    departs="",
    runs="50 gradients",
    explain=smoothgrad,
    settings=SmoothGradSettings,
    cost="seconds",
)
