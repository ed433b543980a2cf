"""LRP: the answer itself, handed back layer by layer to what it was made of, until it lies on the pixels."""

from __future__ import annotations

from collections.abc import Callable, Generator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import nn

from cutaway.errors import MissingExtra, must_be
from cutaway.events import Progress
from cutaway.explanation.method import Answer, Method
from cutaway.explanation.question import Question
from cutaway.explanation.relevance import Place, relevance_twin

RULES = ("epsilon-plus-flat", "epsilon-plus", "epsilon-alpha2-beta1-flat", "epsilon-alpha2-beta1", "epsilon")
_BATCH = 4
"""Pictures at a time: rules run each layer up to four times and keep what it reads."""


@dataclass(frozen=True, slots=True)
class LrpSettings:
    """How layers share relevance."""

    rule: str = "epsilon-plus-flat"
    """Convolutions by positive parts only, the first evenly over its window; also epsilon-plus (the first like the
    others), epsilon-alpha2-beta1[-flat] (positive parts doubled, negative ones taken off; loses or adds relevance
    where a unit reads only one sign), epsilon (every layer by its signed parts)."""
    epsilon: float = 1e-6
    """Added to what dense layers (and, by the rule epsilon, all layers) divide by; larger leaves less noise and less
    relevance."""

    biases: bool = False
    """Whether biases of convolutions keep their part of the relevance, as in the paper; in deep networks they then keep
    nearly all of it. Those of dense layers always do."""

    def __post_init__(self) -> None:
        if self.rule not in RULES:
            raise must_be("rule", ", ".join(RULES[:-1]) + f" or {RULES[-1]}", self.rule)
        if not 0 < self.epsilon < float("inf"):
            raise must_be("epsilon", "a number above 0", self.epsilon)


def lrp(question: Question, settings: LrpSettings) -> Generator[Progress, None, Answer]:
    """Question -> what each pixel (its channels added) contributed to f, signed, in units of f.

    Bach et al. 2015, equations 58 to 60; which rule for which layer: Montavon et al. 2019, section 4. The logit of the
    class starts with its value (that of `against` with minus its value), so a network without biases has maps that add
    up to f. Raises BadModel naming a layer that has no rule, MissingExtra without zennit.
    """
    twin = relevance_twin(question.network, _rule_for(settings))
    maps = []
    try:
        for start in range(0, len(question), _BATCH):
            maps.append(_relevance(twin.graph, question, slice(start, start + _BATCH)))
            yield Progress("lrp", min(start + _BATCH, len(question)), len(question), "pictures")
    finally:
        twin.forget()
    found = np.concatenate(maps)
    notes: tuple[str, ...] = (_kept(found, question.value.numpy()),)
    if twin.gated:
        notes += (
            "Factors between 0 and 1 that weigh channels or places (gates) get no relevance; what they weigh does.",
        )
    return Answer(found, notes=notes)


def _relevance(graph: nn.Module, question: Question, rows: slice) -> np.ndarray[Any, np.dtype[np.float32]]:
    x = question.x[rows].detach().clone().requires_grad_()
    with torch.enable_grad():
        logits = graph(x)
        start = torch.zeros_like(logits)
        places = torch.arange(len(x))
        start[places, question.classes[rows]] = 1.0
        if question.against is not None:
            start[places, question.against[rows]] -= 1.0
        (relevance,) = torch.autograd.grad(logits, x, start * logits.detach())
    return relevance.sum(1).float().numpy()  # (N, H, W)


def _kept(maps: np.ndarray[Any, np.dtype[np.float32]], value: np.ndarray[Any, Any]) -> str:
    sums = maps.sum((1, 2), dtype=np.float64)
    if len(maps) == 1:
        return f"The map adds up to {sums[0]:.4g} where f is {value[0]:.4g}: biases keep the rest."
    off = np.abs(sums - value)
    return f"Maps add up to f less what biases keep: {np.median(off):.3g} here (median), {off.max():.3g} at most."


def _rule_for(settings: LrpSettings) -> Callable[[Place, nn.Module], Any]:
    try:
        from zennit.rules import AlphaBeta, Epsilon, Flat, ZPlus
    except ImportError:
        raise MissingExtra("LRP", "lrp") from None
    inner = {"plus": ZPlus, "alpha2": AlphaBeta}.get(settings.rule.partition("-")[2].partition("-")[0])
    left_out = None if settings.biases else ["bias"]

    def rule_for(place: Place, layer: nn.Module) -> Any:
        if place == "first" and settings.rule.endswith("flat"):
            return Flat()
        if place == "last" or inner is None or isinstance(layer, nn.Linear):
            return Epsilon(epsilon=settings.epsilon)
        return inner(zero_params=left_out)

    return rule_for


METHOD = Method(
    name="lrp",
    title="LRP",
    says="This much of the answer was made of this pixel.",
    paper="Bach, Binder, Montavon, Klauschen, Müller, Samek 2015: On pixel-wise explanations for non-linear classifier "
    "decisions by layer-wise relevance propagation",
    departs="Sums of branches share in proportion, gates get nothing (Arras et al. 2017), the last layer is by epsilon "
    "also where it is a convolution; a norm that no layer can take in passes relevance on. Biases of convolutions get "
    "nothing unless `biases` is set; those of dense layers do, so maps add up to f only nearly.",
    runs="1 forward, 1 backward with up to 4 runs of each layer",
    explain=lrp,
    settings=LrpSettings,
    cost="seconds",
    signed=True,
    extra="lrp",
)
