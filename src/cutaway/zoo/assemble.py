"""An order (name, classes, size, weights, knobs) -> Named: made, filled with weights, traced, checked at its size."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn

from cutaway.errors import BadInput, BadModel, must_be
from cutaway.graph.trace import trace
from cutaway.image import InputContract
from cutaway.zoo.named import Named
from cutaway.zoo.names import meaning, near
from cutaway.zoo.sources import Source, source_of
from cutaway.zoo.weights import read_state

Size = tuple[int, int]
_ANY_FAILURE = (RuntimeError, AssertionError, ValueError, IndexError, TypeError, ZeroDivisionError)


@dataclass(frozen=True, slots=True)
class Order:
    """What build was asked for, checked."""

    name: str
    classes: tuple[str, ...]
    size: Size | None
    pretrained: bool
    weights_file: Path | None
    in_channels: int | None
    knobs: dict[str, Any]

    @classmethod
    def of(
        cls,
        name: str,
        classes: Sequence[str],
        size: int | Size | None,
        pretrained: bool,
        weights_file: Path | str | None,
        knobs: dict[str, Any],
    ) -> Order:
        if pretrained and weights_file is not None:
            raise BadInput("pretrained and weights_file are two sources of weights; give one of them.")
        if not classes and not pretrained:
            raise must_be("classes", "the class names in output order", classes)
        if isinstance(classes, str) or len(set(classes)) != len(classes):
            raise must_be("classes", "names that differ from each other", classes)
        knobs = dict(knobs)
        channels = knobs.pop("in_channels", None)
        if channels not in (None, 1, 3):
            raise must_be("in_channels", "1 (gray) or 3 (RGB)", channels)
        path = None if weights_file is None else Path(weights_file)
        return cls(name, tuple(classes), _size(size), pretrained, path, channels, knobs)


def assemble(order: Order) -> Named:
    """Order -> Named (see build)."""
    source = source_of(meaning(order.name))
    contract = _contract(source.contract, order)
    classes = order.classes or source.published_classes()
    if not classes:
        raise BadInput(f"The published class names of {order.name} are not known; give classes.")
    network, weights = _made(source, order, contract, len(classes))
    network.eval()
    example = torch.zeros(1, contract.in_channels, *contract.size)
    if (problem := _problem(network, example, len(classes))) is not None:
        raise _too_small(source, order, contract, problem)
    try:
        graph = trace(network, example)
    except BadModel as error:
        others = ", ".join(n for n in near(source.network, held=True) if n != order.name)
        raise BadModel(
            f"{order.name} is not (only) convolutional and Cutaway cannot take it apart yet; near names that work: "
            f"{others} ({_first(error)})."
        ) from None
    card = {"network": order.name, "library": source.library, "weights": weights, **source.card(order.pretrained)}
    return Named(graph, contract, classes, {k: v for k, v in card.items() if v})


def _made(source: Source, order: Order, contract: InputContract, classes: int) -> tuple[nn.Module, str]:
    """The network with the weights that were asked for, and a word on where they come from."""

    rest = (contract.size, contract.in_channels, order.knobs)
    try:
        if order.pretrained or order.weights_file is not None:
            path = order.weights_file or source.published_file()
            return source.loaded(path.name, read_state(path), classes, *rest), "" if order.pretrained else path.name
        return source.make(classes, *rest), "random"
    except TypeError as error:
        raise _bad_knob(source, order, error) from None
    except _ANY_FAILURE as error:
        raise _too_small(source, order, contract, error) from None


def _bad_knob(source: Source, order: Order, error: Exception) -> BadInput:
    given = ", ".join(f"{k}={v!r}" for k, v in order.knobs.items()) or "no knobs"
    known = f" Its knobs: {', '.join((*source.knobs(), 'in_channels'))}." if source.knobs() else ""
    return BadInput(f"{order.name} cannot be made with {given} ({_first(error)}).{known}")


def _contract(published: InputContract, order: Order) -> InputContract:
    contract = published if order.size is None else dataclasses.replace(published, size=order.size)
    if order.in_channels is None or order.in_channels == contract.in_channels:
        return contract
    if order.in_channels == 3:
        return dataclasses.replace(contract, channels="RGB", mean=contract.mean[:1] * 3, std=contract.std[:1] * 3)
    mean, std = (sum(v) / len(v) for v in (contract.mean, contract.std))
    return dataclasses.replace(contract, channels="gray", mean=(mean,), std=(std,))


def _problem(network: nn.Module, example: torch.Tensor, classes: int) -> Exception | None:
    """One pass -> why the network does not work at this size, None where it does."""
    try:
        with torch.inference_mode():
            out = network(example)
    except _ANY_FAILURE as error:
        return error
    return None if tuple(out.shape) == (1, classes) else ValueError(f"its output is {tuple(out.shape)}")


def _too_small(source: Source, order: Order, contract: InputContract, problem: Exception) -> BadInput:
    """Something failed at this size -> the sentence that says what size works, or what else is wrong."""
    height, width = contract.size
    asked = f"{order.name} does not work at {height} x {width} pixels"
    smallest = _smallest(source, order, contract)
    if smallest is None and order.knobs:
        return _bad_knob(source, order, problem)
    if smallest is None or min(contract.size) >= smallest:
        published = " x ".join(map(str, source.contract.size))
        return BadInput(f"{asked} ({_first(problem)}); it was published for {published}.")
    return BadInput(f"{asked}; the smallest size that works is {smallest} x {smallest}.")


def _smallest(source: Source, order: Order, contract: InputContract) -> int | None:
    """The smallest square that works, found by trying; None where not even the published size does."""

    def works(side: int, device: str) -> bool:
        try:
            with torch.device(device):
                network = source.make(2, (side, side), contract.in_channels, order.knobs).eval()
                return _problem(network, torch.zeros(1, contract.in_channels, side, side), 2) is None
        except _ANY_FAILURE:
            return False

    low, high = 0, max(source.contract.size)
    device = next((d for d in ("meta", "cpu") if works(high, d)), None)  # meta: shapes without numbers, in no time
    if device is None:
        return None
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if works(middle, device) else (middle, high)
    return high


def _size(size: int | Size | None) -> Size | None:
    if size is None:
        return None
    pair = (size, size) if isinstance(size, int) else tuple(size)
    if len(pair) != 2 or not all(isinstance(v, int) and 1 <= v <= 4096 for v in pair):
        raise must_be("size", "a side or (height, width) from 1 to 4096 pixels", size)
    return pair


def _first(error: BaseException) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:200].rstrip(".")
