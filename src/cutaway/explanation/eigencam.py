"""Eigen-CAM: the one pattern that explains most of a layer's maps; it does not ask for a class."""

from __future__ import annotations

import torch

from cutaway.explanation.cam import PLACED, LayerSettings, activation, answer, silent_layer
from cutaway.explanation.method import Answer, Method
from cutaway.explanation.question import Question


def eigencam(question: Question, settings: LayerSettings) -> Answer:
    """Question -> the layer's maps projected on the first right singular vector of A as (places, channels).

    Muhammad and Yeasin 2020; the sign, which the decomposition leaves open, is the one that agrees with
    the mean of the channels (sum over places of map * mean >= 0).
    """
    layer, value = activation(question, settings.layer)
    places = value.flatten(2).mT  # (N, h * w, C)
    _, _, right = torch.linalg.svd(places, full_matrices=False)
    maps = places @ right[:, 0, :, None]  # (N, h * w, 1)
    agrees = (maps * places.mean(2, keepdim=True)).sum(1, keepdim=True)
    maps = (torch.where(agrees < 0, -maps, maps))[..., 0].reshape(len(value), *layer.cells)
    return answer(question, layer, maps, settings.relu, silent_layer(question, layer, value))


METHOD = Method(
    name="eigencam",
    title="Eigen-CAM",
    says="The layer's strongest pattern is strong here, whatever the class: the map is the same for every class.",
    paper="Muhammad, Yeasin 2020: Eigen-CAM, class activation map using principal components",
    departs="The sign, which the paper leaves open, is the one that agrees with the mean of the channels; the values "
    "are the layer's, not shares of f; " + PLACED,
    runs="1 run, 1 decomposition",
    explain=eigencam,
    settings=LayerSettings,
    layered=True,
    units="layer",
    signed=True,
    needs_gradient=False,
)
