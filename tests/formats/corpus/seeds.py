"""A few tiny valid files of each format: what the fuzzer changes, and what shows that the corpus is written rightly."""

from __future__ import annotations

import functools
import io
import json
import tempfile
import warnings
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from onnx import ModelProto
from torch import nn

from cutaway.graph.trace import trace
from cutaway.image import InputContract
from cutaway.model import Model
from cutaway.model.file import save_model
from cutaway.model.golden import golden_answers
from tests.formats.corpus.files import (
    Files,
    functional,
    keras_h5,
    keras_zip,
    layer,
    numbers,
    one,
    safetensors,
    sequential,
)
from tests.formats.onnx_kit import model as onnx_model
from tests.formats.onnx_kit import node
from tests.formats.tflite_maker import Op, T, whole, write


def keras_model() -> tuple[Any, dict[str, dict[str, Any]]]:
    """A functional model in a Sequential: its JSON, and its arrays by top layer and name."""
    inside = [
        layer("Conv2D", "c", "in", filters=2, kernel_size=3, padding="same", strides=2, activation="relu"),
        layer("BatchNormalization", "b", "c", axis=[3], momentum=0.99, epsilon=1e-3),
        layer("ReLU", "r", "b", max_value=6.0, negative_slope=0.0, threshold=0.0),
        layer("MaxPooling2D", "p", "r", pool_size=2, strides=1, padding="same"),
        layer("Add", "a", "p", "r"),
        layer("Concatenate", "k", "a", "r", axis=-1),
        layer("ZeroPadding2D", "z", "k", padding=[[1, 0], [0, 1]]),
    ]
    dense = layer("Dense", "d", units=2, activation="softmax")
    model = sequential([functional(inside, "z"), layer("Flatten", "f"), layer("Dropout", "o", rate=0.5), dense])
    core = {"c/kernel:0": numbers(3, 3, 3, 2), "c/bias:0": numbers(2)}
    core |= {f"b/{n}:0": np.ones(2, np.float32) for n in range(4)}
    return model, {"core": core, "d": {"d/kernel:0": numbers(100, 2), "d/bias:0": numbers(2)}}


def plain_keras() -> tuple[Any, dict[str, Any]]:
    """A Sequential of Keras 3: its JSON, and its arrays by path in model.weights.h5."""
    layers = [
        layer("Conv2D", "c", filters=2, kernel_size=[3, 3], strides=[1, 1], padding="valid", activation="relu"),
        layer("GlobalAveragePooling2D", "g", data_format="channels_last"),
        layer("Dense", "d", units=3, activation={"class_name": "function", "config": "softmax"}),
    ]
    arrays = {"layers/conv2d/vars/0": numbers(3, 3, 3, 2), "layers/conv2d/vars/1": numbers(2)}
    return sequential(layers), {**arrays, "layers/dense/vars/0": numbers(2, 3), "layers/dense/vars/1": numbers(3)}


def tfjs_model() -> tuple[dict[str, Any], bytes]:
    """model.json as data, weights.bin."""
    layers = [
        layer("Conv2D", "c", filters=4, kernel_size=[1, 1], use_bias=False),
        layer("GlobalAveragePooling2D", "g"),
        layer("Dense", "d", units=2, activation="softmax"),
    ]
    arrays = {"c/kernel": numbers(1, 1, 3, 4), "d/kernel": numbers(4, 2), "d/bias": numbers(2)}
    rows = [{"name": n, "shape": list(a.shape), "dtype": "float32"} for n, a in arrays.items()]
    document = {
        "format": "layers-model",
        "generatedBy": "keras v2.15.0",
        "modelTopology": {"keras_version": "2.15.0", "model_config": sequential(layers, (4, 4, 3))},
        "weightsManifest": [{"paths": ["weights.bin"], "weights": rows}],
    }
    return document, b"".join(a.tobytes() for a in arrays.values())


