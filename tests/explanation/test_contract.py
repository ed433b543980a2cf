"""Every method keeps the contract: maps of the right kind, the same each time, and nothing of the model's touched."""

from __future__ import annotations

import contextlib
import copy
import dataclasses
import gc
import random
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn.modules import module as torch_module

from cutaway.errors import CutawayError, MissingExtra
from cutaway.explanation.explanation import explained
from cutaway.explanation.method import METHODS, Answer, Method, method_named, settings_of
from cutaway.explanation.question import Question, ask
from cutaway.graph.trace import trace
from cutaway.image import InputContract
from cutaway.model import Model

SIDE = 24
FEWEST: dict[str, dict[str, int]] = {
    "smoothgrad": {"samples": 3}, "integrated-gradients": {"steps": 3}, "scorecam": {"channels": 3},
    "occlusion": {"window": 12, "stride": 12}, "rise": {"masks": 16}, "lime": {"samples": 12}, "shap": {"samples": 10},
}  # fmt: skip
"""Settings with which a method goes all its ways in some milliseconds."""
BRIGHTNESS_COUNTS = {
    "input-x-gradient": "multiplies by the value itself", "integrated-gradients": "begins at grey",
    "occlusion": "covers with grey", "scorecam": "darkens what it hides", "rise": "hides behind the number 0",
    "lrp": "spreads relevance by the values", "lime": "", "shap": "",
}  # fmt: skip
"""Methods that compare with a picture of fixed brightness, and lime and shap, which look at the pixels themselves."""
CLASSLESS = {"eigencam"}
"""Methods that look at no class, by their paper; each says so."""


class Small(nn.Module):
    """Convolutions, norms, a sum, pooling, a ReLU6 and a ReLU: what any method must be able to explain."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1, self.norm1, self.act1 = nn.Conv2d(3, 8, 3, padding=1), nn.BatchNorm2d(8), nn.ReLU6()
        self.pool = nn.MaxPool2d(2)
        self.conv2, self.norm2, self.act2 = nn.Conv2d(8, 8, 3, padding=1), nn.BatchNorm2d(8), nn.ReLU()
        self.last = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8, 3))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.pool(self.act1(self.norm1(self.conv1(x))))
        return self.last(self.act2(self.norm2(self.conv2(x)) + x))


class Fails(nn.Module):
    """Lets so many batches through, then raises."""

    def __init__(self, after: int) -> None:
        super().__init__()
        self.left = after

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if not self.left:
            raise RuntimeError("broken inside")
        self.left -= 1
        return torch.relu(x)


@pytest.fixture(scope="module")
def model() -> Model:
    torch.manual_seed(3)
    network = Small()
    for layer in network.modules():
        if isinstance(layer, nn.BatchNorm2d):
            layer.running_mean = torch.randn(layer.num_features) / 10
            layer.running_var = torch.rand(layer.num_features) / 10 + 0.05
    network.last[2].weight.data *= 5  # type: ignore[operator, union-attr]
    return Model(trace(network.eval()), InputContract((SIDE, SIDE)), ("a", "b", "c"))


@pytest.fixture(scope="module")
def pictures() -> np.ndarray[Any, np.dtype[np.uint8]]:
    """A bright square each, at another place, on noise."""
    pixels = np.random.default_rng(0).integers(0, 90, (2, SIDE, SIDE, 3), np.uint8)
    pixels[0, 3:11, 4:12] += 150
    pixels[1, 12:20, 10:20, 0] += 160
    return pixels


def method(name: str) -> tuple[Method, Any]:
    """-> the method with few samples."""
    found = method_named(name)
    settings = settings_of(found, {})
    fewer = {
        f.name: 60
        for f in dataclasses.fields(settings)
        if type(getattr(settings, f.name)) is int and getattr(settings, f.name) > 60
    }
    return found, dataclasses.replace(settings, **fewer)


def answer(found: Method, question: Question, settings: Any) -> Answer:
    """Skips the test where the method's library is not installed."""
    running = explained(found, question, settings)
    try:
        while True:
            next(running)
    except MissingExtra as missing:
        pytest.skip(str(missing))
    except StopIteration as end:
        answered: Answer = end.value[0]
        return answered


