"""SHAP: a fair share of the answer for every part of the picture, by hiding and showing ever smaller halves."""

from __future__ import annotations

import warnings
from collections.abc import Generator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from cutaway.errors import MissingExtra, must_be
from cutaway.events import Progress
from cutaway.explanation.aside import Ask, aside
from cutaway.explanation.baseline import BASELINES, baseline
from cutaway.explanation.method import Answer, Method
from cutaway.explanation.question import Question

_BATCH = 8


@dataclass(frozen=True, slots=True)
class ShapSettings:
    """How long to halve, and what hidden pixels are replaced by."""

    samples: int = 500
    """Copies of the picture with parts hidden; more make smaller parts."""
    baseline: str = "blur"
    """What hidden pixels show: blur, mean, black, white, grey or zero."""
    seed: int = 0
    """Of the order among equally worthwhile parts."""

    def __post_init__(self) -> None:
        if self.samples < 10:
            raise must_be("samples", "at least 10", self.samples)
        if self.baseline not in BASELINES:
            raise must_be("baseline", ", ".join(BASELINES[:-1]) + f" or {BASELINES[-1]}", self.baseline)
        if not 0 <= self.seed < 2**32:
            raise must_be("seed", "from 0 to 4294967295", self.seed)


def shap(question: Question, settings: ShapSettings) -> Generator[Progress, None, Answer]:
    """Question -> Owen values of the pixels, in units of f: each map adds up to f(x) - f(baseline).

    Lundberg and Lee 2017; halves of halves: shap's PartitionExplainer. Hidden pixels show the baseline. A part that was
    not cut further shares its value evenly among its pixels. Raises MissingExtra without shap.
    """
    explainer_of, masker_of = _library()
    hidden = baseline(question, settings.baseline)  # (N, C, H, W)
    base = question.values(question.logits(hidden)).numpy()
    height, width = question.size
    nothing, everything = np.zeros((height, width, 1)), np.ones((1, height, width, 1))
    masker = masker_of(nothing)
    maps = []
    total = settings.samples * len(question)
    for row in range(len(question)):

        def explain(ask: Ask) -> Any:
            explainer = explainer_of(ask, masker)
            return explainer(everything, max_evals=settings.samples, batch_size=_BATCH, silent=True).values[0, ..., 0]

        library = aside(explain, settings.seed)
        done = 0
        try:
            shown = next(library)
            while True:
                done += len(shown)
                yield Progress("shap", min(row * settings.samples + done, total), total, "copies")
                shown = library.send(_answers(question.row(row), hidden[row], shown))
        except StopIteration as end:
            maps.append(end.value)
        finally:
            library.close()
    return Answer(np.stack(maps).astype(np.float32), base=base)


def _library() -> tuple[Any, Any]:
    """-> shap's PartitionExplainer and its masker of pictures. Its import warns about the plots it brings along."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            from shap import PartitionExplainer
            from shap.maskers import Image
    except ImportError:
        raise MissingExtra("SHAP", "shap") from None
    return PartitionExplainer, Image


def _answers(one: Question, hidden: torch.Tensor, shown: NDArray[np.float64]) -> NDArray[np.float64]:
    """Which pixels are shown (M, H, W, 1), 0 or 1 -> f of these copies (M,)."""
    mask = torch.from_numpy(shown).permute(0, 3, 1, 2) > 0  # (M, 1, H, W)
    return one.values_at(0, one.logits(torch.where(mask, one.x, hidden))).double().numpy()


METHOD = Method(
    name="shap",
    title="SHAP",
    says="This part's fair share of the answer, over all orders of showing the parts.",
    paper="Lundberg, Lee 2017: A unified approach to interpreting model predictions",
    departs="Owen values over halves of halves of the picture instead of Shapley values of single pixels.",
    runs="500 forwards",
    explain=shap,
    settings=ShapSettings,
    cost="slow",
    complete=True,
    signed=True,
    needs_gradient=False,
    extra="shap",
)
