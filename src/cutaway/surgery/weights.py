"""A layer's own numbers changed: one of them, or those of the whole layer, some filters, some of their inputs.

Numbers are chosen as (output channel, input channel within the filter, row, column) in every kind of layer.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch

from cutaway.errors import BadInput
from cutaway.surgery.edit import Edit
from cutaway.surgery.filters_of import change, chosen, must_fit, seen, stored, unseen, which_words
from cutaway.surgery.patient import Patient

RANDOM = "its weights were drawn at random"


@dataclass(frozen=True)
class SetWeight(Edit):
    """Set one number of a layer."""

    layer: str
    index: tuple[int, ...]
    """(output channel, input channel of the filter, row, column), (output, input) of a dense layer, or (channel); all
    from 0."""
    value: float
    which: str = "weight"
    """Which of the layer's arrays: weight, bias, running_mean, running_var, ..."""

    def operate(self, patient: Patient) -> None:
        layer, array = patient.layer(self.layer), stored(patient, self.layer, self.which)
        numbers = (seen(layer, array) if self.which == "weight" else array).clone()
        shape = tuple(numbers.shape)
        if len(self.index) != len(shape) or not all(0 <= i < n for i, n in zip(self.index, shape)):
            told = " x ".join(map(str, shape))
            last = ", ".join(str(n - 1) for n in shape)
            raise BadInput(
                f"{self.layer}.{self.which} has {told} numbers, the last of them [{last}]. Got {list(self.index)}."
            )
        numbers[self.index] = must_fit(self.layer, self.value, array)
        patient.set_weight(self.layer, unseen(layer, numbers) if self.which == "weight" else numbers, self.which)

    @property
    def sentence(self) -> str:
        return f"set {self.layer}.{self.which}[{','.join(map(str, self.index))}] to {self.value:g}"


@dataclass(frozen=True)
class ScaleWeights(Edit):
    """Multiply weights by a factor."""

    layer: str
    factor: float
    channels: tuple[int, ...] = ()
    """Which filters (output channels), from 0; none named: all."""
    inputs: tuple[int, ...] = ()
    """Which inputs of them, from 0; none named: all."""

    def operate(self, patient: Patient) -> None:
        change(patient, self.layer, self.channels, self.inputs, lambda filters: filters * self.factor)

    @property
    def sentence(self) -> str:
        return f"multiply {self.layer}'s weights{which_words(self.channels, self.inputs)} by {self.factor:g}"


@dataclass(frozen=True)
class ZeroWeights(Edit):
    """Set weights to zero; a bias stays."""

    layer: str
    channels: tuple[int, ...] = ()
    """Which filters (output channels), from 0; none named: all."""
    inputs: tuple[int, ...] = ()
    """Which inputs of them, from 0; none named: all."""

    def operate(self, patient: Patient) -> None:
        change(patient, self.layer, self.channels, self.inputs, torch.zeros_like)

    @property
    def sentence(self) -> str:
        return f"set {self.layer}'s weights{which_words(self.channels, self.inputs)} to zero"


@dataclass(frozen=True)
class AddNoise(Edit):
    """Add normally distributed noise to weights."""

    layer: str
    amount: float
    """Its standard deviation, in standard deviations of the layer's weights."""
    seed: int = 0
    """Which noise: the same seed gives the same."""
    channels: tuple[int, ...] = ()
    """Which filters (output channels), from 0; none named: all."""
    inputs: tuple[int, ...] = ()
    """Which inputs of them, from 0; none named: all."""

    def operate(self, patient: Patient) -> None:
        if self.amount < 0:
            raise BadInput(f"the amount of noise must be 0 or more standard deviations. Got {self.amount:g}.")
        spread = float(stored(patient, self.layer).double().std(correction=0)) * self.amount
        random = torch.Generator().manual_seed(_seed(self.seed))

        def work(filters: torch.Tensor) -> torch.Tensor:
            noise = torch.randn(filters.shape, generator=random, dtype=torch.float64)
            return filters.double() + spread * noise

        change(patient, self.layer, self.channels, self.inputs, work)

    @property
    def sentence(self) -> str:
        where = f"{self.layer}'s weights{which_words(self.channels, self.inputs)}"
        return f"add noise of {self.amount:g} standard deviations to {where} (seed {self.seed})"


@dataclass(frozen=True)
class RandomiseWeights(Edit):
    """Forget weights: each becomes one that is drawn from the layer's own."""

    layer: str
    seed: int = 0
    """Which draw: the same seed gives the same."""
    channels: tuple[int, ...] = ()
    """Which filters (output channels), from 0; none named: all."""
    inputs: tuple[int, ...] = ()
    """Which inputs of them, from 0; none named: all."""

    def operate(self, patient: Patient) -> None:
        own = stored(patient, self.layer).flatten()
        random = torch.Generator().manual_seed(_seed(self.seed))

        def work(filters: torch.Tensor) -> torch.Tensor:
            return own[torch.randint(own.numel(), filters.shape, generator=random)]

        change(patient, self.layer, self.channels, self.inputs, work)
        patient.untrained[self.layer] = RANDOM

    @property
    def sentence(self) -> str:
        return f"randomise {self.layer}'s weights{which_words(self.channels, self.inputs)} (seed {self.seed})"


