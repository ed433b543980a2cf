"""Each Keras layer against its formula: numpy loops written from TensorFlow's definitions, channels last."""

from __future__ import annotations

import itertools
import math
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F

R = np.random.default_rng(0)
ATOL = 1e-5


def numbers(*shape: int) -> np.ndarray:
    return R.normal(0, 1, shape).astype(np.float32)


def same_pads(n: int, k: int, s: int, d: int = 1) -> tuple[int, int]:
    total = max((math.ceil(n / s) - 1) * s + d * (k - 1) + 1 - n, 0)
    return total // 2, total - total // 2


def windows(x: np.ndarray, k: tuple[int, int], s: tuple[int, int], padding: str, fill: float, d: int = 1) -> np.ndarray:
    """(N, H, W, C) -> (N, H', W', kh, kw, C), each window copied by hand."""
    if padding == "same":
        pads = [same_pads(n, kk, ss, d) for n, kk, ss in zip(x.shape[1:3], k, s)]
        x = np.pad(x, [(0, 0), *pads, (0, 0)], constant_values=fill)
    span = [d * (kk - 1) + 1 for kk in k]
    high, wide = ((n - sp) // ss + 1 for n, sp, ss in zip(x.shape[1:3], span, s))
    out = np.empty((len(x), high, wide, *k, x.shape[3]), np.float64)
    for i, j in itertools.product(range(high), range(wide)):
        top, left = i * s[0], j * s[1]
        out[:, i, j] = x[:, top : top + span[0] : d, left : left + span[1] : d]
    return out


SAMES = [
    ((6, 7), (3, 3), (2, 2), 1),
    ((7, 6), (3, 3), (2, 2), 1),
    ((6, 7), (3, 3), (1, 1), 1),
    ((6, 7), (2, 4), (1, 1), 1),
    ((7, 5), (1, 1), (2, 2), 1),
    ((9, 8), (3, 3), (1, 1), 2),
    ((8, 9), (5, 3), (3, 2), 1),
]


@pytest.mark.parametrize("padding", ["same", "valid"])
@pytest.mark.parametrize(("size", "k", "s", "d"), SAMES)
def test_conv2d(kit: Any, spell: Any, size: Any, k: Any, s: Any, d: int, padding: str) -> None:
    x, kernel, bias = numbers(2, *size, 3), numbers(*k, 3, 4), numbers(4)
    entry = spell.layer("Conv2D", "c", filters=4, kernel_size=k, strides=s, dilation_rate=d, padding=padding)
    parts = kit.one(entry, (*size, 3), kernel, bias)
    wanted = np.einsum("nhwklc,klcf->nhwf", windows(x, k, s, padding, 0.0, d), kernel) + bias
    np.testing.assert_allclose(kit.run(parts, x), wanted, atol=ATOL)
    pads = [m for m in parts.graph.modules() if type(m).__name__ == "SamePad2d"]
    odd_and_unstrided = s == (1, 1) and all(d * (side - 1) % 2 == 0 for side in k)
    assert bool(pads) == (padding == "same" and k != (1, 1) and not odd_and_unstrided)


@pytest.mark.parametrize("padding", ["same", "valid"])
@pytest.mark.parametrize(("size", "k", "s"), [c[:3] for c in SAMES])
def test_pooling(kit: Any, spell: Any, size: Any, k: Any, s: Any, padding: str) -> None:
    x = numbers(2, *size, 3) - 5  # all negative: a zero in the border would win
    config = {"pool_size": k, "strides": s, "padding": padding}
    most = kit.run(kit.one(spell.layer("MaxPooling2D", "p", **config), (*size, 3)), x)
    np.testing.assert_array_equal(most, windows(x, k, s, padding, -np.inf).max((3, 4)).astype(np.float32))
    mean = kit.run(kit.one(spell.layer("AveragePooling2D", "p", **config), (*size, 3)), x)
    np.testing.assert_allclose(mean, np.nanmean(windows(x, k, s, padding, np.nan), (3, 4)), atol=ATOL)


@pytest.mark.parametrize(("padding", "s"), [("same", 2), ("valid", 1)])
def test_depthwise_and_separable(kit: Any, spell: Any, padding: str, s: int) -> None:
    x, deep, bias = numbers(2, 7, 6, 3), numbers(3, 3, 3, 2), numbers(6)
    config = {"kernel_size": [3, 3], "strides": s, "padding": padding, "depth_multiplier": 2}
    seen = np.einsum("nhwklc,klcm->nhwcm", windows(x, (3, 3), (s, s), padding, 0.0), deep)
    seen = seen.reshape(*seen.shape[:3], 6)
    parts = kit.one(spell.layer("DepthwiseConv2D", "d", **config), (7, 6, 3), deep, bias)
    np.testing.assert_allclose(kit.run(parts, x), seen + bias, atol=ATOL)
    point, last = numbers(1, 1, 6, 5), numbers(5)
    parts = kit.one(spell.layer("SeparableConv2D", "s", filters=5, **config), (7, 6, 3), deep, point, last)
    np.testing.assert_allclose(kit.run(parts, x), seen @ point[0, 0] + last, atol=5e-5)


@pytest.mark.parametrize("padding", ["same", "valid"])
@pytest.mark.parametrize(("k", "s"), [((3, 3), (2, 2)), ((2, 4), (2, 1)), ((2, 2), (3, 3)), ((5, 4), (2, 3))])
def test_conv2d_transpose(kit: Any, spell: Any, k: Any, s: Any, padding: str) -> None:
    """Every input pixel adds its kernel at its stride's place; 'same' keeps size * stride, cut as TensorFlow cuts."""
    x, kernel = numbers(1, 4, 3, 3), numbers(*k, 5, 3)
    full = np.zeros((1, *((n - 1) * ss + max(kk, ss) for n, kk, ss in zip((4, 3), k, s)), 5))
    for i, j in itertools.product(range(4), range(3)):
        full[:, i * s[0] : i * s[0] + k[0], j * s[1] : j * s[1] + k[1]] += np.einsum(
            "klfc,nc->nklf", kernel, x[:, i, j]
        )
    if padding == "same":
        top, left = (max(kk - ss, 0) // 2 for kk, ss in zip(k, s))
        full = full[:, top : top + 4 * s[0], left : left + 3 * s[1]]
    entry = spell.layer("Conv2DTranspose", "t", filters=5, kernel_size=k, strides=s, padding=padding, use_bias=False)
    np.testing.assert_allclose(kit.run(kit.one(entry, (4, 3, 3), kernel), x), full, atol=ATOL)


def test_groups_and_conv1d(kit: Any, spell: Any) -> None:
    x, kernel = numbers(1, 5, 5, 3), numbers(2, 2, 1, 6)
    parts = kit.one(spell.layer("Conv2D", "g", filters=6, kernel_size=2, groups=3, use_bias=False), (5, 5, 3), kernel)
    seen = windows(x, (2, 2), (1, 1), "valid", 0)
    wanted = np.concatenate(
        [np.einsum("nhwkl,klf->nhwf", seen[..., g], kernel[:, :, 0, 2 * g : 2 * g + 2]) for g in range(3)], -1
    )
    np.testing.assert_allclose(kit.run(parts, x), wanted, atol=ATOL)

    rows, kernel = numbers(1, 6, 5, 1), numbers(3, 5, 2)  # a picture (6, 5, 1) as a sequence of 6 steps of 5 numbers
    for padding, pads in (("valid", (0, 0)), ("same", same_pads(6, 3, 2)), ("causal", (2, 0))):
        line = spell.layer("Conv1D", "c", filters=2, kernel_size=[3], strides=[2], padding=padding, use_bias=False)
        model = spell.sequential([spell.layer("Reshape", "r", target_shape=[6, 5]), line], (6, 5, 1))
        steps = np.pad(rows[..., 0], [(0, 0), pads, (0, 0)])
        wanted = np.stack(
            [np.einsum("nkc,kcf->nf", steps[:, i : i + 3], kernel) for i in range(0, steps.shape[1] - 2, 2)], 1
        )
        np.testing.assert_allclose(kit.run(kit.open(model, {"c": [("c/kernel:0", kernel)]}), rows), wanted, atol=ATOL)


def test_dense_on_vectors_and_on_maps(kit: Any, spell: Any) -> None:
    x, kernel, bias = numbers(2, 3, 2, 3), numbers(3, 4), numbers(4)
    dense = spell.layer("Dense", "d", units=4, activation="tanh")
    np.testing.assert_allclose(
        kit.run(kit.one(dense, (3, 2, 3), kernel, bias), x), np.tanh(x @ kernel + bias), atol=ATOL
    )
    flat, kernel = spell.layer("Flatten", "f"), numbers(18, 4)
    parts = kit.open(spell.sequential([flat, dense], (3, 2, 3)), {"d": [("d/k", kernel), ("d/b", bias)]})
    np.testing.assert_allclose(kit.run(parts, x), np.tanh(x.reshape(2, 18) @ kernel + bias), atol=ATOL)
    assert [n for n, _ in parts.graph.named_children()] == ["f", "d", "d_tanh"]


def test_batch_normalization_uses_keras_epsilon_and_momentum(kit: Any, spell: Any) -> None:
    x, gamma, beta, mean, var = numbers(2, 3, 2, 3), numbers(3), numbers(3), numbers(3), np.abs(numbers(3)) * 0.01
    parts = kit.one(spell.layer("BatchNormalization", "b", axis=[3], momentum=0.9), (3, 2, 3), gamma, beta, mean, var)
    np.testing.assert_allclose(kit.run(parts, x), (x - mean) / np.sqrt(var + 1e-3) * gamma + beta, atol=1e-4)
    assert parts.graph.b.momentum == pytest.approx(0.1)
    plain = spell.layer("BatchNormalization", "b", scale=False, center=False, epsilon=1e-5)
    np.testing.assert_allclose(
        kit.run(kit.one(plain, (3, 2, 3), mean, var + 1), x), (x - mean) / np.sqrt(var + 1 + 1e-5), atol=ATOL
    )
    model = spell.sequential([spell.layer("Flatten", "f"), spell.layer("BatchNormalization", "b")], (1, 1, 3))
    arrays = {"b": [(f"b/{n}", a) for n, a in enumerate((gamma, beta, mean, var))]}
    x = x[:, :1, :1]
    wanted = (x[:, 0, 0] - mean) / np.sqrt(var + 1e-3) * gamma + beta
    np.testing.assert_allclose(kit.run(kit.open(model, arrays), x), wanted, atol=1e-4)


@pytest.mark.parametrize(("axis", "axes"), [(-1, (3,)), ([3], (3,)), ([1, 2, 3], (1, 2, 3))])
def test_layer_normalization(kit: Any, spell: Any, axis: Any, axes: Any) -> None:
    x = numbers(2, 3, 2, 3)
    size = x.shape[axes[0] :]
    gamma, beta = numbers(*size), numbers(*size)
    parts = kit.one(spell.layer("LayerNormalization", "l", axis=axis), (3, 2, 3), gamma, beta)
    centred = x - x.mean(axes, keepdims=True)
    wanted = centred / np.sqrt(x.var(axes, keepdims=True) + 1e-3) * gamma + beta
    np.testing.assert_allclose(kit.run(parts, x), wanted, atol=ATOL)


def sigmoid(x: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-x))


ACTIVATIONS = {
    "linear": lambda x: x,
    "relu": lambda x: np.maximum(x, 0),
    "relu6": lambda x: np.clip(x, 0, 6),
    "sigmoid": sigmoid,
    "tanh": np.tanh,
    "softmax": lambda x: np.exp(x) / np.exp(x).sum(-1, keepdims=True),
    "log_softmax": lambda x: x - np.log(np.exp(x).sum(-1, keepdims=True)),
    "elu": lambda x: np.where(x > 0, x, np.exp(x) - 1),
    "selu": lambda x: 1.05070098 * np.where(x > 0, x, 1.67326324 * (np.exp(x) - 1)),
    "softplus": lambda x: np.log1p(np.exp(x)),
    "softsign": lambda x: x / (1 + np.abs(x)),
    "swish": lambda x: x * sigmoid(x),
    "silu": lambda x: x * sigmoid(x),
    "gelu": lambda x: x * 0.5 * (1 + np.vectorize(math.erf)(x / math.sqrt(2))),
    "mish": lambda x: x * np.tanh(np.log1p(np.exp(x))),
    "exponential": np.exp,
    "hard_sigmoid": lambda x: np.clip(0.2 * x + 0.5, 0, 1),
    "leaky_relu": lambda x: np.where(x > 0, x, 0.2 * x),
}


@pytest.mark.parametrize("word", ACTIVATIONS)
def test_activations_as_layers_and_inside_a_dense_layer(kit: Any, spell: Any, word: str) -> None:
    x = numbers(2, 3, 2, 3) * 4
    found = kit.run(kit.one(spell.layer("Activation", "a", activation=word), (3, 2, 3)), x)
    np.testing.assert_allclose(found, ACTIVATIONS[word](x.astype(np.float64)), atol=2e-5, rtol=1e-5)
    fused = kit.one(spell.layer("Dense", "d", units=3, use_bias=False, activation=word), (3, 2, 3), np.eye(3))
    np.testing.assert_allclose(kit.run(fused, x), found, atol=1e-6)


def test_hard_sigmoid_is_another_function_in_keras_3(kit: Any, spell: Any) -> None:
    x = numbers(1, 3, 2, 3) * 4
    entry = spell.layer("Activation", "a", activation={"class_name": "function", "config": "hard_sigmoid"})
    found = kit.run(kit.one(entry, (3, 2, 3), version="3.8.0"), x)
    np.testing.assert_allclose(found, np.clip(x / 6 + 0.5, 0, 1), atol=ATOL)


RELUS = [
    ("ReLU", {}, lambda x: np.maximum(x, 0)),
    ("ReLU", {"max_value": 6.0}, lambda x: np.clip(x, 0, 6)),
    ("ReLU", {"max_value": 0.5}, lambda x: np.clip(x, 0, 0.5)),
    ("ReLU", {"negative_slope": 0.3}, lambda x: np.where(x > 0, x, 0.3 * x)),
    (
        "ReLU",
        {"max_value": 2, "negative_slope": 0.1, "threshold": 0.5},
        lambda x: np.where(x >= 2, 2, np.where(x >= 0.5, x, 0.1 * (x - 0.5))),
    ),
    ("LeakyReLU", {"alpha": 0.1}, lambda x: np.where(x > 0, x, 0.1 * x)),
    ("LeakyReLU", {"negative_slope": 0.2}, lambda x: np.where(x > 0, x, 0.2 * x)),
    ("LeakyReLU", {}, lambda x: np.where(x > 0, x, 0.3 * x)),
    ("ELU", {"alpha": 0.5}, lambda x: np.where(x > 0, x, 0.5 * (np.exp(x) - 1))),
    ("ThresholdedReLU", {"theta": 0.7}, lambda x: np.where(x > 0.7, x, 0)),
    ("Softmax", {"axis": 1}, lambda x: np.exp(x) / np.exp(x).sum(1, keepdims=True)),
    ("Rescaling", {"scale": 0.5, "offset": -1}, lambda x: x * 0.5 - 1),
    ("Rescaling", {"scale": [1, 2, 3], "offset": 0.0}, lambda x: x * [1, 2, 3]),
    ("Normalization", {"mean": [1, 2, 3], "variance": [4, 9, 0]}, lambda x: (x - [1, 2, 3]) / [2, 3, 1e-7]),
    ("Permute", {"dims": [3, 1, 2]}, lambda x: x.transpose(0, 3, 1, 2)),
    ("Permute", {"dims": [2, 1, 3]}, lambda x: x.transpose(0, 2, 1, 3)),
    ("Reshape", {"target_shape": [3, -1, 2]}, lambda x: x.reshape(len(x), 3, -1, 2)),
    ("Reshape", {"target_shape": [8, 9]}, lambda x: x.reshape(len(x), 8, 9)),
    ("Reshape", {"target_shape": [72]}, lambda x: x.reshape(len(x), 72)),
    ("Flatten", {}, lambda x: x.reshape(len(x), -1)),
    ("ZeroPadding2D", {"padding": [[0, 1], [2, 0]]}, lambda x: np.pad(x, [(0, 0), (0, 1), (2, 0), (0, 0)])),
    ("ZeroPadding2D", {"padding": [1, 2]}, lambda x: np.pad(x, [(0, 0), (1, 1), (2, 2), (0, 0)])),
    ("ZeroPadding2D", {"padding": 1}, lambda x: np.pad(x, [(0, 0), (1, 1), (1, 1), (0, 0)])),
    ("Cropping2D", {"cropping": [[1, 0], [2, 1]]}, lambda x: x[:, 1:, 2:-1]),
    ("UpSampling2D", {"size": [2, 3]}, lambda x: x.repeat(2, 1).repeat(3, 2)),
    ("GlobalAveragePooling2D", {}, lambda x: x.mean((1, 2))),
    ("GlobalAveragePooling2D", {"keepdims": True}, lambda x: x.mean((1, 2), keepdims=True)),
    ("GlobalMaxPooling2D", {}, lambda x: x.max((1, 2))),
    ("Dropout", {"rate": 0.5}, lambda x: x),
    ("SpatialDropout2D", {"rate": 0.5}, lambda x: x),
    ("GaussianNoise", {"stddev": 1.0}, lambda x: x),
    ("RandomFlip", {"mode": "horizontal"}, lambda x: x),
]


@pytest.mark.parametrize(("kind", "config", "formula"), RELUS, ids=[f"{k}-{n}" for n, (k, *_) in enumerate(RELUS)])
def test_layers_without_weights(kit: Any, spell: Any, kind: str, config: dict[str, Any], formula: Any) -> None:
    x = numbers(2, 4, 6, 3) * 2
    found = kit.run(kit.one(spell.layer(kind, "a", **config), (4, 6, 3)), x)
    wanted = formula(x.astype(np.float64))
    assert found.shape == wanted.shape
    np.testing.assert_allclose(found, wanted, atol=ATOL, rtol=1e-6)


@pytest.mark.parametrize("kind", ["UpSampling2D", "Resizing"])
def test_bilinear_resizing_is_half_pixel_without_antialias(kit: Any, spell: Any, kind: str) -> None:
    x = numbers(1, 4, 6, 3)
    config = {"size": 2} if kind == "UpSampling2D" else {"height": 8, "width": 12}
    found = kit.run(kit.one(spell.layer(kind, "u", interpolation="bilinear", **config), (4, 6, 3)), x)
    wanted = F.interpolate(torch.from_numpy(x).movedim(-1, 1), (8, 12), mode="bilinear").movedim(1, -1).numpy()
    np.testing.assert_allclose(found, wanted, atol=ATOL)
    by_hand = 0.75 * x[0, 0, 0] + 0.25 * x[0, 0, 1]  # second pixel of the first row lies a quarter along
    np.testing.assert_allclose(found[0, 0, 1], by_hand, atol=ATOL)


def test_normalization_with_learned_statistics_and_prelu(kit: Any, spell: Any) -> None:
    x, mean, var, alpha = numbers(1, 2, 2, 3), numbers(3), np.abs(numbers(3)) + 1, numbers(1, 1, 3)
    count = np.array(7, np.int64)  # Keras 2 keeps how many pictures it saw
    parts = kit.one(spell.layer("Normalization", "n", axis=[-1]), (2, 2, 3), mean, var, count)
    np.testing.assert_allclose(kit.run(parts, x), (x - mean) / np.sqrt(var), atol=ATOL)
    parts = kit.one(spell.layer("PReLU", "p", shared_axes=[1, 2]), (2, 2, 3), alpha)
    np.testing.assert_allclose(kit.run(parts, x), np.where(x > 0, x, alpha * x), atol=ATOL)


MERGES = {
    "Add": lambda a, b: a + b,
    "Multiply": lambda a, b: a * b,
    "Subtract": lambda a, b: a - b,
    "Average": lambda a, b: (a + b) / 2,
    "Maximum": np.maximum,
    "Minimum": np.minimum,
    "Concatenate": lambda a, b: np.concatenate([a, b], -1),
}


@pytest.mark.parametrize("kind", MERGES)
def test_merging(kit: Any, spell: Any, kind: str) -> None:
    x = numbers(2, 4, 3, 3)
    model = spell.functional(
        [
            spell.layer("ReLU", "r", spell.on("in")),
            spell.layer("Activation", "t", spell.on("in"), activation="tanh"),
            spell.layer(kind, "m", spell.on("r", "t")),
        ],
        (4, 3, 3),
        "m",
    )
    np.testing.assert_allclose(kit.run(kit.open(model), x), MERGES[kind](np.maximum(x, 0), np.tanh(x)), atol=ATOL)


def test_concatenate_along_rows_and_three_values(kit: Any, spell: Any) -> None:
    x = numbers(2, 4, 3, 3)
    three = spell.functional([spell.layer("Average", "m", spell.on("in", "in", "in"))], (4, 3, 3), "m")
    np.testing.assert_allclose(kit.run(kit.open(three), x), x, atol=ATOL)
    rows = spell.functional([spell.layer("Concatenate", "m", spell.on("in", "in"), axis=1)], (4, 3, 3), "m")
    np.testing.assert_array_equal(kit.run(kit.open(rows), x), np.concatenate([x, x], 1))


def test_squeeze_and_excite_stretches_one_number_a_channel(kit: Any, spell: Any) -> None:
    x = numbers(2, 4, 3, 3)
    model = spell.functional(
        [
            spell.layer("GlobalAveragePooling2D", "g", spell.on("in")),
            spell.layer("Reshape", "r", spell.on("g"), target_shape=[1, 1, 3]),
            spell.layer("Multiply", "m", spell.on("in", "r")),
        ],
        (4, 3, 3),
        "m",
    )
    np.testing.assert_allclose(kit.run(kit.open(model), x), x * x.mean((1, 2), keepdims=True), atol=ATOL)


def test_arithmetic_that_preprocess_input_leaves(kit: Any, spell: Any) -> None:
    """Keras 2 keeps x / 127.5 - 1 as two TFOpLambda layers; the network then wants 0..255."""
    model = spell.functional(
        [
            spell.layer("TFOpLambda", "d", [["in", 0, 0, {"y": 127.5, "name": None}]], function="math.truediv"),
            spell.layer("TFOpLambda", "s", [["d", 0, 0, {"y": 1.0, "name": None}]], function="math.subtract"),
            spell.layer("TFOpLambda", "a", [["s", 0, 0, {"y": ["d", 0, 0]}]], function="__operators__.add"),
            spell.layer(
                "TFOpLambda", "n", [["_CONSTANT_VALUE", -1, 2.0, {"y": ["a", 0, 0]}]], function="math.subtract"
            ),
            spell.layer("TFOpLambda", "r", [["n", 0, 0, {"name": None}]], function="nn.relu6"),
        ],
        (4, 3, 3),
        "r",
    )
    x, parts = numbers(2, 4, 3, 3) * 200, kit.open(model)
    np.testing.assert_allclose(kit.run(parts, x), np.clip(2 - (x / 127.5 - 1 + x / 127.5), 0, 6), atol=ATOL)
    assert (parts.contract.scale, parts.contract.offset) == (255.0, 0.0)


def test_layer_scale_of_convnext(kit: Any, spell: Any) -> None:
    x, gamma = numbers(1, 4, 3, 3), numbers(3)
    entry = spell.layer("LayerScale", "s", projection_dim=3, init_values=1e-6)
    np.testing.assert_allclose(kit.run(kit.one(entry, (4, 3, 3), gamma), x), x * gamma, atol=ATOL)