every_method = pytest.mark.parametrize("name", METHODS)


@every_method
def test_a_map_has_the_pictures_size_and_finite_numbers(name: str, model: Model, pictures: Any) -> None:
    found, settings = method(name)
    given = answer(found, ask(model, pictures), settings)
    assert given.maps.shape == (2, SIDE, SIDE)
    assert given.maps.dtype == np.float32
    assert np.isfinite(given.maps).all()
    assert np.abs(given.maps).max() > 0
    assert (given.base is not None) == found.complete
    assert (given.layer != "") == found.layered


@every_method
def test_maps_of_two_classes_differ(name: str, model: Model, pictures: Any) -> None:
    found, settings = method(name)
    first, second = (answer(found, ask(model, pictures[:1], [k]), settings).maps for k in (0, 1))
    if name in CLASSLESS:
        assert np.array_equal(first, second)
        assert "class" in found.says + found.departs
    else:
        assert np.abs(first - second).max() > 1e-3 * np.abs(first).max()


@every_method
def test_why_one_class_and_not_another_is_a_question_of_its_own(name: str, model: Model, pictures: Any) -> None:
    found, settings = method(name)
    one = answer(found, ask(model, pictures[:1], [0]), settings).maps
    both = answer(found, ask(model, pictures[:1], [0], [1]), settings).maps
    assert np.isfinite(both).all()
    if name not in CLASSLESS:
        assert np.abs(one - both).max() > 1e-3 * np.abs(one).max()


@every_method
def test_two_pictures_at_once_give_what_each_gives_alone(name: str, model: Model, pictures: Any) -> None:
    found, settings = method(name)
    question = ask(model, pictures, [0, 1])
    together = answer(found, question, settings).maps
    alone = np.concatenate([answer(found, question.row(i), settings).maps for i in range(2)])
    assert np.abs(together - alone).max() <= 1e-4 * np.abs(alone).max()


@every_method
def test_the_same_question_has_the_same_answer(name: str, model: Model, pictures: Any) -> None:
    found, settings = method(name)
    first = answer(found, ask(model, pictures[:1]), settings)
    torch.rand(3), np.random.rand(3), random.random()
    second = answer(found, ask(model, pictures[:1]), settings)
    assert np.array_equal(first.maps, second.maps)
    assert first.notes == second.notes


@pytest.mark.parametrize("name", [name for name in METHODS if name not in BRIGHTNESS_COUNTS])
def test_a_shift_of_the_input_that_the_network_takes_off_again_changes_no_map(name: str, pictures: Any) -> None:
    """Kindermans et al. 2019, "The (un)reliability of saliency methods": the same function of the picture, whose first
    layer takes a constant off, gets the same map."""
    torch.manual_seed(5)
    network = nn.Sequential(
        nn.Conv2d(3, 6, 3), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(6, 8, 3), nn.ReLU(),
        nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8, 3),
    ).eval()  # fmt: skip
    shifted = copy.deepcopy(network)
    with torch.no_grad():
        shifted[0].bias -= 0.7 * shifted[0].weight.sum((1, 2, 3))  # type: ignore[operator, union-attr]
    contract = InputContract((SIDE, SIDE))
    plain, other = (ask(Model(trace(n), contract, ("a", "b", "c")), pictures[:1], [1]) for n in (network, shifted))
    other = other.with_(x=other.x + 0.7)
    assert float((plain.value - other.value).abs().max()) < 1e-5
    found, settings = method(name)
    first, second = answer(found, plain, settings).maps, answer(found, other, settings).maps
    assert np.abs(first - second).max() <= 1e-4 * np.abs(first).max()


@every_method
def test_nothing_is_left_behind(name: str, model: Model, pictures: Any) -> None:
    found, settings = method(name)
    question = ask(model, pictures)
    before = state(model, question)
    answer(found, question, settings)
    compare(before, state(model, question))


@every_method
@pytest.mark.parametrize("after", [0, 1, 3])
def test_nothing_is_left_behind_when_the_network_breaks(name: str, after: int, model: Model, pictures: Any) -> None:
    found, settings = method(name)
    whole = ask(model, pictures)
    broken = copy.deepcopy(whole.network)
    broken.act2 = Fails(after).eval()
    question = whole.with_(network=broken)
    before = state(model, question)
    if after:  # some look only once, or at a copy
        with contextlib.suppress(RuntimeError, CutawayError):
            answer(found, question, settings)
    else:
        with pytest.raises((RuntimeError, CutawayError)):
            answer(found, question, settings)
    compare(before, state(model, question))


