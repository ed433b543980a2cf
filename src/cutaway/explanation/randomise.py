"""A network -> the same network that has learned nothing: what a map of the network's reasons must change for.

Adebayo, Gilmer, Muelly, Goodfellow, Hardt and Kim 2018, "Sanity checks for saliency maps", section 3.1: every layer is
drawn anew, from the last to the first. Departures: only the end of that cascade, all layers at once; each layer's
spread is its own (not its first initialisation's, which no file tells), and layers are brought back to the spread of
their answers, so that a network whose norms are folded does not fade or overflow.
"""

from __future__ import annotations

import copy
from typing import Any

import torch
from torch import fx, nn

from cutaway.explanation.question import Question

_FEW = 8
_TINY = 1e-12
_WEIGHTED = nn.modules.conv._ConvNd | nn.Linear
_NORMS = nn.modules.batchnorm._NormBase | nn.LayerNorm | nn.GroupNorm


def untrained(question: Question, seed: int = 0) -> Question:
    """Question -> the same put to a network with random weights, whose norms know the question's first pictures."""
    pictures = question.x[:_FEW]
    if len(pictures) < _FEW:  # one picture alone leaves a norm behind the pooling nothing to measure
        pictures = torch.cat([pictures, pictures.flip(-1), pictures.flip(-2), pictures.flip(-1, -2)])
    return question.with_(network=randomised(question.network, pictures, seed))


def randomised(network: fx.GraphModule, pictures: torch.Tensor, seed: int = 0) -> fx.GraphModule:
    """Network in eval mode, pictures (N, C, H, W) -> a copy with random weights; the network stays as it is.

    Weights are normal around 0 with their layer's own root mean square, biases 0, norms as new; then layer by layer
    norms measure these pictures, and other layers are scaled to the spread their answers had.
    """
    random = torch.Generator().manual_seed(seed)
    twin = copy.deepcopy(network)
    with torch.no_grad():
        for layer in twin.modules():
            _draw(layer, random)
        before = _Watch(network)
        before.run(pictures)
        _Settle(twin, before.spread).run(pictures)
    return twin


def _draw(layer: nn.Module, random: torch.Generator) -> None:
    for name, weight in layer.named_parameters(recurse=False):
        if isinstance(layer, _NORMS):
            weight.fill_(float(name == "weight"))
        elif weight.ndim >= 2:
            spread = weight.double().square().mean().sqrt()
            weight.copy_(torch.randn(weight.shape, generator=random, dtype=torch.float64) * spread)
        elif name == "bias":
            weight.zero_()
        else:
            weight.copy_(weight[torch.randperm(len(weight), generator=random)] if weight.ndim else weight)


class _Watch(fx.Interpreter):
    """Runs a network and notes how widely the answers of its layers with weights spread."""

    def __init__(self, network: fx.GraphModule) -> None:
        super().__init__(network)
        self.spread: dict[str, float] = {}

    def call_module(self, target: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        found = super().call_module(target, args, kwargs)
        if isinstance(self.fetch_attr(target), _WEIGHTED):
            self.spread.setdefault(target, float(found.double().std()))
        return found


class _Settle(fx.Interpreter):
    """Runs a network with random weights, setting norms and spreads layer by layer as it goes."""

    def __init__(self, network: fx.GraphModule, spread: dict[str, float]) -> None:
        super().__init__(network)
        self._spread = dict(spread)
        self._seen: set[str] = set()

    def call_module(self, target: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        layer: Any = self.fetch_attr(target)
        new = target not in self._seen
        self._seen.add(target)
        if new and isinstance(layer, nn.modules.batchnorm._NormBase):
            over = [d for d in range(args[0].ndim) if d != 1]
            if layer.running_mean is not None and layer.running_var is not None:
                layer.running_mean.copy_(args[0].mean(over))
                layer.running_var.copy_(args[0].var(over, correction=0))
        found = super().call_module(target, args, kwargs)
        if new and isinstance(layer, _WEIGHTED):
            factor = self._spread[target] / max(float(found.double().std()), _TINY)
            layer.weight.mul_(factor)
            found = found * factor
        return found
