"""Model: pictures of any size in, probabilities out; every channel order; immutable."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import nn

from cutaway.engine.prepare import prepare
from cutaway.errors import BadInput
from cutaway.image import Image, InputContract
from cutaway.image.fit import fit_picture
from cutaway.model import Model

Make = Callable[..., Model]


def picture(height: int, width: int, seed: int = 0) -> Image:
    pixels = np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8)
    return Image(pixels, "noise")


def by_hand(model: Model, pictures: list[Image]) -> torch.Tensor:
    pixels = np.stack([fit_picture(p, model.contract) for p in pictures])
    with torch.inference_mode():
        return torch.as_tensor(model.graph(prepare(pixels, model.contract)))


@pytest.mark.parametrize("channels", ["RGB", "BGR", "gray"])
@pytest.mark.parametrize("fit", ["crop", "squash", "pad"])
def test_mixed_sizes_become_one_batch_of_probabilities(make_model: Make, channels: str, fit: str) -> None:
    network = nn.Sequential(
        nn.Conv2d(1 if channels == "gray" else 3, 4, 3),
        nn.ReLU(),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(4, 3),
    )
    contract = InputContract((16, 20), fit, channels=channels, scale=2.0, offset=-1.0)  # type: ignore[arg-type]
    model = make_model(network, contract=contract)
    pictures = [picture(8, 8), picture(40, 21), picture(17, 90), picture(16, 20)]
    got = model.predict(pictures)
    assert got.shape == (4, 3)
    assert got.dtype == np.float32
    assert np.allclose(got.sum(1), 1, atol=1e-6)
    assert np.allclose(got, torch.softmax(by_hand(model, pictures), 1).numpy(), atol=1e-6)
    alone = np.concatenate([model.predict([p]) for p in pictures])
    assert np.allclose(got, alone, atol=1e-6)


def test_bgr_sees_blue_first(make_model: Make) -> None:
    """A network that hands out channel means: red, green, blue in the order it gets them."""
    blue = np.full((1, 4, 4, 3), (0, 51, 255), np.uint8)
    for channels, expected in (("RGB", [0, 0.2, 1]), ("BGR", [1, 0.2, 0])):
        network = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten())
        model = make_model(network, contract=InputContract((4, 4), channels=channels))  # type: ignore[arg-type]
        logits = model.logits(blue)
        assert logits[0].tolist() == pytest.approx(expected)


def test_no_pictures_are_no_rows(make_model: Make) -> None:
    assert make_model().predict([]).shape == (0, 3)


def test_temperature_divides_logits(make_model: Make) -> None:
    model = make_model()
    cool = dataclasses.replace(model, temperature=2.5)
    pictures = [picture(20, 20, s) for s in range(3)]
    assert np.allclose(cool.predict(pictures), torch.softmax(by_hand(model, pictures) / 2.5, 1).numpy(), atol=1e-6)


def test_a_network_that_ends_in_a_softmax_gives_the_same_probabilities(make_model: Make) -> None:
    torch.manual_seed(1)
    body = [nn.Conv2d(3, 4, 3), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 3)]
    plain = make_model(nn.Sequential(*body))
    soft = make_model(nn.Sequential(*body, nn.Softmax(1)), probabilities=True)
    pictures = [picture(20, 20, s) for s in range(3)]
    assert np.allclose(plain.predict(pictures), soft.predict(pictures), atol=1e-6)
    logits = soft.logits(np.stack([fit_picture(p, soft.contract) for p in pictures]))
    assert torch.allclose(logits.exp().sum(1), torch.ones(3), atol=1e-5)


def test_a_probability_of_0_has_a_finite_logarithm(make_model: Make) -> None:
    network = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.ReLU())
    model = make_model(network, contract=InputContract((4, 4)), probabilities=True)
    assert torch.isfinite(model.logits(np.zeros((1, 4, 4, 3), np.uint8))).all()


def test_renaming_makes_another_model_on_the_same_weights(make_model: Make) -> None:
    model = make_model()
    other = model.renamed(["x", "y", "z"])
    assert (model.classes, other.classes) == (("cat", "dog", "hamster"), ("x", "y", "z"))
    assert other.graph is model.graph
    with pytest.raises(dataclasses.FrozenInstanceError):
        model.classes = ()  # type: ignore[misc]


def test_a_trace_of_pictures_is_what_the_model_answers_with(make_model: Make) -> None:
    model = make_model()
    pictures = [picture(20, 30), picture(16, 16, 1)]
    traced = model.trace(pictures)
    assert torch.equal(traced.output, by_hand(model, pictures))
    assert traced["stem"].shape == (2, 8, 16, 16)
    assert list(model.trace(pictures, ["dense"])) == ["dense"]
    with pytest.raises(BadInput, match="pictures must be at least one picture"):
        model.trace([])
