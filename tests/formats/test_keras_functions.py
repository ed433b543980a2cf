"""Bare functions between layers, in the spellings of Keras 2 (TFOpLambda) and Keras 3, against numpy."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from cutaway.errors import BadModel

R = np.random.default_rng(1)
MEANS = [103.9, 116.8, 123.7]


def numbers(*shape: int) -> np.ndarray:
    return R.normal(0, 1, shape).astype(np.float32)


def tensor(name: str) -> dict[str, Any]:
    return {"class_name": "__keras_tensor__", "config": {"keras_history": [name, 0, 0]}}


def call(*args: Any, **named: Any) -> list[dict[str, Any]]:
    return [{"args": list(args), "kwargs": named}]


def old(spell: Any, function: str, **named: Any) -> Any:
    kind = "SlicingOpLambda" if "getitem" in function else "TFOpLambda"
    return [spell.layer(kind, "f", [["in", 0, 0, {**named, "name": None}]], function=function)]


def new(spell: Any, kind: str, *args: Any, **settings: Any) -> Any:
    return [{**spell.layer(kind, "f", call(tensor("in"), *args), **settings), "module": "keras.src.ops.numpy"}]


def made(kit: Any, spell: Any, layers: Any, x: np.ndarray, version: str) -> np.ndarray:
    return kit.run(kit.open(spell.functional(layers, x.shape[1:], "f"), version=version), x)


def part(start: int | None, stop: int | None = None, step: int | None = None) -> dict[str, Any]:
    return {"start": start, "stop": stop, "step": step}


def new_part(*ends: Any) -> dict[str, Any]:
    return {"class_name": "__slice__", "config": part(*ends)}


ELLIPSIS = {"class_name": "__ellipsis__", "config": {}}
ALL = part(None)
OLD: list[tuple[str, dict[str, Any], Any]] = [
    ("math.truediv", {"y": 127.5}, lambda x: x / 127.5),
    ("math.subtract", {"y": [[MEANS]]}, lambda x: x - MEANS),
    ("math.multiply", {"y": MEANS}, lambda x: x * MEANS),
    ("math.truediv", {"y": MEANS}, lambda x: x / MEANS),
    ("nn.bias_add", {"bias": MEANS, "data_format": "NHWC"}, lambda x: x + MEANS),
    ("__operators__.getitem", {"slice_spec": [ELLIPSIS, part(None, None, -1)]}, lambda x: x[..., ::-1]),
    ("__operators__.getitem", {"slice_spec": [ALL, part(1), part(None, -1), ALL]}, lambda x: x[:, 1:, :-1, :]),
    ("__operators__.getitem", {"slice_spec": [ALL, part(0, 3, 2)]}, lambda x: x[:, 0:3:2]),
    ("nn.relu", {}, lambda x: np.maximum(x, 0)),
    ("nn.relu6", {}, lambda x: np.clip(x, 0, 6)),
    ("math.sigmoid", {}, lambda x: 1 / (1 + np.exp(-x))),
    ("clip_by_value", {"clip_value_min": -0.5, "clip_value_max": 1}, lambda x: np.clip(x, -0.5, 1)),
    ("math.reduce_mean", {"axis": [1, 2]}, lambda x: x.mean((1, 2))),
    ("math.reduce_max", {"axis": [1, 2], "keepdims": True}, lambda x: x.max((1, 2), keepdims=True)),
    ("identity", {}, lambda x: x),
]
NEW: list[tuple[str, tuple[Any, ...], dict[str, Any], Any]] = [
    ("TrueDivide", (255,), {}, lambda x: x / 255),
    ("Add", ({"class_name": "__tensor__", "config": {"value": [[[MEANS]]]}},), {}, lambda x: x + MEANS),
    ("Multiply", (0.5,), {}, lambda x: x * 0.5),
    ("GetItem", ([ELLIPSIS, new_part(None, None, -1)],), {}, lambda x: x[..., ::-1]),
    ("GetItem", ([new_part(None), new_part(1)],), {}, lambda x: x[:, 1:]),
    ("GetItem", ([ELLIPSIS, new_part(1)],), {}, lambda x: x[..., 1:]),
    ("Relu", (), {}, lambda x: np.maximum(x, 0)),
    ("LeakyRelu", (), {"negative_slope": 0.2}, lambda x: np.where(x > 0, x, 0.2 * x)),
    ("Gelu", (), {"approximate": True}, lambda x: 0.5 * x * (1 + np.tanh((2 / np.pi) ** 0.5 * (x + 0.044715 * x**3)))),
    ("Exp", (), {}, np.exp),
    ("Clip", (), {"x_min": 0, "x_max": 1}, lambda x: np.clip(x, 0, 1)),
    ("Mean", (), {"axis": [1, 2], "keepdims": False}, lambda x: x.mean((1, 2))),
    ("Softmax", (), {"axis": -1}, lambda x: np.exp(x) / np.exp(x).sum(-1, keepdims=True)),
]


@pytest.mark.parametrize(("function", "named", "wanted"), OLD)
def test_functions_of_keras_2(kit: Any, spell: Any, function: str, named: Any, wanted: Any) -> None:
    x = numbers(2, 5, 4, 3)
    np.testing.assert_allclose(made(kit, spell, old(spell, function, **named), x, "2.15.0"), wanted(x), atol=1e-5)


@pytest.mark.parametrize(("kind", "args", "settings", "wanted"), NEW)
def test_functions_of_keras_3(kit: Any, spell: Any, kind: str, args: Any, settings: Any, wanted: Any) -> None:
    x = numbers(2, 5, 4, 3)
    layers = new(spell, kind, *args, **settings)
    np.testing.assert_allclose(made(kit, spell, layers, x, "3.8.0"), wanted(x), atol=1e-5)


def test_numbers_first(kit: Any, spell: Any) -> None:
    x = numbers(1, 5, 4, 3)
    first = spell.layer(
        "TFOpLambda", "f", [["_CONSTANT_VALUE", -1, MEANS, {"y": ["in", 0, 0]}]], function="math.subtract"
    )
    np.testing.assert_allclose(made(kit, spell, [first], x, "2.15.0"), np.array(MEANS) - x, atol=1e-5)


def test_channels_picked_and_stacked_in_a_new_order(kit: Any, spell: Any) -> None:
    """Keras 3 turns RGB to BGR by stacking x[..., 2], x[..., 1], x[..., 0]."""
    x = numbers(1, 5, 4, 3)
    for order in ([2, 1, 0], [0, 2], [-1, 1, 1]):
        picks = [spell.layer("GetItem", f"g{n}", call(tensor("in"), [ELLIPSIS, k])) for n, k in enumerate(order)]
        stack = spell.layer("Stack", "f", call([tensor(f"g{n}") for n in range(len(order))]), axis=-1)
        np.testing.assert_array_equal(made(kit, spell, [*picks, stack], x, "3.8.0"), x[..., order])


def test_two_values(kit: Any, spell: Any) -> None:
    x = numbers(1, 5, 4, 3)
    tanh = spell.layer("Activation", "t", spell.on("in"), activation="tanh")
    for function, wanted in (("math.multiply", x * np.tanh(x)), ("math.maximum", np.maximum(x, np.tanh(x)))):
        f = spell.layer("TFOpLambda", "f", [["in", 0, 0, {"y": ["t", 0, 0]}]], function=function)
        np.testing.assert_allclose(made(kit, spell, [tanh, f], x, "2.15.0"), wanted, atol=1e-6)
    rows = [["in", 0, 0, {"axis": -1}], ["t", 0, 0, {"axis": -1}]]
    joined = made(kit, spell, [tanh, spell.layer("TFOpLambda", "f", [rows], function="concat")], x, "2.15.0")
    np.testing.assert_allclose(joined, np.concatenate([x, np.tanh(x)], -1), atol=1e-6)


REFUSED: list[tuple[Any, str]] = [
    (lambda s: old(s, "math.top_k"), r"Layer f \(TFOpLambda\): it calls the TensorFlow function math\.top_k"),
    (lambda s: new(s, "Max", axis=[1]), "it reduces other axes than height and width"),
    (lambda s: new(s, "Mean", axis=None), "it reduces other axes than height and width"),
    (lambda s: new(s, "Softmax", axis=1), "it runs along another axis than the channels"),
    (lambda s: new(s, "Arccos"), r"Layer f \(Arccos\): it calls the Keras function Arccos, which is not on"),
    (lambda s: old(s, "math.add", y=[1.0, 2.0]), "numbers of another shape than one for each of the 3 channels"),
    (lambda s: old(s, "math.add", y=[[1.0, 2.0], [3.0, 4.0]]), "numbers of another shape than one for each of the 3"),
    (lambda s: old(s, "math.truediv", y=[1.0, 0.0, 2.0]), "it divides by zero, or numbers by a value"),
    (lambda s: old(s, "math.truediv", y=0), "it divides by zero"),
    (lambda s: old(s, "__operators__.getitem", slice_spec=[part(1)]), "cuts out a part in a way that is not on"),
    (lambda s: old(s, "__operators__.getitem", slice_spec=[ALL, part(None, None, -1)]), "cuts out a part in a way"),
    (lambda s: old(s, "__operators__.getitem", slice_spec=[ALL, 1]), "cuts out a part in a way"),
    (lambda s: old(s, "__operators__.getitem", slice_spec=[ALL, part(9)]), r"make a value of shape \(0, 4, 3\)"),
    (lambda s: old(s, "__operators__.getitem", slice_spec=[ALL] * 5), "index must be at most 4 entries"),
    (lambda s: old(s, "__operators__.getitem", slice_spec=[ALL, "x"]), "index must be whole numbers and slices"),
    (lambda s: old(s, "__operators__.getitem", slice_spec=[ALL, part(0, 1, 0)]), "index must be whole numbers and"),
    (lambda s: old(s, "__operators__.getitem", slice_spec=[ALL, part(10**30)]), "index must be whole numbers and"),
    (lambda s: new(s, "Stack", axis=-1), "it stacks values that are not channels of one value"),
]


@pytest.mark.parametrize(("layers", "message"), REFUSED)
def test_what_is_not_on_the_list_is_named(kit: Any, spell: Any, layers: Any, message: str) -> None:
    with pytest.raises(BadModel, match=message):
        kit.open(spell.functional(layers(spell), (5, 4, 3), "f"), version="3.8.0")


def test_a_picked_channel_can_only_be_stacked(kit: Any, spell: Any) -> None:
    pick = spell.layer("GetItem", "g", call(tensor("in"), [ELLIPSIS, 0]))
    with pytest.raises(BadModel, match=r"Layer r \(ReLU\): it reads one channel cut out of a value"):
        kit.open(spell.functional([pick, spell.layer("ReLU", "r", call(tensor("g")))], (5, 4, 3), "r"), version="3.8.0")
    stack = spell.layer("Stack", "f", call([tensor("g"), tensor("g")]), axis=1)
    with pytest.raises(BadModel, match="it stacks along another axis than the channels"):
        kit.open(spell.functional([pick, stack], (5, 4, 3), "f"), version="3.8.0")


def test_preprocessing_inside_the_network_is_known_by_its_first_step(kit: Any, spell: Any) -> None:
    flip = old(spell, "__operators__.getitem", slice_spec=[ELLIPSIS, part(None, None, -1)])
    add = spell.layer("TFOpLambda", "a", [["f", 0, 0, {"y": 1.0}]], function="math.add")
    parts = kit.open(spell.functional([*flip, add], (5, 4, 3), "a"), version="2.15.0")
    assert "scales its input itself" in parts.card["notes"]
    assert (parts.contract.scale, parts.contract.channels) == (255.0, "RGB")


def test_a_layer_used_far_too_often(kit: Any, spell: Any) -> None:
    relu = spell.layer("ReLU", "r", [[["in", 0, 0, {}]]] * 5_001)
    with pytest.raises(BadModel, match="Layer r is used more than 5000 times"):
        kit.open(spell.functional([relu], (5, 4, 3), "r"))
