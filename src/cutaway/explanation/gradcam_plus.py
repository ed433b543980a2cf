"""Grad-CAM++: like Grad-CAM, but each place's gradient counts by how much it alone would explain."""

from __future__ import annotations

from cutaway.explanation.cam import PLACED, LayerSettings, answer, silences, with_gradient
from cutaway.explanation.method import Answer, Method
from cutaway.explanation.question import Question


def gradcam_plus(question: Question, settings: LayerSettings) -> Answer:
    """Question -> sum over channels of w * A, w = sum over places of alpha * relu(g), with g = df/dA.

    Chattopadhay et al. 2018, equation 19: alpha = g^2 / (2 g^2 + g^3 * sum of A over the places), which is
    1 / (2 + g * sum of A) wherever it counts (g > 0), so no small number has to keep a denominator from zero.
    """
    found = with_gradient(question, settings.layer)
    rising = found.gradient.clamp_min(0)  # (N, C, h, w)
    total = found.value.sum((2, 3), keepdim=True).clamp_min(0)  # (N, C, 1, 1)
    weights = (rising / (2 + rising * total)).sum((2, 3), keepdim=True)
    maps = (weights * found.value).sum(1)  # (N, h, w)
    return answer(question, found.layer, maps, settings.relu, silences(question, found, maps, settings.relu))


METHOD = Method(
    name="gradcam++",
    title="Grad-CAM++",
    says="The layer found something here that, wherever it is found, speaks for the class.",
    paper="Chattopadhay et al. 2018: Grad-CAM++, generalized gradient-based visual explanations",
    departs="The factor exp(f), the same for the whole map, is left out; a channel whose values add up to less than "
    "zero (layers without a ReLU, which the paper does not have) counts as if they added up to zero; values "
    "below zero stay (relu=yes for the paper's maps); " + PLACED,
    runs="1 run, 1 gradient behind the layer",
    explain=gradcam_plus,
    settings=LayerSettings,
    layered=True,
    signed=True,
)
