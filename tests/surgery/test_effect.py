"""The effect of an edit on one picture: against full runs, by counting what is run, and by hand."""

from __future__ import annotations

import dataclasses
import json
from collections import Counter, OrderedDict
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from cutaway.engine.trace import trace_steps
from cutaway.errors import BadInput
from cutaway.graph.trace import trace
from cutaway.image import Image, InputContract
from cutaway.image.read import read_image
from cutaway.model import Model, open_model, save_model
from cutaway.surgery import edits as e
from cutaway.surgery.apply import apply
from cutaway.surgery.edit import Edit
from cutaway.surgery.effect import effect, sharing


@pytest.fixture(scope="module")
def model() -> Model:
    torch.manual_seed(0)
    body = OrderedDict(
        conv1=nn.Conv2d(3, 4, 3, padding=1),
        relu1=nn.ReLU(),
        conv2=nn.Conv2d(4, 6, 3, padding=1),
        relu2=nn.ReLU(),
        pool=nn.AdaptiveAvgPool2d(1),
        flat=nn.Flatten(),
        fc=nn.Linear(6, 3),
    )
    return Model(trace(nn.Sequential(body).eval()), InputContract((12, 12)), ("a", "b", "c"))


@pytest.fixture(scope="module")
def photo() -> Image:
    return Image(np.random.default_rng(0).integers(0, 256, (12, 12, 3), dtype=np.uint8), "photo.png")


@pytest.fixture
def calls() -> Iterator[Counter[str]]:
    """Layer kind -> how often its forward ran."""
    seen: Counter[str] = Counter()
    with pytest.MonkeyPatch.context() as patch:
        for kind in (nn.Conv2d, nn.ReLU, nn.Linear, nn.AdaptiveAvgPool2d, nn.Flatten):

            def forward(self: nn.Module, x: torch.Tensor, _before=kind.forward, _name=kind.__name__) -> torch.Tensor:
                seen[_name] += 1
                return _before(self, x)

            patch.setattr(kind, "forward", forward)
        yield seen


def test_only_what_depends_on_the_edit_is_run_again(model: Model, photo: Image, calls: Counter[str]) -> None:
    edited = apply(model, [e.SetActivation("relu2", "identity")])
    first = effect(model, model, photo)
    assert calls == {"Conv2d": 2, "ReLU": 2, "AdaptiveAvgPool2d": 1, "Flatten": 1, "Linear": 1}
    assert first.changed == ()
    assert first.ran == ()
    calls.clear()
    found = effect(model, edited, photo, cache=first.before)
    assert found.ran == ("relu2", "pool", "flat", "fc")
    assert calls == {"AdaptiveAvgPool2d": 1, "Flatten": 1, "Linear": 1}
    assert [c.name for c in found.changed] == ["relu2", "pool", "flat", "fc"]


@pytest.mark.parametrize(
    "edit",
    [e.SetKernel("conv1", 0, "sobel_x"), e.Silence("relu1", (1, 2)), e.SetStride("conv2", 2), e.Remove("relu2")],
    ids=lambda edit: edit.kind,
)
def test_equal_to_a_full_run(model: Model, photo: Image, edit: Edit) -> None:
    edited = apply(model, [edit])
    found = effect(model, edited, photo)
    x = torch.from_numpy(photo.pixels[None].astype(np.float32)).permute(0, 3, 1, 2) / 255
    for whole, cache in ((trace_steps(model.graph, x), found.before), (trace_steps(edited.graph, x), found.after)):
        for name, value in whole.values.items():
            assert torch.allclose(cache.trace[name], value, atol=1e-6, rtol=0)
    shares = [(c.before, c.after) for c in found.classes]
    assert np.allclose(shares, np.stack([model.predict([photo])[0], edited.predict([photo])[0]], 1), atol=1e-6)


def test_numbers_by_hand(model: Model, photo: Image) -> None:
    found = effect(model, apply(model, [e.ScaleWeights("conv1", 2.0), e.ScaleBias("conv1", 2.0)]), photo)
    row = next(layer for layer in found.layers if layer.name == "conv1")
    assert (row.status, row.relative, row.correlation) == (
        "values", pytest.approx(1, abs=1e-6), pytest.approx(1, abs=1e-6)
    )  # fmt: skip
    before, after, apart = found.maps("conv1")
    assert before is not None
    assert after is not None
    assert apart is not None
    assert row.largest == pytest.approx(np.abs(before).max(), rel=1e-6)
    assert np.array_equal(apart, after - before)
    picture = next(layer for layer in found.layers if layer.name == "input" or layer.before == (3, 12, 12))
    assert (picture.status, picture.relative, picture.ran) == ("same", 0.0, False)


