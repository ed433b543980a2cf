"""Question -> the gradient of f with respect to its pictures: what the gradient methods share."""

from __future__ import annotations

import torch
from torch import fx

from cutaway.engine.fast import BATCH
from cutaway.errors import BadModel
from cutaway.explanation.question import Question

AT_A_TIME = 5
"""Gradients of one picture's variants that a thread takes together: more hold more (MobileNetV2 at 224 px 40 MiB each),
with fewer the weights are read more often (ResNet18, 3: a tenth slower)."""


def gradient(question: Question, network: fx.GraphModule | None = None) -> torch.Tensor:
    """Question, another network than its own -> df/dx (N, C, H, W), in batches. Raises BadModel where f has none."""
    parts = [_of_rows(question, rows, network or question.light) for rows in _batches(len(question))]
    return torch.cat(parts)


def strongest(gradients: torch.Tensor) -> torch.Tensor:
    """Gradients (N, C, H, W) -> the largest absolute value over the channels of each pixel (N, H, W), >= 0."""
    return gradients.abs().amax(1)


def gradient_at(f: torch.Tensor, x: tuple[torch.Tensor, ...]) -> tuple[torch.Tensor, ...]:
    """A number and what it was computed from -> its gradients. Raises BadModel where it has none."""
    if not f.requires_grad:
        raise BadModel(
            "The network's answer has no gradient with respect to the picture (a step of it rounds or compares); "
            "occlusion and RISE explain it without one."
        )
    return torch.autograd.grad(f, x, allow_unused=True, materialize_grads=True)


def summed(batch: torch.Tensor) -> torch.Tensor:
    """(B, ...) -> its sum (1, ...); Tensor.sum over the first axis takes ten times as long."""
    total = batch[:1].clone()
    for one in batch[1:]:
        total += one
    return total


def _of_rows(question: Question, rows: range, network: fx.GraphModule) -> torch.Tensor:
    with torch.enable_grad():
        x = question.x[rows.start : rows.stop].detach().clone(memory_format=torch.channels_last).requires_grad_()
        logits = network(x)
        f = torch.stack([question.values_at(row, logits[i : i + 1])[0] for i, row in enumerate(rows)]).sum()
        return gradient_at(f, (x,))[0]


def _batches(count: int) -> list[range]:
    return [range(start, min(start + BATCH, count)) for start in range(0, count, BATCH)]
