"""Layer-CAM: every place of a layer's maps weighed by its own gradient, so that finer layers can be used."""

from __future__ import annotations

from cutaway.explanation.cam import PLACED, LayerSettings, answer, silences, with_gradient
from cutaway.explanation.method import Answer, Method
from cutaway.explanation.question import Question


def layercam(question: Question, settings: LayerSettings) -> Answer:
    """Question -> sum over channels of relu(df/dA) * A, place by place.

    Jiang et al. 2021, "LayerCAM: exploring hierarchical class activation maps for localization".
    """
    found = with_gradient(question, settings.layer)
    maps = (found.gradient.clamp_min(0) * found.value).sum(1)  # (N, h, w)
    return answer(question, found.layer, maps, settings.relu, silences(question, found, maps, settings.relu))


METHOD = Method(
    name="layercam",
    title="Layer-CAM",
    says="More of what the layer found at this very place would speak for the class.",
    paper="Jiang et al. 2021: LayerCAM, exploring hierarchical class activation maps for localization",
    departs="Values below zero, which only layers without a ReLU have, stay (relu=yes for the paper's maps); " + PLACED,
    runs="1 run, 1 gradient behind the layer",
    explain=layercam,
    settings=LayerSettings,
    layered=True,
    signed=True,
)