def test_from_zero_and_to_nothing_finite(model: Model, photo: Image) -> None:
    silent = apply(model, [e.ZeroWeights("conv1"), e.SetBias("conv1", 0.0)])
    back = effect(silent, model, photo)
    row = next(layer for layer in back.changed if layer.name == "conv1")
    assert row.relative == float("inf")
    assert row.correlation is None
    broken = apply(model, [e.SetBias("conv2", 3e38), e.ScaleBias("conv2", 3.0)])
    found = effect(model, broken, photo)
    assert found.non_finite == "conv2"
    document = found.to_dict()
    assert json.loads(json.dumps(document, allow_nan=False)) == document
    assert document["non_finite"] == "conv2"


def test_layers_that_come_go_and_change_shape(model: Model, photo: Image) -> None:
    edited = apply(model, [e.Remove("relu1"), e.SetStride("conv2", 2), e.Silence("relu2", (0,))])
    rows = {layer.name: layer for layer in effect(model, edited, photo).layers}
    assert list(rows)[1:6] == ["conv1", "relu1", "conv2", "relu2", "relu2_channels"]
    assert (rows["relu1"].status, rows["relu1"].after) == ("only before", None)
    assert (rows["conv2"].status, rows["conv2"].before, rows["conv2"].after) == ("shape", (6, 12, 12), (6, 6, 6))
    assert rows["conv2"].relative is None
    assert (rows["relu2_channels"].status, rows["relu2_channels"].before) == ("only after", None)
    with pytest.raises(BadInput, match="Neither network has a layer 'conv7'"):
        effect(model, edited, photo).maps("conv7")
    assert effect(model, edited, photo).maps("relu1")[1:] == (None, None)


def test_another_input_runs_everything(model: Model, photo: Image) -> None:
    edited = apply(model, [e.SetInputSize(20)])
    found = effect(model, edited, photo)
    assert set(found.ran) == {"conv1", "relu1", "conv2", "relu2", "pool", "flat", "fc"}
    assert next(c for c in found.changed if c.name == "conv1").after == (4, 20, 20)


def test_renamed_and_other_classes(model: Model, photo: Image) -> None:
    renamed = effect(model, apply(model, [e.SetClasses(("a", "x", "c"))]), photo)
    assert [c.name for c in renamed.classes] == ["a", "b = x", "c"]
    more = effect(model, apply(model, [e.SetClassCount(("a", "b", "c", "d"))]), photo)
    assert more.classes[-1].name == "d"
    assert more.classes[-1].before is None
    assert more.classes[-1].after is not None


def test_a_temperature_is_applied(model: Model, photo: Image) -> None:
    warm = dataclasses.replace(model, temperature=3.0)
    found = effect(warm, warm, photo)
    assert np.allclose([c.before for c in found.classes], warm.predict([photo])[0], atol=1e-6)


def test_models_from_files_share_what_is_equal(model: Model, photo: Image, tmp_path: Path) -> None:
    edited = apply(model, [e.SetActivation("relu2", "sigmoid")])
    first, second = (open_model(save_model(m, tmp_path / f"{n}.safetensors")) for n, m in enumerate((model, edited)))
    assert len(effect(first, second, photo).ran) == 7
    joined = sharing(first, second)
    found = effect(first, joined, photo)
    assert found.ran == ("relu2", "pool", "flat", "fc")
    assert np.array_equal(joined.predict([photo]), edited.predict([photo]))
    assert joined.graph.get_submodule("conv1") is first.graph.get_submodule("conv1")
    assert second.graph.get_submodule("conv1") is not first.graph.get_submodule("conv1")


def test_a_teachable_machine_file(shared_data: Path) -> None:
    folder = shared_data / "teachable-machine"
    model = open_model(folder / "animals-h5" / "keras_model.h5")
    photo = read_image(folder / "images" / "dog.4001.jpg")
    found = effect(model, apply(model, [e.SetActivation("Conv1", "sigmoid")]), photo)
    dog = next(c for c in found.classes if c.name == "Dog")
    assert dog.before == pytest.approx(0.533, abs=1e-3)
    assert dog.after == pytest.approx(0.760, abs=1e-3)  # measured with another program, research notes of the project
    assert len(found.ran) == len(found.after.trace) - 4
