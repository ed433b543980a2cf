"""Step -> learning rate, and a network -> the groups of weights that share one."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

import torch
from torch import nn

from cutaway.training.muon import MuonAdamW
from cutaway.training.recipe import Recipe


def one_cycle(step: int, total: int, warmup: float) -> float:
    """Step in [0, total) -> factor in (0, 1]: a straight climb over `warmup`, then half a cosine down to 0.

    Smith & Topin 2018; departure: starts at 1/25 as fastai does, ends at 0, momentum stays.
    """
    peak = max(1.0, warmup * total)
    if step < peak:
        return 0.04 + 0.96 * step / peak
    return 0.5 * (1 + math.cos(math.pi * (step - peak) / max(1.0, total - peak)))


def weight_groups(network: nn.Module, recipe: Recipe, *, layered: bool) -> list[dict[str, Any]]:
    """Network -> optimizer groups: no decay on biases and norms; `layered` gives early layers a lower rate.

    Rates fall geometrically from the head (factor 1) to the first layer (factor recipe.early_lr). With recipe.optimizer
    "muon", kernels and matrices form groups of their own; the classifier's and depthwise kernels, whose rows are no
    directions of one map, stay with AdamW.
    """
    named = [(n, p) for n, p in network.named_parameters() if p.requires_grad]
    matrices = [p for _, p in named if p.ndim > 1]
    groups: dict[tuple[float, float, bool], list[nn.Parameter]] = {}
    for position, (name, weight) in enumerate(named):
        depth = position / max(1, len(named) - 1)
        factor = recipe.early_lr ** (1 - depth) if layered and not name.startswith("head.") else 1.0
        decay = recipe.weight_decay if weight.ndim > 1 else 0.0
        muon = recipe.optimizer == "muon" and weight.ndim > 1 and weight.shape[1] > 1 and weight is not matrices[-1]
        groups.setdefault((round(factor, 4), decay, muon), []).append(weight)
    return [
        {"params": weights, "lr": recipe.lr * factor, "factor": factor, "weight_decay": decay, "muon": muon}
        for (factor, decay, muon), weights in groups.items()
    ]


def make_optimizer(groups: Iterable[dict[str, Any]], recipe: Recipe) -> torch.optim.Optimizer:
    if recipe.optimizer == "sgd":
        return torch.optim.SGD(groups, lr=recipe.lr, momentum=0.9, nesterov=True, fused=True)
    kind = MuonAdamW if recipe.optimizer == "muon" else torch.optim.AdamW
    return kind(groups, lr=recipe.lr, betas=(0.9, 0.99), fused=True)


def set_rate(optimizer: torch.optim.Optimizer, lr: float) -> None:
    for group in optimizer.param_groups:
        group["lr"] = lr * group["factor"]
