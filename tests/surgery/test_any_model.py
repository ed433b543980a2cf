"""Every edit of values on models of every origin: it applies where the model has the thing, and says so where not."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from torch import nn

from cutaway.engine.trace import trace_steps
from cutaway.errors import BadInput
from cutaway.graph.blocks import blocks_of
from cutaway.graph.document import tensors_of
from cutaway.graph.names import names_of
from cutaway.image.read import read_image
from cutaway.model import Model, open_model, save_model
from cutaway.model.export import export_model
from cutaway.surgery.apply import apply
from cutaway.surgery.edit import Edit
from cutaway.surgery.edits import (
    AddNoise,
    FlipKernels,
    FoldNorm,
    FreezeStatistics,
    KeepOnly,
    RandomiseWeights,
    RemoveNorm,
    ResetStatistics,
    RotateKernels,
    RoundWeights,
    ScaleBias,
    ScaleChannels,
    ScaleWeights,
    SetActivation,
    SetBias,
    SetClasses,
    SetDropout,
    SetEpsilon,
    SetInput,
    SetKernel,
    SetWeight,
    Silence,
    SwapChannels,
    ZeroWeights,
)
from cutaway.zoo import build

TM = "teachable-machine"
KERAS = Path(__file__).parents[1] / "formats" / "golden" / "plain-keras-3.keras"
FILES = {
    "keras_h5": "animals-h5/keras_model.h5",
    "tflite": "image-tflite/model_unquant.tflite",
    "tfjs": "waste12-tfjs",
}


def first(model: Model, *kinds: type[nn.Module]) -> str:
    """Name of the first layer of these kinds, the network's first where there is none."""
    steps = {n: node for n, node in names_of(model.graph).items() if node.op == "call_module"}
    for name, node in steps.items():
        layer = model.graph.get_submodule(str(node.target))
        if isinstance(layer, kinds):
            return name
    return next(iter(steps))


def edits_for(model: Model) -> Iterator[tuple[Edit, bool]]:
    """Each edit, on a layer that can take it; whether this model has one."""
    conv, dense = first(model, nn.Conv2d), first(model, nn.Linear)
    norm, drop = first(model, nn.BatchNorm2d), first(model, nn.Dropout)
    act = first(model, nn.ReLU, nn.ReLU6, nn.SiLU, nn.GELU, nn.ELU, nn.Sigmoid)
    has = {type(m) for m in model.graph.modules()}
    yield from [
        (SetKernel(conv, 1, "sobel_x"), True), (SetKernel(conv, 0, "blur", input=1), True),
        (RotateKernels(conv, 45.0), True), (FlipKernels(conv, "left_right"), True),
        (SetWeight(conv, (0, 0, 1, 1), 5.0), True), (SetWeight(dense, (1, 3), 5.0), True),
        (ScaleWeights(conv, 3.0, (1, 2)), True), (ScaleWeights(dense, 0.5, (), (0, 1)), True),
        (ZeroWeights(conv, (0,)), True),
        (AddNoise(dense, 0.5), True), (RandomiseWeights(conv), True), (RoundWeights(conv, 3), True),
        (SwapChannels(conv, 0, 3), True), (SetBias(conv, 1.0), True), (SetBias(dense, 1.0, (0,)), True),
        (Silence(conv, (0, 3)), True), (KeepOnly(conv, (1,)), True), (ScaleChannels(dense, 2.0, (1,)), True),
        (SetActivation(act, "tanh"), True), (SetActivation(act, "leaky_relu", 0.3), True),
        (SetInput(channels="BGR"), True), (SetClasses(tuple(f"name {i}" for i in range(len(model.classes)))), True),
        (SetDropout(drop, 0.5, at_prediction=True), nn.Dropout in has),
        (SetBias(dense, 0.5), True),
    ]  # fmt: skip
    if (bias := model.graph.get_submodule(dense).bias) is None or bias.any():  # type: ignore[operator,union-attr]
        yield ScaleBias(dense, 2.0), bias is not None
    for edit in (RemoveNorm(norm), FreezeStatistics(norm), ResetStatistics(norm), SetEpsilon(norm, 0.1)):
        yield edit, nn.BatchNorm2d in has
    before = names_of(model.graph)[norm].all_input_nodes[0]
    layer = model.graph.get_submodule(str(before.target)) if before.op == "call_module" else None
    yield FoldNorm(norm), nn.BatchNorm2d in has and isinstance(layer, nn.Conv2d)


SAME_ANSWER = FoldNorm | FreezeStatistics | SetClasses | SetInput


def other_numbers(a: Model, b: Model) -> bool:
    """Whether one holds a number that the other does not; a weight on what is never seen changes no answer."""
    old = tensors_of(a.graph)
    return any(not torch.equal(t, old[n]) for n, t in tensors_of(b.graph).items() if t.data_ptr() != old[n].data_ptr())


