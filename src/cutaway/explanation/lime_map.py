"""LIME: which regions of the picture carry the answer, by a linear model of what hiding them does."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cutaway.engine.fast import BATCH
from cutaway.engine.prepare import prepare
from cutaway.errors import MissingExtra, must_be
from cutaway.events import Progress
from cutaway.explanation.method import Answer, Method
from cutaway.explanation.question import Question

_COVERS = {"region": None, "black": 0, "grey": 128, "white": 255}
_KERNEL = 0.25
"""Of the distance (1 - cosine of the kept regions): lime's own width; half hidden, a copy counts exp(-0.69)."""


@dataclass(frozen=True, slots=True)
class LimeSettings:
    """Regions, copies of the picture with some of them hidden, and with what."""

    regions: int = 50
    """About so many regions of like colour; small pictures get fewer."""
    samples: int = 1000
    """Copies with random regions hidden; fewer make a rougher map."""
    cover: str = "region"
    """What hides a region: region (its own mean colour), black, grey or white."""
    seed: int = 0
    """Of the random choice of hidden regions."""

    def __post_init__(self) -> None:
        if self.regions < 2:
            raise must_be("regions", "at least 2", self.regions)
        if self.samples < 10:
            raise must_be("samples", "at least 10", self.samples)
        if self.cover not in _COVERS:
            raise must_be("cover", "region, black, grey or white", self.cover)
        if not 0 <= self.seed < 2**32:
            raise must_be("seed", "from 0 to 4294967295", self.seed)


def lime(question: Question, settings: LimeSettings) -> Generator[Progress, None, Answer]:
    """Question -> of each pixel's region, by how much f falls when it is hidden, other regions at random; units of f.

    Ribeiro, Singh and Guestrin 2016, section 3. The weighted linear model is the library lime's own; its picture
    explainer (last released 2020) is not used, because it prints bars and segments by a function whose arguments
    scikit-image has renamed. Tests: equal to it on the same regions. Raises MissingExtra without lime.
    """
    try:
        from lime.lime_base import LimeBase
    except ImportError:
        raise MissingExtra("LIME", "lime") from None
    maps, scores = [], []
    total = settings.samples * len(question)
    for row in range(len(question)):
        random = np.random.RandomState(settings.seed)
        one = question.row(row)
        regions = regions_of(one.pixels[0], settings.regions)
        kept = random.randint(0, 2, settings.samples * (regions.max() + 1)).reshape(settings.samples, -1)  # (S, R)
        kept[0] = 1  # the picture itself
        values = np.empty(settings.samples)
        for start in range(0, settings.samples, BATCH):
            part = slice(start, start + BATCH)
            values[part] = _answers(one, regions, kept[part], settings.cover)
            done = row * settings.samples + min(start + BATCH, settings.samples)
            yield Progress("lime", done, total, "copies")
        weights, score = _fitted(LimeBase(_near, random_state=random), kept, values)
        maps.append(weights[regions])
        scores.append(score)
    return Answer(np.stack(maps).astype(np.float32), notes=_notes(scores))


def regions_of(pixels: NDArray[np.uint8], count: int) -> NDArray[np.int64]:
    """uint8 (H, W, 3), about how many -> (H, W) numbers of regions of like colour from 0, without gaps.

    SLIC (Achanta et al. 2012). At least two, where the picture has two pixels: one colour is cut into squares.
    """
    from skimage.segmentation import slic

    height, width = pixels.shape[:2]
    found = slic(pixels, n_segments=min(count, height * width), compactness=10, sigma=0, start_label=0, channel_axis=2)
    numbers: NDArray[np.int64] = np.unique(found, return_inverse=True)[1].reshape(height, width).astype(np.int64)
    if numbers.max() > 0:
        return numbers
    side = max(1, round((height * width / count) ** 0.5))
    across = -(-width // side)
    squares: NDArray[np.int64] = np.arange(height)[:, None] // side * across + np.arange(width) // side
    return squares


def _answers(one: Question, regions: NDArray[np.int64], kept: NDArray[Any], cover: str) -> NDArray[np.float64]:
    """Which regions stay (S, R) of one picture -> f of these copies (S,)."""
    pixels = one.pixels[0]
    covered = _covered(pixels, regions, _COVERS[cover])
    copies = np.where(kept[:, regions, None] == 1, pixels, covered)  # (S, H, W, 3)
    return one.values_at(0, one.logits(prepare(copies, one.contract))).double().numpy()


def _covered(pixels: NDArray[np.uint8], regions: NDArray[np.int64], level: int | None) -> NDArray[np.uint8]:
    if level is not None:
        return np.full_like(pixels, level)
    counts = np.bincount(regions.ravel())
    means = np.stack([np.bincount(regions.ravel(), pixels[..., c].ravel()) / counts for c in range(3)], 1)  # (R, 3)
    colours: NDArray[np.uint8] = means.astype(np.uint8)[regions]
    return colours


def _fitted(base: Any, kept: NDArray[Any], values: NDArray[np.float64]) -> tuple[NDArray[np.float64], float]:
    """lime's linear model, copies nearer to the picture counting more -> a weight for each region (R,), its R^2."""
    norms = np.sqrt(kept.sum(1) * kept.shape[1])
    distances = 1 - np.divide(kept.sum(1), norms, out=np.zeros(len(kept)), where=norms > 0)
    _, weights, score, _ = base.explain_instance_with_data(kept, values[:, None], distances, 0, kept.shape[1])
    found = np.zeros(kept.shape[1])
    for region, weight in weights:
        found[region] = weight
    return found, float(score)


def _near(distances: NDArray[np.float64]) -> NDArray[np.float64]:
    near: NDArray[np.float64] = np.sqrt(np.exp(-(distances**2) / _KERNEL**2))
    return near


def _notes(scores: list[float]) -> tuple[str, ...]:
    worst = min(scores)
    text = f"The linear model explains {worst:.0%} of what hiding regions does" + (" at worst." if scores[1:] else ".")
    return (text if worst >= 0.5 else f"{text} Less than half: do not trust the map.",)


METHOD = Method(
    name="lime",
    title="LIME",
    says="Hiding this region lowers the answer by so much.",
    paper="Ribeiro, Singh, Guestrin 2016: “Why should I trust you?” Explaining the predictions of any classifier",
    departs="Explains the logit instead of the probability; regions by SLIC instead of quickshift.",
    runs="1,000 forwards",
    explain=lime,
    settings=LimeSettings,
    cost="slow",
    signed=True,
    needs_gradient=False,
    extra="lime",
)
