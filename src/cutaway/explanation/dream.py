"""Feature visualisation: a picture made from noise, step by step, to excite one unit of a network.

Olah, Mordvintsev and Schubert 2017, "Feature Visualization" (Distill), with the recipe of its library lucid
(tensorflow/lucid, optvis/param and optvis/transform, Apache-2.0), written anew: the picture is a spectrum whose
frequencies are weighed by 1/f, its colours are decorrelated as ImageNet's are, each step sees it moved, scaled and
turned a little, Adam climbs at rate 0.05.

Where we do otherwise: the moves are one bilinear resampling around the unit's own place at the network's own input
size (lucid resamples twice, at sizes of its own, which a network with a dense layer does not take), and they are
shares of the picture's side, so that 28 px work like 224. A unit behind a ReLU is climbed by the ReLU's input: a ReLU6
has no slope above 6, and a ReLU that is silent everywhere has none at all (lucid redirects its gradient instead). Of a
channel's map not the mean is climbed but the mean of its soft positive part (see _objective).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Generator
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import fx, nn

from cutaway.engine.cut import part_of
from cutaway.engine.fast import fast_twin
from cutaway.engine.prepare import normalise, prepare, to_channels
from cutaway.engine.run import input_of
from cutaway.engine.silent import rule_of
from cutaway.errors import BadModel, must_be
from cutaway.events import Progress
from cutaway.explanation.unit import Unit
from cutaway.graph.names import step_named
from cutaway.image import InputContract

# Square root of the covariance of ImageNet's colours (columns: brightness, blue to red, green to purple), and the
# length of its longest column, by which lucid divides it.
_COLOURS = torch.tensor([[0.26, 0.09, 0.02], [0.27, 0.00, -0.05], [0.27, -0.09, 0.03]])
_LONGEST = float(_COLOURS.norm(dim=0).max())
_START = 0.01
"""Standard deviation of the first spectrum (or pixels)."""
_JITTER = 6 / 128
"""Share of the picture's side by which it is moved at most, up, down and across: lucid's 8 and 4 px of 128, halved."""
_SCALES = tuple(1 + (i - 5) / 50 for i in range(11))
_ANGLES = (*range(-10, 11), 0, 0, 0, 0, 0)
_EVERY = 8
"""Steps between two reports of progress."""


@dataclass(frozen=True, slots=True)
class Recipe:
    """How the picture is made."""

    steps: int = 256
    """Steps uphill."""
    seed: int = 0
    """The same seed gives the same picture."""
    rate: float = 0.05
    """Adam's rate."""
    decay: float = 1.0
    """Frequencies are weighed by 1 / f to this power; larger is smoother."""
    fourier: bool = True
    """Whether the picture is a spectrum with decorrelated colours; else plain pixels."""
    robust: bool = True
    """Whether each step sees it moved, scaled and turned a little."""


@dataclass(frozen=True, slots=True, eq=False)
class Dream:
    """`picture` uint8 (H, W, 3) at the network's size; `value`: the unit's largest number on it, as it is stored, and
    `cell`, where; `grey`: the same on plain grey; `curve`: the objective before each step; `steps`: how many were done.

    `flat`: from noise no step leads anywhere, as nothing in the picture changes the unit; then only one was done.
    `stopped`: Ctrl-C ended it early.
    """

    picture: NDArray[np.uint8]
    value: float
    cell: tuple[int, int]
    grey: float
    curve: tuple[float, ...]
    steps: int
    flat: bool = False
    stopped: bool = False


