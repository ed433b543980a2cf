"""Keras .h5 files as a whole: spellings of containers, what is assumed, the end of the network."""

from __future__ import annotations

from typing import Any

import h5py
import numpy as np
import pytest
import torch

from cutaway.errors import BadModel
from cutaway.formats import read_model_file

R = np.random.default_rng(1)


def numbers(*shape: int) -> np.ndarray:
    return R.normal(0, 1, shape).astype(np.float32)


def conv(spell: Any, name: str = "c", inbound: Any = None, filters: int = 2) -> dict[str, Any]:
    return spell.layer("Conv2D", name, inbound, filters=filters, kernel_size=[1, 1], use_bias=False)


def test_nested_models_of_every_spelling(kit: Any, spell: Any) -> None:
    """A functional model in a Sequential in a functional one; references to a nested model count from 1."""
    x, kernel, second = numbers(1, 3, 4, 3), numbers(1, 1, 3, 2), numbers(1, 1, 2, 2)
    core = spell.functional([conv(spell, "c", spell.on("in"))], (3, 4, 3), "c", name="core")
    wrap = {**spell.sequential([core, conv(spell, "d")], (3, 4, 3), name="wrap"), "name": "wrap"}
    for kind in ("Functional", "Model"):
        core["class_name"] = kind
        model = spell.functional(
            [{**wrap, "inbound_nodes": [[["in", 0, 0, {}]]]}, spell.layer("ReLU", "r", [[["wrap", 1, 0, {}]]])],
            (3, 4, 3),
            "r",
        )
        parts = kit.open(model, {"wrap": [("c/kernel:0", kernel), ("d/kernel:0", second)]})
        np.testing.assert_allclose(kit.run(parts, x), np.maximum(x @ kernel[0, 0] @ second[0, 0], 0), atol=1e-5)
        assert [name for name, _ in parts.graph.named_children()] == ["c", "d", "r"]


def test_a_sequential_without_input_layer_and_one_that_is_a_bare_list(kit: Any, spell: Any) -> None:
    first = conv(spell)
    first["config"]["batch_input_shape"] = [None, 3, 4, 3]
    x, kernel = numbers(1, 3, 4, 3), numbers(1, 1, 3, 2)
    for model in (spell.sequential([first], None), {"class_name": "Sequential", "config": [first]}):
        parts = kit.open(model, {"c": [("c/kernel:0", kernel)]})
        np.testing.assert_allclose(kit.run(parts, x), x @ kernel[0, 0], atol=1e-5)
        assert parts.contract.size == (3, 4)


def test_keras_3_spelling(kit: Any, spell: Any) -> None:
    def tensor(name: str) -> dict[str, Any]:
        return {"class_name": "__keras_tensor__", "config": {"shape": [None, 3, 4, 3], "keras_history": [name, 0, 0]}}

    def call(*args: Any) -> list[dict[str, Any]]:
        return [{"args": list(args), "kwargs": {"mask": None}}]

    policy = {"module": "keras", "class_name": "DTypePolicy", "config": {"name": "float32"}}
    layers = [
        spell.layer("InputLayer", "in", [], batch_shape=[None, 3, 4, 3]),
        {**conv(spell, "c", call(tensor("in")), 3), "module": "keras.layers", "registered_name": None},
        spell.layer("Add", "a", call([tensor("in"), tensor("c")]), dtype=policy),
        spell.layer("Subtract", "s", call(1.0, tensor("a"))),
        spell.layer("TrueDivide", "t", call(tensor("s"), 2)),
    ]
    config = {"name": "net", "layers": layers, "input_layers": ["in", 0, 0], "output_layers": [["t", 0, 0]]}
    model = {"module": "keras", "class_name": "Functional", "config": config}
    x, kernel = numbers(1, 3, 4, 3), numbers(1, 1, 3, 3)
    parts = kit.open(model, {"c": [("net/c/kernel", kernel)]}, version="3.8.0")
    np.testing.assert_allclose(kit.run(parts, x), (1 - (x + x @ kernel[0, 0])) / 2, atol=1e-5)
    assert parts.card["format"] == "Keras 3 h5"
    assert parts.card["producer"] == "Keras 3.8.0 on tensorflow"


