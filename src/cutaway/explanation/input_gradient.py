"""Input x gradient: how much each pixel's value contributes, were the network linear around the picture."""

from __future__ import annotations

import torch

from cutaway.explanation.gradient import gradient
from cutaway.explanation.method import Answer, Method, NoSettings
from cutaway.explanation.question import Question


def input_gradient(question: Question, _: NoSettings) -> Answer:
    """Question -> the sum over channels of pixel times gradient of f, signed, in units of f."""
    return Answer(contributions(question).sum(1).float().numpy())


def contributions(question: Question) -> torch.Tensor:
    """Question -> x * df/dx (N, C, H, W), x as the network gets it. Equal to captum's InputXGradient (tested)."""
    return question.x * gradient(question)


METHOD = Method(
    name="input-x-gradient",
    title="Input x gradient",
    says="This pixel's value pushes the answer up (above zero) or down (below), as far as a straight line tells.",
    paper="Shrikumar, Greenside, Shcherbina, Kundaje 2016: Not just a black box",
    departs="",
    runs="1 gradient",
    explain=input_gradient,
    signed=True,
)
