"""Dealing a flat list of arrays out to the layers of a nested model."""

from __future__ import annotations

from typing import Any

from cutaway.formats.keras_tree import Layer, parse_model
from cutaway.formats.keras_weights import deal, roles


def inner(spell: Any, trainable: bool = True, names: tuple[str, str] = ("c", "b")) -> Layer:
    conv = spell.layer("Conv2D", names[0], filters=2, kernel_size=1, trainable=trainable)
    norm = spell.layer("BatchNormalization", names[1], trainable=trainable)
    model = spell.sequential([conv, norm], (4, 4, 3), name="inner")
    model["config"]["trainable"] = trainable
    return parse_model(model)


def test_roles_follow_the_settings() -> None:
    assert roles("Conv2D", {}) == ("kernel", "bias")
    assert roles("Conv2D", {"use_bias": False}) == ("kernel",)
    assert roles("SeparableConv2D", {}) == ("depthwise_kernel", "pointwise_kernel", "bias")
    assert roles("BatchNormalization", {"scale": False}) == ("beta", "moving_mean", "moving_variance")
    assert roles("LayerNormalization", {"center": False}) == ("gamma",)
    assert roles("Normalization", {"mean": [1.0]}) == ()
    assert roles("LayerScale", {}) == ("gamma",)
    assert roles("ReLU", {}) == ()


def test_names_decide_whatever_stands_before_them(spell: Any) -> None:
    for start in ("", "inner/", "outer/inner/"):
        trained = [f"{start}{n}:0" for n in ("c/kernel", "c/bias", "b/gamma", "b/beta")]
        moving = [f"{start}{n}:0" for n in ("b/moving_mean", "b/moving_variance")]
        dealt = deal(inner(spell), [*trained, *moving])
        assert dealt["inner", "c"] == trained[:2]
        assert dealt["inner", "b"] == [*trained[2:], *moving]


def test_a_layer_name_may_hold_a_slash(spell: Any) -> None:
    names = ["x/c/kernel:0", "x/c/bias:0", "x/b/gamma:0", "x/b/beta:0", "x/b/moving_mean:0", "x/b/moving_variance:0"]
    dealt = deal(inner(spell, names=("x/c", "x/b")), names)
    assert dealt["inner", "x/c"] == names[:2]
    assert dealt["inner", "x/b"] == names[2:]


def test_where_names_do_not_tell_keras_own_order_does(spell: Any) -> None:
    names = [f"w_{n}" for n in range(6)]
    dealt = deal(inner(spell), names)
    assert dealt["inner", "c"] == names[:2]
    assert dealt["inner", "b"] == names[2:]
    twice = {"class_name": "Sequential", "config": {"name": "both", "layers": []}}
    for name in ("p", "q"):
        model = spell.sequential([spell.layer("BatchNormalization", "b")], (4, 4, 3), name=name)
        twice["config"]["layers"].append(model)
    names = ["b/gamma:0", "b/beta:0"] * 2 + ["b/moving_mean:0", "b/moving_variance:0"] * 2
    indexed = [f"{n}#{i}" for i, n in enumerate(names)]
    dealt = deal(parse_model(twice), indexed)
    assert dealt["both", "p", "b"] == [indexed[i] for i in (0, 1, 4, 5)]
    assert dealt["both", "q", "b"] == [indexed[i] for i in (2, 3, 6, 7)]


def test_a_frozen_model_keeps_each_layers_arrays_together(spell: Any) -> None:
    names = [f"w_{n}" for n in range(6)]
    assert deal(inner(spell, trainable=False), names)["inner", "b"] == names[2:]


def test_a_layer_of_its_own_gets_all_in_order() -> None:
    leaf = Layer("c", "Conv2D", {})
    assert deal(leaf, ["b:0", "a:0"]) == {("c",): ["b:0", "a:0"]}