def test_split_attributes_and_names_with_slashes(kit: Any, spell: Any) -> None:
    """Keras splits lists of names over 64 kB; DenseNet and MobileNetV3 have layers called "a/b"."""
    kernel, bias = numbers(1, 1, 3, 2), numbers(2)
    entry = spell.layer("Conv2D", "block/conv", filters=2, kernel_size=1)
    path = kit.write(spell.sequential([entry], (3, 4, 3)))
    with h5py.File(path, "r+") as file:
        group = file["model_weights"].create_group("block/conv")
        del file["model_weights"].attrs["layer_names"]
        file["model_weights"].attrs["layer_names0"] = [b"block/conv"]
        group.attrs["weight_names0"], group.attrs["weight_names1"] = [b"block/conv/kernel:0"], [b"block/conv/bias:0"]
        group["block/conv/kernel:0"], group["block/conv/bias:0"] = kernel, bias
    x, parts = numbers(1, 3, 4, 3), read_model_file(path)
    np.testing.assert_allclose(kit.run(parts, x), x @ kernel[0, 0] + bias, atol=1e-5)
    assert [name for name, _ in parts.graph.named_children()] == ["block_conv"]


def test_layer_names_that_python_or_torch_would_trip_over(kit: Any, spell: Any) -> None:
    names = ["forward", "class", "train", "a.b", "a_b", "1_x", "x-y", "층", "graph", "_modules", ""]
    layers = [spell.layer("ReLU", name) for name in names]
    x, parts = numbers(1, 3, 4, 3), kit.open(spell.sequential(layers, (3, 4, 3)))
    np.testing.assert_array_equal(kit.run(parts, x), np.maximum(x, 0))
    assert len(list(parts.graph.named_children())) == len(names)


def test_a_layer_without_weights_that_is_used_twice_becomes_two(kit: Any, spell: Any) -> None:
    relu = spell.layer("ReLU", "r", [[["in", 0, 0, {}]], [["t", 0, 0, {}]]])
    tanh = spell.layer("Activation", "t", [[["r", 0, 0, {}]]], activation="tanh")
    model = spell.functional(
        [relu, tanh, spell.layer("Add", "a", [[["r", 1, 0, {}], ["r", 0, 0, {}]]])], (3, 4, 3), "a"
    )
    x = numbers(1, 3, 4, 3)
    top = np.maximum(x, 0)
    np.testing.assert_allclose(kit.run(kit.open(model), x), np.tanh(top) + top, atol=1e-6)


def test_a_layer_with_weights_that_is_used_twice_stays_one(kit: Any, spell: Any) -> None:
    x, kernel = numbers(1, 3, 4, 3), numbers(1, 1, 3, 3)
    k = kernel[0, 0]
    shared = conv(spell, "c", [[["in", 0, 0, {}]], [["c", 0, 0, {}]]], 3)
    model = spell.functional([shared, spell.layer("ReLU", "r", [[["c", 1, 0, {}]]])], (3, 4, 3), "r")
    parts = kit.open(model, {"c": [("c/kernel:0", kernel)]})
    np.testing.assert_allclose(kit.run(parts, x), np.maximum(x @ k @ k, 0), atol=1e-5)
    assert [str(n.target) for n in parts.graph.graph.nodes if n.op == "call_module"] == ["c", "c", "r"]

    pool = spell.layer("MaxPooling2D", "p", [[["c", 0, 0, {}]]])
    shared = conv(spell, "c", [[["in", 0, 0, {}]], [["p", 0, 0, {}]]], 3)
    end = spell.layer("ReLU", "r", [[["c", 1, 0, {}]]])
    with pytest.raises(BadModel, match=r"Layer c .*on values of different shapes, \(4, 4, 3\) and \(2, 2, 3\)"):
        kit.open(spell.functional([pool, shared, end], (4, 4, 3), "r"), {"c": [("c/kernel:0", kernel)]})


