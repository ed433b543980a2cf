"""Logits of many pictures as the model itself gives them; what they say is reports.metrics' business."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from cutaway.errors import BadModel
from cutaway.evaluation.evaluate import answers, measured
from cutaway.events import Progress
from cutaway.graph.trace import trace
from cutaway.image import InputContract
from cutaway.model import Model
from cutaway.reports.metrics import measure

PIXELS = np.random.default_rng(3).integers(0, 256, (21, 8, 8, 3), np.uint8)


@pytest.fixture
def model() -> Model:
    torch.manual_seed(1)
    network = nn.Sequential(
        nn.Conv2d(3, 6, 3), nn.BatchNorm2d(6), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(6, 3)
    )
    network[1].running_mean = torch.rand(6)
    return Model(trace(network), InputContract((8, 8), scale=2.0, offset=-1.0), ("a", "b", "c"), temperature=2.0)


def run(work: Any) -> tuple[np.ndarray, list[Progress]]:
    told = []
    while True:
        try:
            told.append(next(work))
        except StopIteration as end:
            return end.value, told


def test_they_are_the_models_logits_in_the_order_asked_for(model: Model) -> None:
    at = np.array([20, 3, 3, 7, *range(10)])
    logits, told = run(answers(model, lambda i: PIXELS[i], at, "test"))
    expected = model.logits(PIXELS[at]).numpy()
    assert logits.dtype == np.float32
    assert np.abs(logits - expected).max() < 1e-5 * np.abs(expected).max()
    assert told[-1] == Progress("test", 14, 14, "pictures")
    assert [event.done for event in told] == sorted({event.done for event in told})


def test_a_softmax_is_undone(model: Model) -> None:
    soft = dataclasses.replace(model, graph=trace(nn.Sequential(model.graph, nn.Softmax(1))), probabilities=True)
    logits, _ = run(answers(soft, lambda i: PIXELS[i], np.arange(5)))
    plain = torch.log_softmax(model.logits(PIXELS[:5]), 1).numpy()
    assert np.abs(logits - plain).max() < 1e-5


def test_no_pictures_are_no_rows(model: Model) -> None:
    logits, told = run(answers(model, lambda i: PIXELS[i], np.arange(0)))
    assert logits.shape == (0, 3)
    assert told == []


def test_too_few_class_names_are_told(model: Model) -> None:
    two = model.renamed(("a", "b"))
    said = "The model gives 3 numbers for each picture and has 2 class names; it needs one name for each number"
    with pytest.raises(BadModel, match=said):
        run(answers(two, lambda i: PIXELS[i], np.arange(4)))


def test_measured_uses_the_models_temperature_and_names(model: Model) -> None:
    logits, _ = run(answers(model, lambda i: PIXELS[i], np.arange(21)))
    labels = np.arange(21, dtype=np.int64) % 3
    names = [f"{i}.png" for i in range(21)]
    got = measured("test", model, names, labels, logits)
    assert got == measure("test", names, labels, logits, ("a", "b", "c"), temperature=2.0)
    assert got.accuracy == float((logits.argmax(1) == labels).mean())