def onnx_proto() -> ModelProto:
    """Convolution, pooling, arithmetic on shapes, resize, a dense end."""
    nodes = [
        node("Conv", "x w b", "c", pads=[1, 1, 1, 1], strides=[2, 2], name="/net/conv/Conv"),
        node("BatchNormalization", "c s s s s", "n", epsilon=0.1),
        node("Clip", "n lo hi", "r"),
        node("MaxPool", "r", "p", kernel_shape=[2, 2], auto_pad="SAME_UPPER"),
        node("Shape", "p", "sh"),
        node("Slice", "sh one two", "ch"),
        node("Concat", "p p", "cc", axis=1),
        node("Resize", "cc - sc", "u", mode="nearest"),
        node("Split", "u", "t1 t2", axis=1),
        node("Add", "t1 t2", "e"),
        node("ReduceMean", "e", "m", axes=[2, 3], keepdims=0),
        node("Concat", "minus ch", "full", axis=0),
        node("Reshape", "m full", "f"),
        node("Gemm", "f g gb", "z", alpha=0.5),
        node("Softmax", "z", "y", axis=-1),
    ]
    arrays: dict[str, Any] = {"w": numbers(4, 3, 3, 3), "b": numbers(4), "s": np.ones(4, np.float32)}
    arrays |= {"lo": np.float32(0), "hi": np.float32(6), "one": np.array([1]), "two": np.array([2])}
    arrays |= {"sc": np.array([1, 1, 2, 2], np.float32), "minus": np.array([-1]), "g": numbers(4, 5), "gb": numbers(5)}
    made: ModelProto = onnx_model(nodes, arrays, opset=13)
    return made


def tflite_bytes(whole_numbers: bool = False) -> bytes:
    """Convolution, pooling, sum, reshape, dense, softmax; in floats or in 8-bit whole numbers."""
    kind, scale = (9, (0.05,)) if whole_numbers else (0, ())
    zero = (0,) if whole_numbers else ()

    def value(*shape: int, name: str) -> T:
        return T(shape, type=kind, scale=scale, zero=zero, name=name)

    def held(*shape: int, wide: bool = False) -> T:
        if not whole_numbers:
            return T(shape, numbers(*shape))
        made = (numbers(*shape) * 60).astype(np.int32 if wide else np.int8)
        return T(shape, made, type=2 if wide else 9, scale=(0.0025,) if wide else scale, zero=zero)

    tensors = [
        value(1, 6, 6, 3, name="picture"),
        held(2, 3, 3, 3),
        held(2, wide=True),
        value(1, 6, 6, 2, name="conv"),
        value(1, 3, 3, 2, name="pool"),
        value(1, 3, 3, 2, name="sum"),
        whole(1, 18),
        value(1, 18, name="flat"),
        held(2, 18),
        held(2, wide=True),
        value(1, 2, name="dense"),
        value(1, 2, name="out"),
    ]
    step = {1: ("i32", 1), 2: ("i32", 1)}
    pool = {1: ("i32", 2), 2: ("i32", 2), 3: ("i32", 2), 4: ("i32", 2)}
    ops = [
        Op("CONV_2D", [0, 1, 2], [3], "Conv2DOptions", {**step, 3: ("i8", 1)}),
        Op("MAX_POOL_2D", [3], [4], "Pool2DOptions", pool),
        Op("ADD", [4, 4], [5], "AddOptions", {0: ("i8", 1)}),
        Op("RESHAPE", [5, 6], [7]),
        Op("FULLY_CONNECTED", [7, 8, 9], [10], "FullyConnectedOptions"),
        Op("SOFTMAX", [10], [11], "SoftmaxOptions", {0: ("f32", 1.0)}),
    ]
    return write(tensors, ops)