def dream(
    network: fx.GraphModule, contract: InputContract, unit: Unit, recipe: Recipe, *,
    middle: tuple[float, float] | None = None, sees: float = math.inf, task: str = "dream",
    shown: Callable[[NDArray[np.uint8]], None] | None = None,
) -> Generator[Progress, None, Dream]:  # fmt: skip
    """Network that wants no gradient of its weights, its input's contract, unit, recipe -> Dream.

    A channel is climbed by a soft mean of its map, a cell, number or class (its logit) by itself. `middle`: row and
    column of the picture, in pixels, that moves are made around; `sees`: pixels of the unit's window, of which a cell
    is moved a quarter at most. `shown` gets the picture (H, W, 3) as it grows, before each report of progress. Only
    what lies before the unit is run. Ctrl-C between two steps ends the climb there.
    Raises BadInput for no step, BadModel for a unit without a gradient or with values that are not finite.
    """
    if recipe.steps < 1:
        raise must_be("steps", "at least 1", recipe.steps)
    head = _head(network, unit)
    canvas = _Canvas(contract, recipe)
    shake = _Shake(contract.size, recipe, middle, sees if unit.cell is not None else math.inf)
    climb = torch.optim.Adam([canvas.numbers], lr=recipe.rate)
    curve: list[float] = []
    flat = stopped = False
    try:
        for step in range(recipe.steps):
            objective = _objective(unit, *head(_input(shake(canvas()), contract)))
            if not bool(objective.isfinite()):
                raise BadModel(
                    f"{unit.name} gives values that are not finite after {step} steps; nothing can be climbed."
                )
            slope = _gradient(objective, canvas.numbers, unit)
            curve.append(float(objective.detach()))
            if flat := step == 0 and not bool(slope.any()):
                break
            canvas.numbers.grad = -slope
            climb.step()
            if step % _EVERY == _EVERY - 1:
                if shown is not None:
                    shown(canvas.pixels())
                yield Progress(task, step + 1, recipe.steps, "steps")
    except KeyboardInterrupt:
        if not curve:
            raise
        stopped = True
    pixels = canvas.pixels()
    value, cell = _reached(head, unit, pixels, contract)
    grey, _ = _reached(head, unit, np.full_like(pixels, 128), contract)
    return Dream(pixels, value, cell, grey, tuple(curve), len(curve), flat, stopped)


def spectrum_weights(size: tuple[int, int], decay: float) -> torch.Tensor:
    """Picture's (H, W), power -> (H, W // 2 + 1): what the spectrum of a real picture is multiplied with.

    1 / f, held below the frequency of one wave a picture, times the root of the number of pixels (lucid's fft_image).
    """
    height, width = size
    down, across = torch.fft.fftfreq(height)[:, None], torch.fft.rfftfreq(width)[None]
    frequency = (down**2 + across**2).sqrt().clamp_min(1 / max(size))
    weights: torch.Tensor = frequency**-decay * math.sqrt(height * width)
    return weights


class _Canvas:
    """The numbers that are climbed, and the picture (1, 3, H, W) in 0 to 1 that they stand for."""

    def __init__(self, contract: InputContract, recipe: Recipe) -> None:
        self._size, self._fourier = contract.size, recipe.fourier
        self._colours = 1 if contract.channels == "gray" else 3
        self._weights = spectrum_weights(contract.size, recipe.decay)
        shape = (1, self._colours, *self._weights.shape, 2) if recipe.fourier else (1, self._colours, *contract.size)
        source = torch.Generator().manual_seed(recipe.seed)
        self.numbers = (torch.randn(shape, generator=source) * _START).requires_grad_()

    def __call__(self) -> torch.Tensor:
        if not self._fourier:
            return torch.sigmoid(self.numbers).expand(-1, 3, -1, -1)
        waves = torch.view_as_complex(self.numbers) * self._weights
        picture = torch.fft.irfft2(waves, s=self._size) / 4  # (1, C, H, W)
        if self._colours == 3:
            picture = torch.einsum("nchw,dc->ndhw", picture, _COLOURS / _LONGEST)
        return torch.sigmoid(picture).expand(-1, 3, -1, -1)

    def pixels(self) -> NDArray[np.uint8]:
        """-> uint8 (H, W, 3)."""
        with torch.no_grad():
            found: NDArray[np.uint8] = (self()[0].permute(1, 2, 0) * 255).round().to(torch.uint8).numpy()
        return np.ascontiguousarray(found)