def nested_twice(spell: Any, version: str, refs: tuple[int, int]) -> Any:
    """A Sequential of one convolution, applied to the input and to its own output; both are subtracted."""
    block = {**spell.sequential([conv(spell, "c", filters=3)], (3, 4, 3), name="s"), "name": "s"}
    first, second = refs
    if version.startswith("3"):

        def tensor(name: str, call: int) -> Any:
            return {"class_name": "__keras_tensor__", "config": {"keras_history": [name, call, 0]}}

        block["inbound_nodes"] = [{"args": [tensor(*ref)], "kwargs": {}} for ref in (("in", 0), ("s", first))]
        calls: Any = [{"args": [[tensor("s", first), tensor("s", second)]], "kwargs": {}}]
    else:
        block["inbound_nodes"] = [[["in", 0, 0, {}]], [["s", first, 0, {}]]]
        calls = [[["s", first, 0, {}], ["s", second, 0, {}]]]
    return spell.functional([block, spell.layer("Subtract", "d", calls)], (3, 4, 3), "d")


@pytest.mark.parametrize(("version", "refs"), [("2.15.0", (1, 2)), ("2.2.4", (4, 7)), ("3.8.0", (0, 1))])
def test_a_nested_model_used_twice_whatever_its_uses_are_numbered_from(
    kit: Any, spell: Any, version: str, refs: tuple[int, int]
) -> None:
    """Keras 2 counts the model's own wiring as use 0, old files also uses elsewhere, Keras 3 neither."""
    x, kernel = numbers(1, 3, 4, 3), numbers(1, 1, 3, 3)
    k = kernel[0, 0]
    parts = kit.open(nested_twice(spell, version, refs), {"s": [("c/kernel:0", kernel)]}, version)
    np.testing.assert_allclose(kit.run(parts, x), x @ k - x @ k @ k, atol=1e-5)


def test_nesting_that_multiplies_is_stopped(kit: Any, spell: Any) -> None:
    """16 models, each using the one before it twice, would be 65,536 layers out of a file of a few kB."""
    model = spell.layer("ReLU", "r")
    for depth in range(15):
        inner = spell.sequential([model], (4, 4, 3), name=f"s{depth}") if depth == 0 else model
        name = inner["config"]["name"]
        use = {**inner, "name": name, "inbound_nodes": [[["in", 0, 0, {}]], [[name, 1, 0, {}]]]}
        model = spell.functional([use], (4, 4, 3), name, name=f"m{depth}")
        model["config"]["output_layers"] = [[name, 2, 0]]
    with pytest.raises(BadModel, match="uses layers more than 10000 times"):
        kit.open(model)


ENDS = [
    (3, "softmax", True, 3, ""),
    (3, "linear", False, 3, ""),
    (3, "sigmoid", True, 3, "Every class has a sigmoid of its own"),
    (1, "sigmoid", True, 2, "The one sigmoid output p became two classes: 1 - p and p."),
    (1, "linear", False, 2, "taken for the logit of the second of two classes"),
]


@pytest.mark.parametrize(("units", "word", "probabilities", "classes", "note"), ENDS)
def test_the_end_decides_classes_and_probabilities(
    kit: Any, spell: Any, units: int, word: str, probabilities: bool, classes: int, note: str
) -> None:
    dense = spell.layer("Dense", "d", units=units, activation=word, use_bias=False)
    model = spell.sequential([spell.layer("GlobalAveragePooling2D", "g"), dense], (3, 4, 3))
    kernel, x = numbers(3, units), numbers(2, 3, 4, 3)
    parts = kit.open(model, {"d": [("d/kernel:0", kernel)]})
    assert parts.probabilities is probabilities
    assert parts.classes == tuple(f"class {n}" for n in range(classes))
    assert note in parts.card["notes"]
    assert "values from 0 to 1 were assumed" in parts.card["notes"]
    out, plain = kit.run(parts, x), x.mean((1, 2)) @ kernel
    if units == 1:
        p = 1 / (1 + np.exp(-plain))
        shown = out if probabilities else torch.softmax(torch.from_numpy(out), 1).numpy()
        np.testing.assert_allclose(shown, np.concatenate([1 - p, p], 1), atol=1e-6)