class Small(nn.Module):
    """A residual sum, a normalisation, a head."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.norm = nn.Conv2d(3, 4, 3, padding=1), nn.BatchNorm2d(4)
        self.dense = nn.Linear(4, 2)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = torch.relu(self.norm(self.conv(x)))
        x = nn.functional.max_pool2d(x + x, 2)
        made: torch.Tensor = self.dense(x.mean((2, 3)).reshape(-1, 4))
        return made


@functools.cache
def small() -> nn.Module:
    torch.manual_seed(0)
    return Small().eval()


def saved(what: Any, **settings: Any) -> bytes:
    whole_file = io.BytesIO()
    torch.save(what, whole_file, **settings)
    return whole_file.getvalue()


def checkpoint() -> dict[str, Any]:
    state = OrderedDict((f"module.{k}", v) for k, v in small().state_dict().items())
    return {"epoch": 3, "arch": "small", "state_dict": state, "best": 0.5}


@functools.cache
def torchscript_bytes() -> bytes:
    whole_file = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch.jit is deprecated
        torch.jit.save(torch.jit.trace(small(), torch.zeros(1, 3, 8, 8)), whole_file)
    return whole_file.getvalue()


@functools.cache
def pt2_bytes() -> bytes:
    whole_file = io.BytesIO()
    torch.export.save(torch.export.export(small(), (torch.zeros(1, 3, 8, 8),)), whole_file)
    return whole_file.getvalue()


@functools.cache
def own_bytes(golden: bool = False) -> bytes:
    model = Model(trace(small()), InputContract((8, 8)), ("cat", "dog"), card={"source": "corpus"})
    with tempfile.TemporaryDirectory() as folder:
        path = save_model(model, Path(folder) / "m.safetensors", golden_answers(model) if golden else ())
        return path.read_bytes()


def weights_bytes() -> bytes:
    rows, body = {}, b""
    for name, tensor in small().state_dict().items():
        data = tensor.numpy().tobytes()
        kind = "I64" if tensor.dtype == torch.int64 else "F32"
        rows[name] = {"dtype": kind, "shape": list(tensor.shape), "data_offsets": [len(body), len(body) + len(data)]}
        body += data
    return safetensors({"__metadata__": {"format": "pt"}, **rows}, body)


def _keras_h5() -> list[Files]:
    return [one("m.h5", keras_h5(*keras_model()))]


def _keras_zip() -> list[Files]:
    return [one("m.keras", keras_zip(*plain_keras()))]


def _tfjs() -> list[Files]:
    document, weights = tfjs_model()
    about = json.dumps({"labels": ["cat", "dog"], "imageSize": 4, "tfjsVersion": "1.3.1"}).encode()
    held = {"model.json": json.dumps(document).encode(), "weights.bin": weights, "metadata.json": about}
    return [Files("model.json", held)]


def _torch() -> list[Files]:
    return [
        one("m.pt", saved(small().state_dict())),
        one("m.pth", saved(checkpoint(), _use_new_zipfile_serialization=False)),
        one("m.pt", saved(checkpoint())),
    ]


SEEDS: dict[str, Callable[[], list[Files]]] = {
    "Keras .h5": _keras_h5,
    "Keras .keras": _keras_zip,
    "TensorFlow.js": _tfjs,
    "TensorFlow Lite": lambda: [one("m.tflite", tflite_bytes()), one("m.tflite", tflite_bytes(True))],
    "ONNX": lambda: [one("m.onnx", onnx_proto().SerializeToString())],
    "PyTorch .pt, .pth": _torch,
    "TorchScript": lambda: [one("m.pt", torchscript_bytes())],
    "torch.export .pt2": lambda: [one("m.pt2", pt2_bytes())],
    "safetensors": lambda: [one("m.safetensors", weights_bytes())],
    "Cutaway's own": lambda: [one("m.safetensors", own_bytes()), one("m.safetensors", own_bytes(golden=True))],
}
"""Format -> what makes its valid files, smallest first. Those of weights fit no known network."""


@functools.cache
def seeds(form: str) -> tuple[Files, ...]:
    return tuple(SEEDS[form]())
