"""Networks that are not built: the layer, the connection or the description at fault, in one sentence."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from cutaway.errors import BadModel

R = np.random.default_rng(1)


def numbers(*shape: int) -> np.ndarray:
    return R.normal(0, 1, shape).astype(np.float32)


def conv(spell: Any, name: str = "c", inbound: Any = None, filters: int = 2) -> dict[str, Any]:
    return spell.layer("Conv2D", name, inbound, filters=filters, kernel_size=[1, 1], use_bias=False)


WRONG_LAYERS = [
    (("Lambda", {}), r"Layer a \(Lambda\): a Lambda layer is Python code inside the file"),
    (("MyLayer", {}), r"Layer a \(MyLayer\): this kind of layer is not on Cutaway's list; nothing was run"),
    (("Activation", {"activation": "my_own"}), "its activation 'my_own' is not on Cutaway's list"),
    (("Activation", {"activation": ["relu"]}), r"its activation \"\['relu'\]\" is not on"),
    (("Conv2D", {"filters": 2}), r"Layer a \(Conv2D\): the file does not say its kernel_size"),
    (
        ("Conv2D", {"filters": -1, "kernel_size": 1}),
        "filters must be a whole number from 1 to 1000000; the file says -1",
    ),
    (("Conv2D", {"filters": 10**9, "kernel_size": 1}), "filters must be a whole number from 1 to 1000000"),
    (
        ("Conv2D", {"filters": 2, "kernel_size": [1, 2, 3]}),
        r"kernel_size must be 2 whole numbers from 1; the file says \[1, 2",
    ),
    (
        ("Conv2D", {"filters": 2, "kernel_size": 1, "groups": 2}),
        "3 channels and 2 filters cannot be divided into 2 groups",
    ),
    (
        ("MaxPooling2D", {"padding": "full"}),
        "padding must be valid or same; the file says 'full'",
    ),
    (
        ("Conv2D", {"filters": 2, "kernel_size": 1, "data_format": "channels_first"}),
        "it is channels_first; only channels_last",
    ),
    (
        ("Conv2D", {"filters": 2, "kernel_size": 1, "use_bias": 3}),
        r"a kernel of shape \(1, 1, 3, 2\); the file has no such weights",
    ),
    (("Conv1D", {"filters": 2, "kernel_size": 1}), r"it gets a value of shape \(3, 4, 3\), which it cannot take"),
    (("Conv2DTranspose", {"filters": 2, "kernel_size": 1, "output_padding": 1}), "it sets output_padding"),
    (("BatchNormalization", {"axis": [1]}), "normalises along another axis than the channels"),
    (("BatchNormalization", {"axis": [7]}), "axis must be axis numbers of a value with 4 axes"),
    (("BatchNormalization", {"axis": "x"}), "axis must be axis numbers; the file says 'x'"),
    (("LayerNormalization", {"axis": [1]}), "normalises along another axis than the last ones"),
    (("ReLU", {"max_value": "six"}), "max_value must be a finite number; the file says 'six'"),
    (("ReLU", {"max_value": -1.0}), "max_value must be above its threshold 0; the file says -1.0"),
    (("PReLU", {}), "it keeps a slope for every pixel"),
    (("Softmax", {"axis": [1, 2]}), "it runs over several axes at once"),
    (("Dropout", {"rate": 3}), "rate must be from 0 to 1; the file says 3"),
    (
        ("AveragePooling2D", {"pool_size": 9}),
        "it would make a value of shape .* its input is too small for its settings",
    ),
    (("MaxPooling2D", {"pool_size": True}), "pool_size must be 2 whole numbers from 1"),
    (("GlobalMaxPooling2D", {"keepdims": 1}), "keepdims must be true or false; the file says 1"),
    (("ZeroPadding2D", {"padding": [1, 2, 3]}), r"padding must be \[\[top, bottom\], \[left, right\]\]; the file says"),
    (("ZeroPadding2D", {"padding": [-1, 2]}), r"padding must be \[\[top, bottom\], \[left, right\]\]; the file says"),
    (("ZeroPadding2D", {"padding": 900_000}), "numbers of one picture; at most 67,108,864 are accepted"),
    (("UpSampling2D", {"interpolation": "bicubic"}), "interpolation must be nearest or bilinear"),
    (("Resizing", {"height": 2, "width": 2, "crop_to_aspect_ratio": True}), "it sets crop_to_aspect_ratio"),
    (("Reshape", {"target_shape": "x"}), "target_shape must be 1 to 4 whole numbers"),
    (("Reshape", {"target_shape": [7, 7]}), r"it cannot turn a value of shape \(3, 4, 3\) into \(7, 7\)"),
    (("Permute", {"dims": [1, 1, 2]}), "dims must be the axes 1 to 3 in some order"),
    (("Rescaling", {"scale": [1, 2]}), "it has 2 numbers for 3 channels"),
    (("Rescaling", {"scale": ["x"]}), "scale must be finite numbers"),
    (
        ("Normalization", {"mean": 0.0, "variance": -1.0}),
        "its mean and variance are not finite, or the variance is negative",
    ),
    (
        ("Normalization", {"mean": 0.0, "variance": 1.0, "invert": True}),
        "it is inverted or keeps numbers for another axis",
    ),
    (("TFOpLambda", {"function": "image.resize"}), "it calls the TensorFlow function image.resize, which is not on"),
]


@pytest.mark.parametrize(
    ("what", "message"), WRONG_LAYERS, ids=[f"{w[0]}-{n}" for n, (w, _) in enumerate(WRONG_LAYERS)]
)
def test_a_layer_that_cannot_be_built_is_named_with_the_reason(kit: Any, spell: Any, what: Any, message: str) -> None:
    kind, config = what
    with pytest.raises(BadModel, match=message):
        kit.one(spell.layer(kind, "a", **config), (3, 4, 3))


def test_joins_that_do_not_fit_are_named(kit: Any, spell: Any) -> None:
    def joined(entry: dict[str, Any]) -> dict[str, Any]:
        pool = spell.layer("MaxPooling2D", "p", spell.on("in"))
        return spell.functional([pool, entry], (4, 4, 3), "a")

    for kind in ("Add", "Concatenate"):
        with pytest.raises(
            BadModel, match=rf"Layer a \({kind}\): it cannot join values of shapes \(4, 4, 3\).*\(2, 2, 3\)"
        ):
            kit.open(joined(spell.layer(kind, "a", spell.on("in", "p"))))
    with pytest.raises(BadModel, match="it subtracts one value from another; it gets 3"):
        kit.open(joined(spell.layer("Subtract", "a", spell.on("in", "in", "in"))))
    with pytest.raises(BadModel, match="it takes one value; the file gives it 2"):
        kit.open(joined(spell.layer("ReLU", "a", spell.on("in", "in"))))
    with pytest.raises(BadModel, match="it is applied to nothing"):
        kit.open(joined(spell.layer("ReLU", "a", [{"args": [], "kwargs": {}}])))
    given = {"class_name": "__keras_tensor__", "config": {"keras_history": ["in", 0, 0]}}
    with pytest.raises(BadModel, match="it joins values with numbers"):
        kit.open(joined(spell.layer("Maximum", "a", [{"args": [given, 2.0], "kwargs": {}}])))


def test_weights_that_do_not_fit_are_named_with_both_shapes(kit: Any, spell: Any) -> None:
    model = spell.sequential([spell.layer("Conv2D", "c", filters=2, kernel_size=[1, 1])], (3, 4, 3))
    kernel = numbers(1, 1, 3, 2)
    asked = r"Layer c \(Conv2D\): its settings ask for a "
    with pytest.raises(BadModel, match=asked + r"kernel of shape \(1, 1, 3, 2\); the file has \(1, 1, 4, 2\)"):
        kit.open(model, {"c": [("c/kernel:0", numbers(1, 1, 4, 2)), ("c/bias:0", numbers(2))]})
    with pytest.raises(
        BadModel, match=asked + r"bias of shape \(2,\); the file has no such weights \(found: \(1, 1, 3, 2\)\)"
    ):
        kit.open(model, {"c": [("c/kernel:0", kernel)]})
    with pytest.raises(BadModel, match="the file has 3 arrays for it; its settings ask for 2"):
        kit.open(model, {"c": [("c/kernel:0", kernel), ("c/bias:0", numbers(2)), ("c/x:0", kernel)]})
    with pytest.raises(BadModel, match=r"its bias holds \|S1, not numbers"):
        kit.open(model, {"c": [("c/kernel:0", kernel), ("c/bias:0", np.array([b"a", b"b"]))]})


WRONG_MODELS = [
    ("{", "the description of the network is no readable JSON"),
    ("[" * 100_000, "the description of the network is no readable JSON"),
    ("[]", "description of the network is damaged: it names no kind of model"),
    ('{"class_name": "MyModel", "config": {}}', "The network is a MyModel, a class written in Python"),
    ('{"class_name": "Model", "config": {"name": "m"}}', "The model 'm' inside the file is a class written in Python"),
    ('{"class_name": "Sequential", "config": 3}', "damaged: a layer has no kind or no settings"),
    ('{"class_name": "Sequential", "config": {"name": 3}}', "damaged: a Sequential layer has no name"),
    ('{"class_name": "Sequential", "config": {"layers": [3]}}', "The file's description of the network is damaged"),
    ('{"class_name": "Sequential", "config": {"layers": []}}', "does not say what size of picture the network takes"),
]


@pytest.mark.parametrize(("text", "message"), WRONG_MODELS)
def test_a_damaged_description_gets_a_sentence(kit: Any, text: str, message: str) -> None:
    with pytest.raises(BadModel, match=message):
        kit.open(text)


def test_limits_of_a_description(kit: Any, spell: Any) -> None:
    nested = spell.layer("ReLU", "r")
    for depth in range(20):
        nested = spell.sequential([nested], (4, 4, 3), name=f"s{depth}")
    with pytest.raises(BadModel, match="nests models more than 16 deep"):
        kit.open(nested)
    with pytest.raises(BadModel, match="more than 5000 layers"):
        kit.open(spell.sequential([spell.layer("ReLU", f"r{n}") for n in range(5001)], (4, 4, 3)))
    listed: Any = []
    for _ in range(20):
        listed = [listed]
    deep = spell.layer("ReLU", "r", [{"args": listed, "kwargs": {}}])
    with pytest.raises(BadModel, match="Layer r is applied to a list nested more than 16 deep"):
        kit.open(spell.functional([deep], (4, 4, 3), "r"))
    own = {**spell.layer("ReLU", "r"), "module": "__main__", "registered_name": "ReLU"}
    with pytest.raises(BadModel, match="Layer r is of the kind __main__>ReLU, a class written in Python"):
        kit.open(spell.sequential([own], (4, 4, 3)))
    custom = {**spell.layer("ReLU", "r"), "registered_name": "shop>ReLU"}
    with pytest.raises(BadModel, match="Layer r is of the kind shop>ReLU, a class written in Python"):
        kit.open(spell.sequential([custom], (4, 4, 3)))


@pytest.mark.parametrize(
    ("shape", "message"),
    [
        ((784,), r"takes values of shape \(784,\), not pictures"),
        ((8, 8, 8, 3), r"takes values of shape \(8, 8, 8, 3\), not pictures"),
        ((8, 8, 4), "takes pictures of 4 channels; 3"),
        ((8, 8, None), "takes pictures of None channels"),
        ((10**6, 8, 3), "takes pictures of 1000000 x 8 px; sides from 1 to 16384"),
    ],
)
def test_inputs_that_are_no_pictures(kit: Any, spell: Any, shape: Any, message: str) -> None:
    with pytest.raises(BadModel, match=message):
        kit.open(spell.sequential([spell.layer("ReLU", "r")], shape))


def test_connections_that_do_not_hold(kit: Any, spell: Any) -> None:
    def net(*layers: dict[str, Any], out: str = "r") -> dict[str, Any]:
        return spell.functional(layers, (4, 4, 3), out)

    with pytest.raises(BadModel, match="Layer r waits for a value that no layer of the file makes"):
        kit.open(net(spell.layer("ReLU", "r", spell.on("gone"))))
    with pytest.raises(BadModel, match="Layer r waits for a value"):
        kit.open(net(spell.layer("ReLU", "r", spell.on("r"))))
    with pytest.raises(BadModel, match="output of the model net comes from a layer that the file does not hold"):
        kit.open(net(out="gone"))
    with pytest.raises(BadModel, match="two layers of one name"):
        kit.open(net(spell.layer("ReLU", "r", spell.on("in")), spell.layer("ReLU", "r", spell.on("in"))))
    with pytest.raises(BadModel, match="Layer r reads output 1 of in; only first outputs are known"):
        kit.open(net(spell.layer("ReLU", "r", [[["in", 0, 1, {}]]])))
    two = net(spell.layer("ReLU", "r", spell.on("in")))
    two["config"]["output_layers"] = [["r", 0, 0], ["in", 0, 0]]
    with pytest.raises(BadModel, match="The model net has 1 inputs and 2 outputs; only models with one of each"):
        kit.open(two)
    inner = {**net(spell.layer("ReLU", "r", spell.on("in"))), "inbound_nodes": spell.on("in", "in")}
    with pytest.raises(BadModel, match="The model net takes one input; the file gives it 2"):
        kit.open(spell.functional([inner], (4, 4, 3), "net", name="outer"))
