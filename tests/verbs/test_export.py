"""`export`: files that other programs and we open, names that overwrite nothing, kinds that do not exist."""

from __future__ import annotations

from pathlib import Path

import onnxruntime
import pytest
from shapes import Cli

import cutaway as ca
from cutaway.errors import BadInput


def test_onnx_by_default_beside_what_is_there(home: Path, cli: Cli) -> None:
    run = str(home / "runs" / "first")
    made = ca.export(run)
    again = ca.export(run)
    assert (made.path.name, again.path.name) == ("export-first.onnx", "export-first-2.onnx")
    assert made.difference < 1e-5
    assert onnxruntime.InferenceSession(made.path).get_inputs()[0].name == "pictures"
    assert ca.open_model(made.path).classes == made.classes == ca.open_model(run).classes
    assert cli("export", run, "--to", "pt2").out.startswith("Wrote export-first.pt2 (")


def test_a_kind_that_does_not_exist() -> None:
    with pytest.raises(BadInput, match=r"to must be onnx, pt2 or safetensors\. Got 'tflite'"):
        ca.export("runs/first", to="tflite")


def test_a_file_of_ours_says_what_it_was_made_from(home: Path, cli: Cli) -> None:
    onnx = ca.export(str(home / "runs" / "first")).path
    made = ca.export(str(onnx), to="safetensors")
    assert ca.open(str(made.path)).format.startswith("Cutaway file made from ONNX opset")
    assert "logits of classes: 3 (circle, cross, square)" in cli("export", onnx, "--to", "pt2").out
