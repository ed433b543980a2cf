"""The torchvision networks that several benchmarks run, with random weights: nothing is downloaded."""

from __future__ import annotations

from typing import Any

from torch import nn

NETWORKS = ("resnet18", "mobilenet_v2", "googlenet")
_OPTIONS: dict[str, dict[str, Any]] = {"googlenet": {"aux_logits": False, "init_weights": False}}


def network(name: str) -> nn.Module:
    """Name in torchvision.models -> the network in eval mode."""
    from torchvision import models

    made: nn.Module = getattr(models, name)(weights=None, **_OPTIONS.get(name, {}))
    return made.eval()
