"""Integrated Gradients: what each pixel adds to the answer on the way from a picture that says nothing."""

from __future__ import annotations

import functools
from collections.abc import Generator
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from cutaway.engine.threads import side_by_side
from cutaway.errors import must_be
from cutaway.events import Progress
from cutaway.explanation.baseline import Baseline, baseline
from cutaway.explanation.front import Front
from cutaway.explanation.gradient import AT_A_TIME, gradient_at, summed
from cutaway.explanation.method import Answer, Method
from cutaway.explanation.question import Question
from cutaway.explanation.verdict import share

TOLERANCE = 0.05
"""Of f(x) - f(baseline): a larger error of the sum is told with the map."""
_MOST_STEPS = 10_000


@dataclass(frozen=True, slots=True)
class IntegratedGradientsSettings:
    steps: int = 50
    """Pictures on the way from the baseline at which the gradient is taken; more make the sum more exact."""
    baseline: Baseline = "grey"
    """Where the way begins: grey, black, white, mean, blur, or zero (0 after the contract's scaling)."""


def integrated_gradients(
    question: Question, settings: IntegratedGradientsSettings
) -> Generator[Progress, None, Answer]:
    """Question -> the sum over channels of (x - x0) * mean gradient of f on the straight line from x0 to x.

    Signed, in units of f; the maps add up to f(x) - f(x0), within the error of the steps, which is told in a note
    above 5 %. Sundararajan, Taly and Yan 2017, equation 1; steps at the nodes of Gauss and Legendre, as captum's.
    Raises BadInput for fewer than 1 or more than 10,000 steps and for an unknown baseline.
    """
    if not 1 <= settings.steps <= _MOST_STEPS:
        raise must_be("steps", f"from 1 to {_MOST_STEPS:,}", settings.steps)
    start = baseline(question, settings.baseline)
    base = question.values(question.quick_logits(start))
    found = yield from integrated(question, start, settings.steps)
    maps = found.sum(1)
    missed = _missed(maps, question.value, base)
    return Answer(maps.float().numpy(), base=base.float().numpy(), notes=_notes(missed, settings.steps))


def integrated(question: Question, start: torch.Tensor, steps: int) -> Generator[Progress, None, torch.Tensor]:
    """Question, x0 (N, C, H, W), number of gradients -> what each value of x adds (N, C, H, W).

    Our own loop and not captum's IntegratedGradients, which the tests hold it to: it takes the network's linear
    beginning once instead of at every step (captum's wrapper cannot), tells how far it is, and holds one batch.
    """
    front = question.quick
    at, weights = _gauss_legendre(steps)
    some = np.array_split(np.arange(steps), -(-steps // AT_A_TIME))
    found = []
    for row in range(len(question)):
        ends = front.values(question.x[row : row + 1])
        starts = front.values(start[row : row + 1])
        totals = [torch.zeros_like(end) for end in ends]
        slopes_at = functools.partial(_slopes, question, row, front, starts, ends)
        done = 0
        groups = [(at[part], weights[part]) for part in some]
        for slopes, part in zip(side_by_side(slopes_at, groups), some, strict=True):
            for total, slope in zip(totals, slopes, strict=True):
                total += slope
            done += len(part)
            yield Progress("Integrated Gradients", row * steps + done, len(question) * steps, "gradients")
        found.append(front.back(question.x[row : row + 1], tuple(totals)))
    return (question.x - start) * torch.cat(found)


def _slopes(
    question: Question,
    row: int,
    front: Front,
    starts: tuple[torch.Tensor, ...],
    ends: tuple[torch.Tensor, ...],
    nodes: tuple[NDArray[np.float64], NDArray[np.float64]],
) -> tuple[torch.Tensor, ...]:
    """One picture's batch of places on the line and their weights -> the weighted sum of the gradients there."""
    at, weights = nodes
    with torch.enable_grad():
        line = tuple(
            torch.lerp(a, b, a.new_tensor(at).view(-1, *[1] * (a.ndim - 1))).requires_grad_()
            for a, b in zip(starts, ends, strict=True)
        )
        values = question.values_at(row, front.rest(*line))
        slopes = gradient_at((values * values.new_tensor(weights)).sum(), line)
    return tuple(map(summed, slopes))


def _gauss_legendre(steps: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Number of steps -> their places between 0 and 1, and their weights, which add up to 1."""
    at, weights = np.polynomial.legendre.leggauss(steps)
    return (at + 1) / 2, weights / 2


def _missed(maps: torch.Tensor, value: torch.Tensor, base: torch.Tensor) -> float:
    """Largest error of the sums as a share of f(x) - f(x0)."""
    whole = value - base
    shares = (maps.sum((1, 2)) - whole).abs() / whole.abs().clamp_min(1e-6)
    return float(shares.max())


def _notes(missed: float, steps: int) -> tuple[str, ...]:
    if missed <= TOLERANCE:
        return ()
    return (
        f"The map's sum misses f(x) - f(baseline) by {share(missed)} of it; try more `steps` than {steps} or "
        "another baseline.",
    )


METHOD = Method(
    name="integrated-gradients",
    title="Integrated Gradients",
    says="This pixel pushed the answer up (above zero) or down (below), counted from a picture that says nothing.",
    paper="Sundararajan, Taly, Yan 2017: Axiomatic attribution for deep networks",
    departs="The line's mean is taken by Gauss-Legendre quadrature, more exact than the paper's even steps; it begins "
    "at grey, because from black (the paper's choice for pictures) dark pixels get nothing, whatever they mean "
    "(Sturmfels, Lundberg, Lee 2020).",
    runs="50 gradients",
    explain=integrated_gradients,
    settings=IntegratedGradientsSettings,
    cost="seconds",
    complete=True,
    signed=True,
)
