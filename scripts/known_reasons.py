"""Networks whose reason is known, and pictures whose object is known: what explanations are held against.

Hand-made networks read the left half, one colour or one corner and nothing else, by their weights. `shapes` draws one
of four shapes on noise and gives its mask; `shapes_model` is a small CNN trained on them in this process (15 s).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image, ImageDraw
from torch import nn

from cutaway.engine.prepare import prepare
from cutaway.graph.trace import trace
from cutaway.image import InputContract
from cutaway.model import Model

SIDE = 96
SMALL, CELL, SQUARE = 48, 4, 8
CLASSES = ("disc", "square", "triangle", "cross")
Pixels = NDArray[np.uint8]
Masks = NDArray[np.bool_]


def shapes(count: int, seed: int) -> tuple[Pixels, Masks, NDArray[np.int64]]:
    """How many, seed -> pictures uint8 (N, 96, 96, 3), masks of their objects (N, 96, 96), classes (N,) in turn."""
    made = [_shape(i % len(CLASSES), np.random.default_rng([seed, i])) for i in range(count)]
    labels = np.arange(count) % len(CLASSES)
    return np.stack([p for p, _ in made]), np.stack([m for _, m in made]), labels


def _shape(kind: int, random: np.random.Generator) -> tuple[Pixels, Masks]:
    radius = int(random.integers(11, 20))
    x, y = (int(v) for v in random.integers(radius + 2, SIDE - radius - 2, 2))
    sheet = Image.new("1", (SIDE, SIDE))
    pen = ImageDraw.Draw(sheet)
    if kind == 0:
        pen.ellipse((x - radius, y - radius, x + radius, y + radius), fill=1)
    elif kind == 1:
        half = round(0.88 * radius)
        pen.rectangle((x - half, y - half, x + half, y + half), fill=1)
    elif kind == 2:
        turns = [math.radians(a) for a in (-90, 30, 150)]
        pen.polygon([(x + 1.2 * radius * math.cos(t), y + 1.2 * radius * math.sin(t)) for t in turns], fill=1)
    else:
        arm = round(0.36 * radius)
        pen.rectangle((x - radius, y - arm, x + radius, y + arm), fill=1)
        pen.rectangle((x - arm, y - radius, x + arm, y + radius), fill=1)
    mask = np.array(sheet)
    picture = random.normal(110, 26, (SIDE, SIDE, 3))
    colour = random.uniform(150, 250, 3) if random.random() < 0.5 else random.uniform(5, 75, 3)
    picture[mask] = colour + random.normal(0, 14, (int(mask.sum()), 3))
    return np.clip(np.rint(picture), 0, 255).astype(np.uint8), mask


def shapes_model(pictures: int = 1200, epochs: int = 10, seed: int = 0) -> Model:
    """-> a small CNN with batch norms that names the shapes; the process's random numbers stay where they were."""
    contract = InputContract((SIDE, SIDE), mean=(0.5, 0.5, 0.5), std=(0.25, 0.25, 0.25))
    pixels, _, labels = shapes(pictures, seed)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        net = nn.Sequential(
            *_stage(3, 16, 2), *_stage(16, 32, 2), *_stage(32, 48, 2), *_stage(48, 64, 1),
            nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(64, len(CLASSES)),
        ).to(memory_format=torch.channels_last)  # fmt: skip
        batch, steps = 32, epochs * math.ceil(pictures / 32)
        optimiser = torch.optim.AdamW(net.parameters(), 0.01, weight_decay=0.02)
        schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, 0.01, steps)
        x, y = prepare(pixels, contract), torch.as_tensor(labels)
        for _ in range(epochs):
            for rows in torch.randperm(pictures).split(batch):
                part = x[rows]
                part = part.flip(-1) if torch.rand(()) < 0.5 else part
                loss = nn.functional.cross_entropy(net(part), y[rows])
                optimiser.zero_grad()
                loss.backward()
                optimiser.step()
                schedule.step()
    return Model(trace(net.eval()), contract, CLASSES)


def _stage(inputs: int, filters: int, stride: int) -> list[nn.Module]:
    conv = nn.Conv2d(inputs, filters, 3, stride, 1, bias=False)
    return [conv, nn.BatchNorm2d(filters), nn.ReLU()]