class _Shake:
    """Moves, scales and turns a picture a little, differently each time; grey comes in from outside."""

    def __init__(self, size: tuple[int, int], recipe: Recipe, middle: tuple[float, float] | None, sees: float) -> None:
        self._robust = recipe.robust
        self._source = torch.Generator().manual_seed(recipe.seed + 1)
        height, width = size
        row, column = ((height - 1) / 2, (width - 1) / 2) if middle is None else middle
        self._middle = ((2 * column + 1) / width - 1, (2 * row + 1) / height - 1)  # across, down, each in -1 to 1
        self._sides = (width, height)
        self._jitter = min(_JITTER * min(size), sees / 4)

    def __call__(self, picture: torch.Tensor) -> torch.Tensor:
        if not self._robust:
            return picture
        scale, angle = self._one_of(_SCALES), math.radians(self._one_of(_ANGLES))
        across, down = ((2 * torch.rand(2, generator=self._source) - 1) * 2 * self._jitter).tolist()
        (x, y), (width, height) = self._middle, self._sides
        cos, sin = math.cos(angle) / scale, math.sin(angle) / scale
        turn = torch.tensor([[cos, -sin * height / width], [sin * width / height, cos]])
        centre = torch.tensor([x, y])
        move = centre - turn @ centre + torch.tensor([across / width, down / height])
        grid = nn.functional.affine_grid(
            torch.cat([turn, move[:, None]], 1)[None], list(picture.shape), align_corners=False
        )
        return nn.functional.grid_sample(picture - 0.5, grid, align_corners=False) + 0.5

    def _one_of(self, choices: tuple[float, ...]) -> float:
        return choices[int(torch.randint(len(choices), (), generator=self._source))]


def _head(network: fx.GraphModule, unit: Unit) -> fx.GraphModule:
    """Network -> a copy of what lies before the unit: input -> (what its layer's source gives, what its ReLU gets)."""
    node = step_named(network, unit.layer.source)
    before = next(n for n in network.graph.nodes if n.name == unit.layer.node)
    while rule_of(network, before).name == "zero" and not _shifted(network, before):
        before = before.all_input_nodes[0]
    part = part_of(network, [input_of(network)], [node, before])
    kept = [n.name for n in _output(part).all_input_nodes]
    twin = fast_twin(part, kept)
    for layer in twin.modules():
        if getattr(layer, "inplace", False):
            layer.inplace = False  # type: ignore[assignment]
    return twin


def _shifted(network: fx.GraphModule, node: fx.Node) -> bool:
    """Whether what rests at zero does not do so from an input of zero on: a hard sigmoid starts at -3."""
    return node.op == "call_module" and isinstance(network.get_submodule(str(node.target)), nn.Hardsigmoid)


def _output(graph: fx.GraphModule) -> fx.Node:
    found: fx.Node = next(n for n in graph.graph.nodes if n.op == "output")
    return found


def _input(picture: torch.Tensor, contract: InputContract) -> torch.Tensor:
    x = normalise(to_channels(picture * 255, contract), contract)
    return x.contiguous(memory_format=torch.channels_last)


def _objective(unit: Unit, value: torch.Tensor, before: torch.Tensor) -> torch.Tensor:
    """What is climbed, of the unit's source and of what goes into its ReLU: a number by itself; a map by the mean of a
    ReLU that bends softly over the map's own spread, so that places below zero are drawn up too, the highest first.

    The plain mean of a convolution's map is a sum of pixels with the kernel's own sum as weight, which has no shape.
    """
    maps = unit.raw(before if unit.layer.rests else value)
    if maps.numel() == 1:
        return maps.sum()
    with torch.no_grad():
        bend = torch.maximum(maps.std(), -maps.max() / 4).clamp_min(1e-6)
    found: torch.Tensor = (nn.functional.softplus(maps / bend) * bend).mean()
    return found


def _gradient(objective: torch.Tensor, numbers: torch.Tensor, unit: Unit) -> torch.Tensor:
    if not objective.requires_grad:
        raise BadModel(
            f"{unit.name} has no gradient towards the picture, so no picture can be made for it; --steps 0 shows the "
            "photos that excite it."
        )
    found: torch.Tensor = torch.autograd.grad(objective, numbers)[0]
    return found


def _reached(
    head: fx.GraphModule, unit: Unit, pixels: NDArray[np.uint8], contract: InputContract
) -> tuple[float, tuple[int, int]]:
    """Pixels as they are stored -> the unit's largest value on them, and its place in the map."""
    with torch.no_grad():
        maps = unit.values(head(prepare(pixels[None], contract))[0])[0]  # (H, W)
    at = int(maps.argmax())
    place = (at // maps.shape[1], at % maps.shape[1])
    return float(maps.flatten()[at]), place if unit.cell is None else unit.cell
