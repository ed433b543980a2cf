"""Exports: opened again they give the same numbers, contract, classes and card; a changed file is found out."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from cutaway import __version__
from cutaway.errors import BadInput, BadModel
from cutaway.formats import onnx_write
from cutaway.formats.about import About, about_of
from cutaway.graph.trace import trace
from cutaway.image import InputContract
from cutaway.model import Model, open_model, save_model
from cutaway.model.export import export_model
from cutaway.model.golden import golden_answers, golden_picture, must_answer_as


@pytest.fixture(scope="module")
def model() -> Model:
    torch.manual_seed(0)
    layers = [
        nn.Conv2d(3, 6, 3, 2, 1, bias=False),
        nn.BatchNorm2d(6),
        nn.ReLU6(),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
    ]
    network = nn.Sequential(*layers, nn.Linear(6, 3)).eval()
    contract = InputContract((18, 14), "squash", 0.9, "bilinear", mean=(0.4, 0.5, 0.6), std=(0.2, 0.3, 0.25))
    return Model(trace(network), contract, ("a", "b c", "ü"), card={"licence": "MIT"}, temperature=1.7)


@pytest.mark.parametrize("to", ["onnx", "pt2", "safetensors"])
def test_opened_again_it_is_the_same_model(model: Model, tmp_path: Path, to: str) -> None:
    again = open_model(export_model(model, tmp_path / f"m.{to}"))
    assert np.abs(np.subtract(golden_answers(model), golden_answers(again))).max() < 1e-5
    assert (again.contract, again.classes, again.temperature) == (model.contract, model.classes, model.temperature)
    assert again.probabilities == model.probabilities
    assert again.card["licence"] == "MIT"


def test_onnxruntime_gives_the_same_numbers(model: Model, tmp_path: Path) -> None:
    import onnxruntime

    session = onnxruntime.InferenceSession(export_model(model, tmp_path / "m.onnx"))
    assert open_model(tmp_path / "m.onnx").card["producer"] == f"cutaway {__version__}"
    x = torch.randn(5, 3, 18, 14)  # any number of pictures
    (found,) = session.run(None, {"pictures": x.numpy()})
    with torch.no_grad():
        assert np.abs(found - model.graph(x).numpy()).max() < 1e-5


class _ChannelsLast(nn.Module):
    """As in ConvNeXt: the pooling gets maps whose channels lie last in memory."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.norm = nn.Conv2d(3, 4, 3), nn.LayerNorm(4)
        self.pool, self.head = nn.AdaptiveAvgPool2d(1), nn.Linear(4, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.norm(self.conv(x).permute(0, 2, 3, 1)).permute(0, 3, 1, 2)
        return self.head(self.pool(x).flatten(1))  # type: ignore[no-any-return]


def test_a_pool_behind_a_transposed_axis_is_written_plainly(tmp_path: Path) -> None:
    import onnx

    last = Model(trace(_ChannelsLast().eval()), InputContract((8, 8)), ("a", "b", "c"))
    path = export_model(last, tmp_path / "m.onnx")
    assert not [node.name for node in onnx.load(path).graph.node if "as_strided" in node.name]
    assert np.abs(np.subtract(golden_answers(last), golden_answers(open_model(path)))).max() < 1e-5


def test_a_model_without_class_names_keeps_its_contract(model: Model, tmp_path: Path) -> None:
    again = open_model(export_model(model.renamed(()), tmp_path / "m.onnx"))
    assert again.contract == model.contract
    assert again.classes == ("class 0", "class 1", "class 2")


def test_torch_export_loads_the_pt2_and_its_note(model: Model, tmp_path: Path) -> None:
    note = {"cutaway.json": ""}
    program = torch.export.load(export_model(model, tmp_path / "m.pt2"), extra_files=note)
    x = torch.randn(2, 3, 18, 14)
    with torch.no_grad():
        assert torch.allclose(program.module()(x), model.graph(x), atol=1e-6)
    assert about_of(note["cutaway.json"]).classes == model.classes


def test_a_changed_file_is_found_out_when_it_is_opened(model: Model, tmp_path: Path) -> None:
    answers = golden_answers(model)
    path = save_model(model, tmp_path / "m.safetensors", [answers[0] + 0.1, *answers[1:]])
    with pytest.raises(
        BadModel, match=r"m\.safetensors does not give the answers it was written with: 3 numbers .* 0\.1"
    ):
        open_model(path)
    with pytest.raises(BadModel, match=r"2 numbers were kept, 3 came"):
        must_answer_as(model, answers[:2], "m")
    wrong = save_model(model, tmp_path / "n.safetensors", [float("nan")])
    with pytest.raises(BadModel, match=r"'nan' for a kept answer"):
        open_model(wrong)


def test_the_known_picture_is_a_formula() -> None:
    picture = golden_picture(InputContract((4, 5)))
    assert (picture.shape, picture.dtype) == ((1, 4, 5, 3), np.uint8)
    assert picture[0, 3, 2, 1] == (7 * 3 + 13 * 2 + 29 * 1 + 3 * 2) % 256


def test_what_cannot_be_written_is_said(model: Model, tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"to must be onnx, pt2 or safetensors. Got 'tflite'"):
        export_model(model, tmp_path / "m.tflite")
    with pytest.raises(BadInput, match=r"could not be written"):
        export_model(model, tmp_path / "nowhere" / "m.pt2")


def test_notes_of_an_export_are_checked(model: Model) -> None:
    about = About(model.contract, model.classes, False, 1.0, {}, (0.5,))
    document = json.loads(about.to_text())
    assert about_of(json.dumps(document)) == about
    for entry, value, said in (
        ("format", "other", "not in the format"),
        ("golden", ["x"], "'x' for a kept answer"),
        ("golden", 3, "is damaged"),
        ("classes", [1], "'1' for a class name"),
        ("temperature", 0, "'0' for temperature"),
        ("contract", {}, "is damaged"),
    ):
        with pytest.raises(BadModel, match=said):
            about_of(json.dumps({**document, entry: value}))
    with pytest.raises(BadModel, match=r"is damaged"):
        about_of("{")


def test_what_torchs_exporters_refuse_is_one_sentence(
    model: Model, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise RuntimeError("no word for this layer.\nA page of advice")

    monkeypatch.setattr(onnx_write, "LARGEST", 10)
    with pytest.raises(BadModel, match=r"larger than the 2 GB that one ONNX file can hold; export it as safetensors"):
        export_model(model, tmp_path / "m.onnx")
    monkeypatch.setattr(torch.onnx, "export", refuse)
    with pytest.raises(BadModel, match=r"cannot be written as ONNX: no word for this layer\.$"):
        export_model(model, tmp_path / "m.onnx")
    monkeypatch.setattr(torch.export, "export", refuse)
    with pytest.raises(BadModel, match=r"cannot be exported: torch.export says no word for this layer\.$"):
        export_model(model, tmp_path / "m.pt2")
    assert not list(tmp_path.iterdir())
