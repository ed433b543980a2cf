"""Damaged ONNX files: whatever bytes or settings are changed, a sentence or a model comes out, and nothing else."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from onnx import ModelProto

from cutaway.errors import BadModel
from cutaway.formats import onnx_file
from tests.formats.onnx_kit import model, node, numbers

NUMBERS = [-1, 0, 1, 2, 3, 7, 100, 2**31, 2**40, 2**62, -(2**62)]
WORDS = ["", "x", "y", "a", "w", "SAME_UPPER", "Conv", "Reshape", "Loop", "If", "Relu", "\ud7ff", "../x", "constant"]


def sample() -> ModelProto:
    """A little of everything: convolution, pooling, arithmetic on shapes, resize, normalisation, a dense end."""
    nodes = [
        node("Conv", "x w b", "c", pads=[1, 1, 1, 1], strides=[2, 2], name="/net/conv/Conv"),
        node("BatchNormalization", "c s s s s", "n", epsilon=0.1),
        node("Clip", "n lo hi", "r"),
        node("MaxPool", "r", "p", kernel_shape=[2, 2], auto_pad="SAME_UPPER"),
        node("Pad", "p pads", "q"),
        node("Shape", "q", "sh"),
        node("Slice", "sh one two", "ch"),
        node("Mul", "ch two", "ch2"),
        node("Range", "r0 r4 r1", "row"),
        node("Concat", "q q", "cc", axis=1),
        node("Resize", "cc - sc", "u", mode="nearest"),
        node("Transpose", "u", "t", perm=[0, 2, 3, 1]),
        node("Split", "t", "t1 t2", axis=3),
        node("Add", "t1 t2", "e"),
        node("ReduceMean", "e", "m", axes=[1, 2], keepdims=0),
        node("Unsqueeze", "m one", "m1"),
        node("Concat", "minus ch", "full", axis=0),
        node("Reshape", "m1 full", "f"),
        node("Gemm", "f g gb", "z", alpha=0.5),
        node("Softmax", "z", "y", axis=-1),
    ]
    arrays: dict[str, Any] = {
        "w": numbers(4, 3, 3, 3),
        "b": numbers(4),
        "s": numbers(4, low=0.5),
        "lo": np.float32(0),
        "hi": np.float32(6),
        "pads": np.array([0, 0, 1, 0, 0, 0, 0, 1]),
        "one": np.array([1]),
        "two": np.array([2]),
        "r0": np.array(0),
        "r4": np.array(4),
        "r1": np.array(1),
        "sc": np.array([1, 1, 2, 2], np.float32),
        "minus": np.array([-1]),
        "g": numbers(4, 5),
        "gb": numbers(5),
    }
    made: ModelProto = model(nodes, arrays, opset=13)
    return made


def opens_or_says_why(path: Path) -> bool:
    try:
        parts = onnx_file.read(path)
    except BadModel as error:
        return not str(error).encode("utf-8")
    height, width = parts.contract.size
    if height * width < 10_000:
        with torch.inference_mode():
            parts.graph(torch.zeros(2, parts.contract.in_channels, height, width))
    return True


def change_bytes(whole: bytes, seed: int) -> bytes:
    chance = random.Random(seed)
    data = bytearray(whole)
    for _ in range(chance.randint(1, 6)):
        at = chance.randrange(len(data))
        kind = chance.random()
        if kind < 0.7:
            data[at] = chance.choice([0, 255, 127, 128, chance.randrange(256), data[at] ^ (1 << chance.randrange(8))])
        elif kind < 0.85:
            del data[at : at + chance.randint(1, 4)]
        else:
            data[at:at] = bytes(chance.randrange(256) for _ in range(chance.randint(1, 4)))
    return bytes(data[: chance.randrange(1, len(data))] if chance.random() < 0.05 else data)


def change_parts(made: ModelProto, seed: int) -> bytes:
    """The same file with a few of its settings, sizes, names or nodes changed."""
    chance = random.Random(seed)
    copy = ModelProto()
    copy.CopyFrom(made)
    for _ in range(chance.randint(1, 3)):
        _change_one(copy, chance)
    return copy.SerializeToString()


def _change_one(copy: ModelProto, chance: random.Random) -> None:
    graph = copy.graph
    one = chance.choice(graph.node)
    kind = chance.randrange(9)
    if kind == 0 and one.input:
        one.input[chance.randrange(len(one.input))] = chance.choice([*WORDS, *[n.output[0] for n in graph.node]])
    elif kind == 1 and one.output:
        one.output[0] = chance.choice([*WORDS, one.output[0] + "x"])
    elif kind == 2:
        one.op_type = chance.choice([*WORDS, *[n.op_type for n in graph.node]])
    elif kind == 3 and one.attribute:
        setting = chance.choice(one.attribute)
        setting.i = chance.choice(NUMBERS)
        if setting.ints:
            setting.ints[chance.randrange(len(setting.ints))] = chance.choice(NUMBERS)
        if chance.random() < 0.2:
            setting.type = chance.randrange(1, 9)
    elif kind == 4:
        array = chance.choice(graph.initializer)
        if array.dims:
            array.dims[chance.randrange(len(array.dims))] = chance.choice(NUMBERS)
        else:
            array.dims.append(chance.choice(NUMBERS))
    elif kind == 5:
        array = chance.choice(graph.initializer)
        raw = array.raw_data
        array.raw_data = bytes(chance.randrange(256) for _ in raw) if chance.random() < 0.7 else raw[:-1]
    elif kind == 6:
        graph.initializer[chance.randrange(len(graph.initializer))].data_type = chance.randrange(25)
    elif kind == 7:
        sizes = graph.input[0].type.tensor_type.shape.dim
        sizes[chance.randrange(len(sizes))].dim_value = chance.choice(NUMBERS)
    else:
        copy.opset_import[0].version = chance.choice([*NUMBERS, 8, 9, 10, 11, 12, 18, 20, 23])


def test_changed_bytes_of_a_small_file(tmp_path: Path) -> None:
    whole, path = sample().SerializeToString(), tmp_path / "m.onnx"
    path.write_bytes(whole)
    assert opens_or_says_why(path)
    for seed in range(1_000):
        path.write_bytes(change_bytes(whole, seed))
        opens_or_says_why(path)


def test_changed_settings_of_a_small_file(tmp_path: Path) -> None:
    made, path = sample(), tmp_path / "m.onnx"
    opened = 0
    for seed in range(1_000):
        path.write_bytes(change_parts(made, seed))
        opened += opens_or_says_why(path)
    assert 0 < opened < 1_000


@pytest.mark.slow
def test_more_changes_of_a_small_file(tmp_path: Path) -> None:
    made, path = sample(), tmp_path / "m.onnx"
    whole = made.SerializeToString()
    for seed in range(1_000, 11_000):
        path.write_bytes(change_bytes(whole, seed))
        opens_or_says_why(path)
        path.write_bytes(change_parts(made, seed))
        opens_or_says_why(path)
