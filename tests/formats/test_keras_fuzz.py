"""Damaged files: whatever bytes or settings are changed, a sentence or a model comes out, and nothing else."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from cutaway.errors import BadModel
from cutaway.formats import read_model_file

ODD: list[Any] = [None, -1, 0, 2, 10**9, 10**30, 1.5, 1e308, float("nan"), "", "x", "Conv2D", "Add", "Flatten", "same"]
ODD += ["forward", "class", [], {}, [[]], True, [1, 2], {"a": 1}, [None], "Functional", {"class_name": "function"}]


def sample(kit: Any, spell: Any) -> Path:
    inside = [
        spell.layer(
            "Conv2D", "c", spell.on("in"), filters=2, kernel_size=3, padding="same", strides=2, activation="relu"
        ),
        spell.layer("BatchNormalization", "b", spell.on("c"), axis=[3], momentum=0.99, epsilon=1e-3),
        spell.layer("ReLU", "r", spell.on("b"), max_value=6.0, negative_slope=0.0, threshold=0.0),
        spell.layer("MaxPooling2D", "p", spell.on("r"), pool_size=2, strides=1, padding="same"),
        spell.layer("Add", "a", spell.on("p", "r")),
        spell.layer("Reshape", "q", spell.on("a"), target_shape=[4, 4, 2]),
        spell.layer("ZeroPadding2D", "z", spell.on("q"), padding=[[1, 0], [0, 1]]),
    ]
    core = spell.functional(inside, (8, 8, 3), "z", name="core")
    dense = spell.layer("Dense", "d", units=2, activation="softmax")
    model = spell.sequential([core, spell.layer("Flatten", "f"), dense], (8, 8, 3))
    arrays = {
        "core": [("c/kernel:0", (3, 3, 3, 2)), ("c/bias:0", (2,)), *((f"b/{n}:0", (2,)) for n in range(4))],
        "d": [("d/kernel:0", (50, 2)), ("d/bias:0", (2,))],
    }
    return kit.write(model, {k: [(n, np.ones(s, np.float32)) for n, s in rows] for k, rows in arrays.items()})


def opens_or_says_why(path: Path) -> bool:
    try:
        read_model_file(path)
    except BadModel as error:
        str(error).encode("utf-8")
        return False
    return True


def change_bytes(whole: bytes, seed: int) -> bytes:
    chance = random.Random(seed)
    data = bytearray(whole)
    for _ in range(chance.randint(1, 8)):
        at = chance.randrange(len(data))
        data[at] = chance.choice([0, 255, 127, 128, chance.randrange(256), data[at] ^ (1 << chance.randrange(8))])
    return bytes(data[: chance.randrange(len(data))] if chance.random() < 0.1 else data)


def change_settings(document: Any, seed: int) -> Any:
    chance, spots = random.Random(seed), []
    todo = [document]
    while todo:
        item = todo.pop()
        keys = list(item) if isinstance(item, dict) else range(len(item)) if isinstance(item, list) else ()
        spots += [(item, key) for key in keys]
        todo += [item[key] for key in keys]
    for item, key in chance.sample(spots, chance.randint(1, 3)):
        item[key] = chance.choice(ODD)
    return document


def test_changed_bytes_of_a_small_file(kit: Any, spell: Any) -> None:
    path = sample(kit, spell)
    whole = path.read_bytes()
    assert opens_or_says_why(path)
    for seed in range(150):
        path.write_bytes(change_bytes(whole, seed))
        opens_or_says_why(path)


def test_changed_settings_of_a_small_file(kit: Any, spell: Any) -> None:
    path = sample(kit, spell)
    with h5py.File(path) as file:
        text = file.attrs["model_config"]
    opened = 0
    for seed in range(250):
        with h5py.File(path, "r+") as file:
            file.attrs["model_config"] = json.dumps(change_settings(json.loads(text), seed))
        opened += opens_or_says_why(path)
    assert 0 < opened < 250


@pytest.mark.slow
def test_changed_bytes_of_a_real_export(shared_data: Path, tmp_path: Path) -> None:
    source = shared_data / "teachable-machine" / "animals-h5" / "keras_model.h5"
    if not source.is_file():
        pytest.skip("animals-h5 is not there")
    whole, path = source.read_bytes(), tmp_path / "m.h5"
    for seed in range(2_000):
        path.write_bytes(change_bytes(whole[:120_000], seed) + whole[120_000:])
        opens_or_says_why(path)
