"""Score-CAM: each map of a layer weighed by what the network says to the picture seen through that map alone."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass
from typing import Literal

import torch
import torch.nn.functional as F
from torch import fx

from cutaway.engine.bfloat16 import native_bfloat16
from cutaway.engine.fast import BATCH
from cutaway.engine.threads import side_by_side
from cutaway.errors import must_be
from cutaway.events import Progress
from cutaway.explanation.cam import PLACED, LayerSettings, activation, answer, silent_layer
from cutaway.explanation.covering.halved import NOT_NATIVE, halved
from cutaway.explanation.method import Answer, Method
from cutaway.explanation.question import Question

_SAMPLE = 16
_ALIKE = 0.99


@dataclass(frozen=True, slots=True, eq=False)
class _Scorer:
    """A quick twin of the network and the kind of numbers it takes."""

    twin: fx.GraphModule
    takes: torch.dtype


@dataclass(frozen=True, slots=True)
class ScoreSettings(LayerSettings):
    """What Score-CAM can be told."""

    channels: int = 0
    """Use only this many of the layer's maps, those that vary most over the picture; 0: all."""
    precision: Literal["float32", "bfloat16"] = "float32"
    """float32 is exact; bfloat16 is quicker where the processor has it, and used only where 16 maps' scores agree."""


def scorecam(question: Question, settings: ScoreSettings) -> Generator[Progress, None, Answer]:
    """Question -> sum over the layer's channels of w * A, w = softmax over channels of f(picture * A scaled to 0..1).

    Wang et al. 2020, algorithm 1, with pytorch-grad-cam's conventions: maps resized bilinearly with align_corners,
    softmax of the raw scores. A map that is the same everywhere scales to nothing; that one score is run once.
    Raises BadInput for a negative number of channels or another precision, and as `activation` does.
    """
    if settings.channels < 0:
        raise must_be("channels", "0 (all) or more", settings.channels)
    if settings.precision not in ("float32", "bfloat16"):
        raise must_be("precision", "float32 or bfloat16", settings.precision)
    layer, value = activation(question, settings.layer)
    network = _Scorer(question.many, question.x.dtype)
    wanted, native = settings.precision == "bfloat16", native_bfloat16(question.x.device)
    half = _Scorer(halved(question.fast), torch.bfloat16) if wanted and native else None
    notes, maps = [*silent_layer(question, layer, value), *([NOT_NATIVE] if wanted and not native else [])], []
    for row, channels in enumerate(value):
        asked, chosen = question.row(row), _most_varied(channels, settings.channels)
        used = network
        if half is not None:
            alike = _alike(asked, channels[chosen], network, half)
            used = half if alike > _ALIKE else network
            notes.append(_about(alike, min(_SAMPLE, len(chosen))))
        task = "Score-CAM" if len(value) == 1 else f"Score-CAM, picture {row + 1} of {len(value)}"
        scores = yield from _scores(asked, channels[chosen], used, task)
        maps.append(_weighed(asked, channels, chosen, scores, only=bool(settings.channels)))
    return answer(question, layer, torch.stack(maps), settings.relu, tuple(dict.fromkeys(notes)))


def _most_varied(channels: torch.Tensor, most: int) -> torch.Tensor:
    """Maps (C, h, w) -> numbers of those that vary at all, at most `most` (0: no limit) that vary the most."""
    spread = channels.flatten(1).std(1, correction=0)
    varied = (channels.flatten(1).amax(1) > channels.flatten(1).amin(1)).nonzero()[:, 0]
    if not most or most >= len(varied):
        return varied
    return varied[spread[varied].topk(most).indices].sort().values


def _scores(
    question: Question, channels: torch.Tensor, network: _Scorer, task: str
) -> Generator[Progress, None, torch.Tensor]:
    """One picture's question, maps (M, h, w) -> f of the picture through each (M,)."""
    found, done = [torch.empty(0)], 0
    yield Progress(task, 0, len(channels), "maps")
    parts = (channels[at : at + _batch(question)] for at in range(0, len(channels), _batch(question)))
    for scores in side_by_side(lambda part: _score(question, part, network), parts):
        found.append(scores)
        done += len(scores)
        yield Progress(task, done, len(channels), "maps")
    return torch.cat(found)


def _batch(question: Question) -> int:
    """Maps at a time: as many pixels as 8 pictures of 224 px, where 8 are fastest (at 96 px 32 are, by a fifth)."""
    height, width = question.size
    return min(max(BATCH * 224 * 224 // (height * width), BATCH), 8 * BATCH)


@torch.inference_mode()
def _score(question: Question, channels: torch.Tensor, network: _Scorer) -> torch.Tensor:
    masks = F.interpolate(channels[None], question.size, mode="bilinear", align_corners=True)[0]  # (M, H, W)
    low, high = (bound[:, None, None] for bound in masks.flatten(1).aminmax(dim=1))
    span = (high - low).clamp_min(torch.finfo(masks.dtype).tiny)  # resized, a map may lose what little it varied by
    masked = (masks - low).div_(span)[:, None] * question.x  # (M, C, H, W)
    logits = network.twin(masked.to(network.takes, memory_format=torch.channels_last))
    return question.values_at(0, logits.to(question.x.dtype))


def _alike(question: Question, channels: torch.Tensor, exact: _Scorer, half: _Scorer) -> float:
    """Correlation of a sample's scores in 16 bits with those in 32; 0 where there is nothing to compare."""
    at = torch.linspace(0, len(channels) - 1, min(_SAMPLE, len(channels))).round().long()
    if len(at) < 2:
        return 0.0
    both = [torch.cat([_score(question, channels[i], network) for i in at.split(BATCH)]) for network in (exact, half)]  # type: ignore[no-untyped-call]
    return float(torch.corrcoef(torch.stack(both))[0, 1].nan_to_num())


def _about(alike: float, count: int) -> str:
    if alike > _ALIKE:
        return f"Computed in bfloat16: {count} maps' scores agree with float32 to r = {alike:.4f}."
    return f"bfloat16 was not used: {count} maps' scores agree with float32 to r = {alike:.4f} only."


def _weighed(
    question: Question, channels: torch.Tensor, chosen: torch.Tensor, scores: torch.Tensor, *, only: bool
) -> torch.Tensor:
    """Maps (C, h, w), which of them were scored, f through each -> their weighed sum (h, w)."""
    every = torch.full((len(channels),), -torch.inf, dtype=channels.dtype)
    if not only and len(chosen) < len(channels):
        nothing = question.logits(torch.zeros_like(question.x))
        every.fill_(float(question.values_at(0, nothing)))
    every[chosen] = scores.to(every.dtype)
    if not len(chosen):
        every.zero_()
    return torch.einsum("c,chw->hw", torch.softmax(every, 0), channels)


METHOD = Method(
    name="scorecam",
    title="Score-CAM",
    says="What the layer found here, shown to the network alone, makes it say the class.",
    paper="Wang et al. 2020: Score-CAM, score-weighted visual explanations for convolutional neural networks",
    departs="The values are the layer's, weighed by shares that add up to 1, not shares of f; values below zero, "
    "which only layers without a ReLU have, stay (relu=yes for the paper's maps); " + PLACED,
    runs="a run for each of the layer's channels",
    explain=scorecam,
    settings=ScoreSettings,
    cost="slow",
    layered=True,
    units="layer",
    signed=True,
    needs_gradient=False,
)
