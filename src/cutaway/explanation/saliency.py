"""Saliency: how much a small change of a pixel would change the answer."""

from __future__ import annotations

from cutaway.explanation.gradient import gradient, strongest
from cutaway.explanation.method import Answer, Method, NoSettings
from cutaway.explanation.question import Question


def saliency(question: Question, _: NoSettings) -> Answer:
    """Question -> the largest absolute gradient of f over the channels of each pixel, >= 0.

    Simonyan, Vedaldi and Zisserman 2013, "Deep inside convolutional networks", section 3.1 (gradient of the class
    score before the softmax). Equal to captum's Saliency with the paper's maximum over channels (tested); it is one
    call of autograd, which needs no wrapper.
    """
    return Answer(strongest(gradient(question)).float().numpy())


METHOD = Method(
    name="saliency",
    title="Saliency",
    says="A small change of this pixel changes the answer much.",
    paper="Simonyan, Vedaldi, Zisserman 2013: Deep inside convolutional networks",
    departs="",
    runs="1 gradient",
    explain=saliency,
)
