"""Keras files that cannot be run: every layer is listed, with what is known of it, and the one that stops it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from cutaway.formats import read_model_file
from cutaway.formats.parts import OnlyView, ViewRow


def stopped(kit: Any, model: Any, arrays: Any = None) -> OnlyView:
    with pytest.raises(OnlyView) as caught:
        kit.open(model, arrays)
    return caught.value


def test_a_lambda_layer_inside_a_nested_model(kit: Any, spell: Any) -> None:
    inner = spell.sequential([spell.layer("ReLU", "r"), spell.layer("Lambda", "own")], (4, 4, 3), name="inner")
    conv = spell.layer("Conv2D", "c", filters=2, kernel_size=3)
    after = spell.layer("Dense", "d", units=2)
    model = spell.sequential([conv, inner, after], (6, 6, 3))
    arrays = {
        "c": [("c/kernel:0", np.ones((3, 3, 3, 2))), ("c/bias:0", np.ones(2))],
        "d": [("d/kernel:0", np.ones((2, 2)))],
    }
    error = stopped(kit, model, arrays)
    assert str(error).startswith("Layer own (Lambda): a Lambda layer is Python code inside the file")
    assert error.view.reason == str(error)
    assert (error.view.answer, error.view.format) == ("view-only", "Keras 2 h5")
    assert error.view.rows == (
        ViewRow("net_input", "InputLayer", (6, 6, 3), 0),
        ViewRow("c", "Conv2D", (4, 4, 2), 56),
        ViewRow("inner/inner_input", "InputLayer", (4, 4, 2), 0),
        ViewRow("inner/r", "ReLU", (4, 4, 2), 0),
        ViewRow("inner/own", "Lambda", None, 0, "the network cannot be built past here"),
        ViewRow("d", "Dense", None, 4),
    )


def test_a_class_of_the_authors_own_is_listed_under_its_name(kit: Any, spell: Any) -> None:
    own = {**spell.layer("Conv2D", "c", spell.on("in")), "registered_name": "shop>Conv2D"}
    gone = {"class_name": "Functional", "config": {"name": "m"}, "name": "m", "inbound_nodes": spell.on("c")}
    error = stopped(kit, spell.functional([own, gone], (4, 4, 3), "m"))
    assert "Layer c is of the kind shop>Conv2D" in str(error)
    rows = [(r.name, r.kind, r.shape, bool(r.note)) for r in error.view.rows]
    assert rows == [
        ("in", "InputLayer", (4, 4, 3), False),
        ("c", "Conv2D", None, True),
        ("m", "Functional", None, False),
    ]


def test_damaged_weights_still_list_the_layers(kit: Any, spell: Any) -> None:
    conv = spell.layer("Conv2D", "c", filters=2, kernel_size=3)
    path = kit.write(spell.sequential([conv], (6, 6, 3)), {"c": [("c/kernel:0", np.ones((3, 3, 3, 2)))]})
    with h5py.File(path, "r+") as file:
        file["model_weights/c"].attrs["weight_names"] = [b"gone"]
    with pytest.raises(OnlyView, match="damaged or truncated HDF5 file") as caught:
        read_model_file(path)
    assert [(r.name, r.parameters) for r in caught.value.view.rows] == [("net_input", 0), ("c", 0)]


def test_a_file_of_weights_lists_its_arrays(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "w.h5", "w") as file:
        file["layers/dense/vars/0"] = np.ones((3, 2), np.float32)
        file["layers/dense/vars/1"] = np.ones(2, np.float16)
        file["layers/far"] = h5py.ExternalLink("other.h5", "/x")
        file["layers/round"] = file["layers"]
    with pytest.raises(OnlyView, match=r"w\.h5 holds weights only, no network") as caught:
        read_model_file(tmp_path / "w.h5")
    view = caught.value.view
    assert (view.answer, view.format) == ("weights", "Keras weights h5")
    assert view.rows == (
        ViewRow("layers/dense/vars/0", "float32", (3, 2), 6),
        ViewRow("layers/dense/vars/1", "float16", (2,), 2),
    )
