"""Grad-CAM: the maps of one layer, each weighed by the mean gradient of the answer in it, and added up."""

from __future__ import annotations

from cutaway.explanation.cam import PLACED, LayerSettings, answer, silences, with_gradient
from cutaway.explanation.method import Answer, Method
from cutaway.explanation.question import Question


def gradcam(question: Question, settings: LayerSettings) -> Answer:
    """Question -> sum over the layer's channels of (mean of df/dA over the places) * A, drawn at the picture's size.

    Selvaraju et al. 2017, equations 1 and 2. Where only global average pooling and one dense layer follow, the cells'
    values add up to f less the bias.
    """
    found = with_gradient(question, settings.layer)
    weights = found.gradient.mean((2, 3), keepdim=True)  # (N, C, 1, 1)
    maps = (weights * found.value).sum(1)  # (N, h, w)
    return answer(question, found.layer, maps, settings.relu, silences(question, found, maps, settings.relu))


METHOD = Method(
    name="gradcam",
    title="Grad-CAM",
    says="What the layer found here speaks for the class (below zero: against it).",
    paper="Selvaraju et al. 2017: Grad-CAM, visual explanations from deep networks via gradient-based localization",
    departs="What speaks against the class stays, below zero (relu=yes for the paper's maps); the layer is chosen by "
    "the size of its maps; " + PLACED,
    runs="1 run, 1 gradient behind the layer",
    explain=gradcam,
    settings=LayerSettings,
    layered=True,
    signed=True,
)