def must_take_every_edit(model: Model, size: int) -> None:
    x = torch.rand(1, 3, size, size, generator=torch.Generator().manual_seed(0)) - 0.5
    where = {name: (t.data_ptr(), t._version) for name, t in tensors_of(model.graph).items()}
    with torch.inference_mode():
        before = trace_steps(model.graph, x)
        for edit, fits in edits_for(model):
            if not fits:
                with pytest.raises(BadInput):
                    apply(model, [edit])
                continue
            edited = apply(model, [edit])
            after = trace_steps(edited.graph, x)
            assert list(before) == [name for name in after if not name.endswith("_channels")]
            if isinstance(edit, SAME_ANSWER):
                torch.testing.assert_close(after.output, before.output, rtol=1e-4, atol=1e-5)
            else:
                assert after.output.isfinite().all(), edit
                same = all(name in before and torch.equal(after[name], before[name]) for name in after)
                assert not same or other_numbers(model, edited), edit
        assert torch.equal(model.graph(x), before.output)
    assert {name: (t.data_ptr(), t._version) for name, t in tensors_of(model.graph).items()} == where


@pytest.mark.parametrize("file", FILES.values(), ids=FILES)
def test_a_teachable_machine_network_takes_every_edit(file: str, shared_data: Path) -> None:
    must_take_every_edit(open_model(shared_data / TM / file), 224)


def in_library(name: str, size: int) -> Model:
    torch.manual_seed(0)
    named = build(name, classes=("a", "b", "c"), size=size)
    for layer in named.graph.modules():
        if isinstance(layer, nn.BatchNorm2d) and layer.running_mean is not None:
            nn.init.uniform_(layer.running_mean)
    return Model(named.graph, named.contract, named.classes)


@pytest.mark.parametrize(
    ("name", "size"),
    [("resnet18", 64), ("tutorial-cifar-bn", 32), pytest.param("nf_regnet_b0", 64, marks=pytest.mark.slow)],
)
def test_a_network_of_the_libraries_takes_every_edit(name: str, size: int) -> None:
    must_take_every_edit(in_library(name, size), size)


def test_an_onnx_file_takes_every_edit(tmp_path: Path) -> None:
    """Written by torch's exporter: its normalisation is in the convolutions already."""
    model = in_library("tutorial-cifar-bn", 32)
    must_take_every_edit(open_model(export_model(model, tmp_path / "network.onnx")), 32)


def test_a_keras_file_takes_every_edit() -> None:
    must_take_every_edit(open_model(KERAS), open_model(KERAS).contract.size[0])


def test_many_edits_of_a_real_file_are_saved_with_it(shared_data: Path, tmp_path: Path) -> None:
    model = open_model(shared_data / TM / FILES["keras_h5"])
    after = apply(
        model, [edit for edit, fits in edits_for(model) if fits and not isinstance(edit, RemoveNorm | FoldNorm)]
    )
    again = open_model(save_model(after, tmp_path / "edited.safetensors"))
    x = torch.rand(1, 3, 224, 224)
    assert torch.equal(again.graph(x), after.graph(x))
    assert again.card["edits"] == after.card["edits"]


def test_answers_are_those_measured_before_any_of_this_was_written(shared_data: Path) -> None:
    """P(dog) of one photo after edits made by hand in another program, three digits (research notes, section 4)."""
    model = open_model(shared_data / TM / FILES["keras_h5"])
    photo = read_image(shared_data / TM / "images" / "dog.4001.jpg")

    def dog(*edits: Edit) -> float:
        return float(apply(model, edits).predict([photo])[0, 1])

    assert dog() == pytest.approx(0.533, abs=6e-4)
    assert dog(SetActivation("Conv1", "sigmoid")) == pytest.approx(0.760, abs=6e-4)
    assert dog(SetActivation("block_6_expand", "identity")) == pytest.approx(0.054, abs=6e-4)
    assert dog(SetActivation("out_relu", "relu")) == pytest.approx(0.554, abs=6e-4)
    moved = [dog(ZeroWeights("Conv1", (n,))) - dog() for n in range(16)]
    assert (min(moved), max(moved)) == pytest.approx((-0.02, 0.43), abs=6e-3)
    norms = [n for n, m in model.graph.named_modules() if isinstance(m, nn.BatchNorm2d)]
    assert apply(model, [SetEpsilon(n, 1e-5) for n in norms]).predict([photo])[0, 0] == pytest.approx(0.716, abs=6e-4)
    assert dog(*[FoldNorm(n) for n in norms]) == pytest.approx(dog(), abs=1e-5)


@pytest.mark.parametrize("file", ["keras_h5", "resnet18"])
def test_blocks_stay_as_they_were(file: str, shared_data: Path) -> None:
    model = in_library(file, 64) if file == "resnet18" else open_model(shared_data / TM / FILES[file])
    before = blocks_of(model.graph)
    kinds = nn.BatchNorm2d | nn.ReLU | nn.ReLU6 | nn.Linear
    layers = [name for name, layer in model.graph.named_modules() if isinstance(layer, kinds)]
    after = blocks_of(apply(model, [Silence(name, (1,)) for name in layers]).graph)
    assert {name: after[name] for name in before} == before
    assert {name: after[f"{name}_channels"] for name in layers} == {name: before[name] for name in layers}