@dataclass(frozen=True)
class RoundWeights(Edit):
    """Round weights to n bits: multiples of one step, as many below zero as above."""

    layer: str
    bits: int
    """2 (three levels) to 16; the largest chosen weight is the last level, 2^(bits-1) - 1 steps from zero."""
    channels: tuple[int, ...] = ()
    """Which filters (output channels), from 0; none named: all."""

    def operate(self, patient: Patient) -> None:
        if not 2 <= self.bits <= 16:
            raise BadInput(f"weights can be rounded to 2 to 16 bits. Got {self.bits}.")
        change(patient, self.layer, self.channels, (), lambda filters: rounded(filters, self.bits))

    @property
    def sentence(self) -> str:
        return f"round {self.layer}'s weights{which_words(self.channels)} to {self.bits} bits"


def rounded(weights: torch.Tensor, bits: int) -> torch.Tensor:
    """Numbers -> float64 multiples of max|w| / (2^(bits-1) - 1), ties to the even multiple; zeros stay zeros.

    Symmetric uniform quantisation (Nagel et al. 2021, "A White Paper on Neural Network Quantization", 2.2.3).
    """
    exact = weights.double()
    step = exact.abs().amax() / (2 ** (bits - 1) - 1)
    return torch.round(exact / step) * step if step > 0 else exact


@dataclass(frozen=True)
class SwapChannels(Edit):
    """Let two filters of a layer, with their bias or statistics, change places."""

    layer: str
    first: int
    """Number of one channel, from 0."""
    second: int
    """Number of the other."""

    def operate(self, patient: Patient) -> None:
        layer = patient.layer(self.layer)
        filters = seen(layer, stored(patient, self.layer))
        order = list(range(filters.shape[0]))
        a, b = chosen(self.layer, "output channels", (self.first, self.second), len(order))
        order[a], order[b] = b, a
        patient.set_weight(self.layer, unseen(layer, filters[order]))
        # A bias, a gain, a norm's statistics: whatever else the layer keeps for each channel goes along.
        for which, array in [*layer._parameters.items(), *layer._buffers.items()]:
            if which != "weight" and array is not None and array.ndim and array.shape[0] == len(order):
                patient.set_weight(self.layer, array.detach()[order], which)

    @property
    def sentence(self) -> str:
        return f"swap {self.layer}'s channels {self.first} and {self.second}"


@dataclass(frozen=True)
class SetBias(Edit):
    """Set a layer's bias; a layer that has none gets one, zero elsewhere."""

    layer: str
    value: float
    channels: tuple[int, ...] = ()
    """Which output channels, from 0; none named: all."""

    def operate(self, patient: Patient) -> None:
        layer = patient.layer(self.layer)
        filters = seen(layer, stored(patient, self.layer))
        if "bias" not in layer._parameters:
            raise BadInput(f"{self.layer} is a {type(layer).__name__}, which has no place for a bias.")
        held = layer._parameters["bias"]
        bias = torch.zeros(filters.shape[0]).to(filters) if held is None else held.detach().clone()
        out = chosen(self.layer, "output channels", self.channels, bias.shape[0])
        bias[out] = must_fit(self.layer, self.value, bias)
        patient.set_weight(self.layer, bias, "bias")
        if held is None:
            patient.notes.append(f"{self.layer} had no bias and has one now.")

    @property
    def sentence(self) -> str:
        return f"set {self.layer}'s bias{which_words(self.channels)} to {self.value:g}"


@dataclass(frozen=True)
class ScaleBias(Edit):
    """Multiply a layer's bias by a factor."""

    layer: str
    factor: float
    channels: tuple[int, ...] = ()
    """Which output channels, from 0; none named: all."""

    def operate(self, patient: Patient) -> None:
        bias = stored(patient, self.layer, "bias").clone()
        out = chosen(self.layer, "output channels", self.channels, bias.shape[0])
        bias[out] = bias[out] * self.factor
        patient.set_weight(self.layer, bias, "bias")

    @property
    def sentence(self) -> str:
        return f"multiply {self.layer}'s bias{which_words(self.channels)} by {self.factor:g}"


def _seed(seed: int) -> int:
    if not 0 <= seed < 2**63:
        raise BadInput(f"a seed is a whole number from 0 to 2^63 - 1. Got {seed}.")
    return seed