def test_what_is_assumed_stands_in_the_card(kit: Any, spell: Any) -> None:
    relu = spell.layer("ReLU", "r")
    parts = kit.open(spell.sequential([relu], (None, None, 3)))
    assert parts.contract.size == (224, 224)
    assert "leaves the picture's size open; 224 px was assumed" in parts.card["notes"]
    assert "ends in maps of shape (224, 224, 3), not in classes" in parts.card["notes"]
    assert parts.classes == ()
    rescale = spell.layer("Rescaling", "s", scale=1 / 127.5, offset=-1)
    flip = spell.layer("RandomFlip", "f")
    augment = spell.sequential([flip, rescale], (8, 8, 1), name="augment")
    parts = kit.open(spell.sequential([augment, relu], (8, 8, 1)))
    assert (parts.contract.scale, parts.contract.offset, parts.contract.channels) == (255.0, 0.0, "gray")
    assert "scales its input itself" in parts.card["notes"]


def test_a_picture_without_a_channel_axis(kit: Any, spell: Any) -> None:
    """The Fashion MNIST tutorial: Flatten(input_shape=(28, 28))."""
    x, kernel = numbers(2, 5, 4, 1), numbers(20, 3)
    dense = spell.layer("Dense", "d", units=3, use_bias=False)
    parts = kit.open(spell.sequential([spell.layer("Flatten", "f"), dense], (5, 4)), {"d": [("d/k", kernel)]})
    np.testing.assert_allclose(kit.run(parts, x), x.reshape(2, 20) @ kernel, atol=1e-5)
    assert (parts.contract.size, parts.contract.channels) == ((5, 4), "gray")


def test_a_gray_teachable_machine_export_is_known_by_its_structure(kit: Any, spell: Any) -> None:
    inside = [conv(spell, "Conv1", spell.on("in")), spell.layer("ReLU", "out_relu", spell.on("Conv1"), max_value=6.0)]
    features = spell.sequential(
        [
            spell.functional(inside, (224, 224, 1), "out_relu", name="model1"),
            spell.layer("GlobalAveragePooling2D", "global_average_pooling2d_GlobalAveragePooling2D1"),
        ],
        None,
        name="sequential_1",
    )
    head = spell.sequential(
        [
            spell.layer("Dense", "dense_Dense1", units=4, activation="relu"),
            spell.layer("Dense", "dense_Dense2", units=2, activation="softmax", use_bias=False),
        ],
        None,
        name="sequential_3",
    )
    arrays = {
        "sequential_1": [("Conv1/kernel:0", numbers(1, 1, 1, 2))],
        "sequential_3": [
            ("dense_Dense1/kernel:0", numbers(2, 4)),
            ("dense_Dense1/bias:0", numbers(4)),
            ("dense_Dense2/kernel:0", numbers(4, 2)),
        ],
    }
    (kit.folder / "labels.txt").write_text("0 Day\n1 Night\n\n")
    parts = kit.open(spell.sequential([features, head], None, name="sequential_4"), arrays, version="2.2.4-tf")
    assert parts.contract.describe() == "224 x 224 px gray, crop, lanczos, scaled to [-1, 1]"
    assert parts.classes == ("Day", "Night")
    assert parts.card["producer"] == "Teachable Machine (Keras 2.2.4-tf on tensorflow)"
    assert parts.card["notes"] == ""
    (kit.folder / "labels.txt").write_text("0 Day\n")
    assert "names 1 classes" in read_model_file(kit.folder / "m.h5").card["notes"]
