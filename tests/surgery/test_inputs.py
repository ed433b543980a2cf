"""The input contract and the class names as edits."""

from __future__ import annotations

import typing
from collections import OrderedDict

import numpy as np
import pytest
from torch import nn

from cutaway.errors import BadInput
from cutaway.graph.trace import trace
from cutaway.image import Image, InputContract
from cutaway.model import Model
from cutaway.surgery.apply import apply, operated
from cutaway.surgery.edits import SetClasses, SetInput, SetInputSize


def network(flat: bool = False, channels: int = 3) -> Model:
    body: OrderedDict[str, nn.Module] = OrderedDict(conv=nn.Conv2d(channels, 4, 3))
    if not flat:
        body["pool"] = nn.AdaptiveAvgPool2d(1)
    body |= {"flat": nn.Flatten(), "fc": nn.Linear(4 * 36 if flat else 4, 3)}
    contract = InputContract((8, 8), channels="RGB" if channels == 3 else "gray")
    return Model(trace(nn.Sequential(body)), contract, ("cat", "dog", "hamster"))


def test_only_what_is_named_changes() -> None:
    before = network()
    after = apply(before, [SetInput(channels="BGR", scale=2, offset=-1.0), SetInput(fit="pad", mean=(0.1, 0.2, 0.3))])
    assert after.contract == InputContract((8, 8), "pad", channels="BGR", scale=2.0, offset=-1.0, mean=(0.1, 0.2, 0.3))
    assert before.contract == InputContract((8, 8))


def test_red_and_blue_swapped_is_the_answer_to_the_swapped_picture() -> None:
    before = network()
    pixels = np.random.default_rng(0).integers(0, 256, (8, 8, 3), np.uint8)
    after = apply(before, [SetInput(channels="BGR")])
    a = after.predict([Image(pixels, "a")])
    b = before.predict([Image(pixels[:, :, ::-1].copy(), "b")])
    assert np.array_equal(a, b)


def test_another_size_works_where_a_pool_takes_any() -> None:
    assert apply(network(), [SetInputSize(6)]).contract.size == (6, 6)
    after = apply(network(), [SetInputSize((10, 20))])
    assert after.contract.size == (10, 20)
    assert after.logits(np.zeros((1, 10, 20, 3), np.uint8)).shape == (1, 3)


def test_another_size_breaks_a_dense_layer_on_flattened_maps() -> None:
    with pytest.raises(BadInput, match="fc"):
        apply(network(flat=True), [SetInputSize(9)])


def test_names_are_given_in_output_order() -> None:
    after = apply(network(), [SetClasses(("Katze", "Hund ", "Hamster"))])
    assert after.classes == ("Katze", "Hund", "Hamster")


REFUSED = [
    (SetInputSize(0), "a picture's sides are 1 to 4096 pixels. Got 0 x 0"),
    (SetInputSize((9, 5000)), "a picture's sides are 1 to 4096 pixels. Got 9 x 5000"),
    (SetInput(), "nothing was named; it changes fit, crop_fraction"),
    (SetInput(crop_fraction=0.0), "crop_fraction must be above 0 and at most 1. Got 0"),
    (SetInput(crop_fraction=1.5), "crop_fraction must be above 0 and at most 1. Got 1.5"),
    (SetInput(scale=0.0), "scale must not be 0: every picture would look the same"),
    (SetInput(channels="gray"), "the network takes 3 channels, RGB; gray gives 1"),
    (SetInput(mean=(0.1,)), r"mean must be 3 numbers, one a channel. Got \[0.1\]"),
    (SetInput(std=(1.0, 0.0, 1.0)), r"std must be 3 numbers, one a channel, none of them 0. Got \[1.0, 0.0, 1.0\]"),
    (SetClasses(("a", "b")), "the network has 3 classes .cat, dog, hamster.; 2 names were given"),
    (SetClasses(("a", "", "c")), "a class name is a text on one line. Got ''"),
    (SetClasses(("a", "b\n", "b")), "two classes cannot both be called 'b'"),
    (SetClasses(("a", "b\x00c", "d")), r"a class name is a text on one line. Got 'b\\x00c'"),
]


@pytest.mark.parametrize(("edit", "text"), REFUSED, ids=lambda v: v if isinstance(v, str) else "")
def test_what_does_not_fit_is_said(edit: typing.Any, text: str) -> None:
    with pytest.raises(BadInput, match=text):
        operated(network(), [edit])


def test_gray_networks_stay_gray() -> None:
    with pytest.raises(BadInput, match="the network takes 1 channel, gray; BGR gives 3"):
        operated(network(channels=1), [SetInput(channels="BGR")])
    assert apply(network(channels=1), [SetInput(mean=(0.5,))]).contract.mean == (0.5,)


@pytest.mark.parametrize(
    ("edit", "text"),
    [
        (SetInputSize(160), "set the input's size to 160 x 160 px"),
        (SetInput(channels="BGR", mean=(0.5, 0.5, 0.5)), "set the input's channels BGR, mean (0.5, 0.5, 0.5)"),
        (SetClasses(("a", "b")), "call the classes a, b"),
    ],
)
def test_sentences(edit: typing.Any, text: str) -> None:
    assert edit.sentence == text