@dataclass(frozen=True)
class Known:
    """A network made by hand, pictures for it, and the pixels (N, H, W) that its answer for class 1 comes from."""

    name: str
    model: Model
    pixels: Pixels
    reason: Masks


def known_networks(count: int = 4) -> list[Known]:
    """-> the networks whose reason is known by construction, each with pictures of which it says class 1."""
    return [left_half(count), one_corner(count), one_colour(count)]


def left_half(count: int) -> Known:
    """Reads how many bright squares lie in the left half; those in the right half are nothing to it."""
    part = np.zeros((SMALL, SMALL), bool)
    part[:, : SMALL // 2] = True
    return _bright_in("left half", part, count)


def one_corner(count: int) -> Known:
    """Reads whether it is bright in the upper left corner, a sixteenth of the picture."""
    part = np.zeros((SMALL, SMALL), bool)
    part[: SMALL // 4, : SMALL // 4] = True
    return _bright_in("one corner", part, count)


def one_colour(count: int) -> Known:
    """Reads how much red there is; green and blue squares are nothing to it."""
    conv = nn.Conv2d(3, 2, 1)
    head = nn.Linear(2, 2)
    _fill(conv, [[1.0, -0.5, -0.5], [-0.5, 1.0, -0.5]], [-0.3, -0.3])
    _fill(head, [[0.0, 0.0], [500.0, 0.0]], [0.0, -2.0])
    net = nn.Sequential(conv, nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), head)
    random = np.random.default_rng(0)
    pixels, reason = _noise(count, random), np.zeros((count, SMALL, SMALL), bool)
    for i in range(count):
        for n, place in enumerate(_places(random, 3)):
            pixels[i][place] = [(215, 45, 40), (45, 200, 60), (50, 60, 210)][n]
            reason[i][place] = n == 0
    return Known("one colour", _model(net), pixels, reason)


def _bright_in(name: str, part: Masks, count: int) -> Known:
    """A network that adds up the bright cells of a part of the picture, and pictures with two bright squares: one in
    that part, one outside."""
    cells = SMALL // CELL
    conv = nn.Conv2d(3, 2, CELL, CELL)
    head = nn.Linear(2 * cells * cells, 2)
    bright = torch.full((3, CELL, CELL), 1 / (3 * CELL * CELL))
    _fill(conv, torch.stack([bright, -bright]), [-0.6, 0.3])
    read = torch.zeros(2, 2, cells, cells)
    read[1, 0] = torch.as_tensor(part[::CELL, ::CELL]) * 5.0
    _fill(head, read.flatten(1), [0.0, -2.0])
    net = nn.Sequential(conv, nn.ReLU(), nn.Flatten(), head)
    random = np.random.default_rng(0)
    pixels, reason = _noise(count, random), np.zeros((count, SMALL, SMALL), bool)
    for i in range(count):
        inside = outside = None
        while inside is None or outside is None:
            (place,) = _places(random, 1)
            if part[place].all():
                inside = place
            elif not part[place].any():
                outside = place
        pixels[i][inside] = pixels[i][outside] = 235
        reason[i][inside] = True
    return Known(name, _model(net), pixels, reason)


def _fill(layer: nn.Conv2d | nn.Linear, weight: torch.Tensor | list[list[float]], bias: list[float]) -> None:
    with torch.no_grad():
        layer.weight.copy_(torch.as_tensor(weight).reshape(layer.weight.shape))
        assert layer.bias is not None
        layer.bias.copy_(torch.tensor(bias))


def _model(net: nn.Module) -> Model:
    return Model(trace(net.eval()), InputContract((SMALL, SMALL)), ("no", "yes"))


def _noise(count: int, random: np.random.Generator) -> Pixels:
    return np.clip(random.normal(95, 30, (count, SMALL, SMALL, 3)), 0, 255).astype(np.uint8)


def _places(random: np.random.Generator, count: int) -> list[tuple[slice, slice]]:
    """-> so many squares of SQUARE pixels on the grid of cells, none on another."""
    steps = (SMALL - SQUARE) // CELL + 1
    found: list[tuple[int, int]] = []
    while len(found) < count:
        y, x = (int(v) * CELL for v in random.integers(0, steps, 2))
        if all(abs(y - b) >= SQUARE or abs(x - a) >= SQUARE for b, a in found):
            found.append((y, x))
    return [(slice(y, y + SQUARE), slice(x, x + SQUARE)) for y, x in found]