@every_method
def test_a_pending_step_of_training_is_left_alone(name: str, pictures: Any, model: Model) -> None:
    """In a model that is being trained, gradients wait in .grad, layers are in training mode and carry hooks."""
    found, settings = method(name)
    training = copy.deepcopy(model.graph).train()
    seen: list[int] = []
    for parameter in training.parameters():
        parameter.requires_grad_().grad = torch.ones_like(parameter)
    training.act2.register_forward_hook(lambda *_: seen.append(1))
    training.conv1.register_full_backward_hook(lambda *_: seen.append(2))
    theirs = dataclasses.replace(model, graph=training)
    question = ask(theirs, pictures[:1])
    before = state(theirs, question)
    answer(found, question, settings)
    compare(before, state(theirs, question))
    assert seen == []


@pytest.mark.parametrize(
    "name", [pytest.param(n, marks=pytest.mark.slow) if n in ("lrp", "lime", "shap") else n for n in METHODS]
)
def test_two_hundred_calls_do_not_grow_the_memory(name: str, model: Model, pictures: Any) -> None:
    found, settings = method(name)
    settings = dataclasses.replace(settings, **FEWEST.get(name, {}))
    if not sys.platform.startswith("linux"):
        pytest.skip("memory in use is read from /proc")
    question = ask(model, pictures[:1])
    for _ in range(50):
        answer(found, question, settings)
    before = memory()
    for _ in range(200):
        answer(found, question, settings)
    assert memory() - before < 5


def memory() -> float:
    """-> MiB of this process that are in memory now."""
    gc.collect()
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * 4096 / 2**20


def state(model: Model, question: Question) -> dict[str, Any]:
    """-> all that a method could have changed, copied."""
    found: dict[str, Any] = {
        "torch random": torch.get_rng_state().clone(),
        "numpy random": np.random.get_state()[1].copy(),  # type: ignore[index, union-attr]
        "python random": random.getstate(),
        "gradients on": torch.is_grad_enabled(),
        "inference mode": torch.is_inference_mode_enabled(),
        "number type": torch.get_default_dtype(),
        "threads": torch.get_num_threads(),
        "deterministic": torch.are_deterministic_algorithms_enabled(),
        "hooks for all": [len(getattr(torch_module, name)) for name in GLOBAL_HOOKS],
        "x": question.x.clone(),
        "x wants a gradient": question.x.requires_grad,
        "pixels": question.pixels.copy(),
    }
    for owner, network in (("model", model.graph), ("network", question.network)):
        found[f"{owner}: code"] = network.code
        for name, tensor in [*network.named_parameters(), *network.named_buffers()]:
            found[f"{owner}: {name}"] = tensor.detach().clone()
            found[f"{owner}: {name}: gradient"] = None if tensor.grad is None else tensor.grad.clone()
            found[f"{owner}: {name}: wants one"] = tensor.requires_grad
        for name, layer in network.named_modules():
            found[f"{owner}: {name}: layer"] = (type(layer), layer.training, getattr(layer, "inplace", None))
            found[f"{owner}: {name}: hooks"] = [len(layer.__dict__.get(hooks, ())) for hooks in HOOKS]
    return found


HOOKS = ("_forward_hooks", "_forward_pre_hooks", "_backward_hooks", "_backward_pre_hooks")
GLOBAL_HOOKS = ("_global_forward_hooks", "_global_forward_pre_hooks", "_global_backward_hooks")


def compare(before: dict[str, Any], after: dict[str, Any]) -> None:
    assert before.keys() == after.keys()
    changed = [name for name in before if not same(before[name], after[name])]
    assert changed == []


def same(a: Any, b: Any) -> bool:
    if isinstance(a, torch.Tensor) and isinstance(b, torch.Tensor):
        return torch.equal(a, b)
    if isinstance(a, np.ndarray) and isinstance(b, np.ndarray):
        return np.array_equal(a, b)
    return bool(a == b)
