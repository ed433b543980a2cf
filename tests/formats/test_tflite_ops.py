"""Every operator Cutaway builds, against TensorFlow's interpreter (2.21; scripts/golden_tflite.py made the file)."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from cutaway.formats import read_model_file
from cutaway.formats.tflite_build import TABLE
from cutaway.formats.tflite_tables import Tables
from cutaway.graph.document import from_document, tensors_of, to_document

GOLDEN = Path(__file__).parent / "golden" / "tflite_ops.npz"


def cases() -> Iterator[Any]:
    """(model, its picture in TFLite's axis order, what the interpreter answers) of every golden operation."""
    with np.load(GOLDEN) as kept:
        models, outputs, at, begun = kept["models"], kept["outputs"], 0, 0
        for line in kept["index"]:
            name, picture, size, shape = str(line).split()
            model, at = models[at : at + int(size)].tobytes(), at + int(size)
            sides = tuple(map(int, shape.split("x")))
            output, begun = outputs[begun : begun + int(np.prod(sides))].reshape(sides), begun + int(np.prod(sides))
            yield pytest.param(model, kept[picture], output, id=name)


@pytest.mark.parametrize(("model", "picture", "expected"), list(cases()))
def test_the_same_numbers_as_the_interpreter(
    model: bytes, picture: np.ndarray, expected: np.ndarray, tmp_path: Path
) -> None:
    """Within 1e-5, pictures alone and in a batch, before and after the graph was written and read."""
    path = tmp_path / "model.tflite"
    path.write_bytes(model)
    graph = read_model_file(path).graph
    first = picture if picture.shape[1] == 3 else np.moveaxis(picture, -1, 1)  # one golden picture is (1, 3, H, W)
    x = torch.from_numpy(np.ascontiguousarray(first))
    wanted = np.moveaxis(expected, -1, 1) if expected.ndim > 2 else expected
    with torch.inference_mode():
        np.testing.assert_allclose(graph(x).numpy(), wanted, atol=1e-5, rtol=1e-5)
        batch = graph(torch.cat([x * 0.5, x])).numpy()
        again = from_document(to_document(graph), tensors_of(graph))(x).numpy()
    np.testing.assert_allclose(batch[1:], wanted, atol=1e-5, rtol=1e-5)
    np.testing.assert_array_equal(again, graph(x).detach().numpy())


def test_the_golden_file_holds_every_operator_of_the_table(tmp_path: Path) -> None:
    seen = set()
    for case in cases():
        path = tmp_path / "model.tflite"
        path.write_bytes(case.values[0])
        seen |= {step.kind for step in Tables(path).operators}
    elsewhere = {"QUANTIZE", "DEQUANTIZE", "CAST", "PRELU", "RELU", "RELU6", "RELU_N1_TO_1", "RELU_0_TO_1", "SQUEEZE"}
    elsewhere |= {"EXPAND_DIMS", "SIN", "COS"}  # converters of today write them otherwise: tests of files made by hand
    assert set(TABLE) - seen == elsewhere
