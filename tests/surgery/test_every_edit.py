"""Every kind of edit there is, on a model of each origin: a Teachable Machine export, Keras, ONNX, torchvision.

A network without a dropout layer or a norm (the ONNX exporter merges them) first gets one by an edit, as its refusal
advises. An edit that is refused is mended with the first remedy it is given, as `cutaway edit --mend` does.
"""

from __future__ import annotations

import warnings
from pathlib import Path

import torch
from torch import fx, nn

from cutaway.graph.names import steps_of
from cutaway.graph.trace import trace
from cutaway.image import InputContract
from cutaway.model import Model, open_model, save_model
from cutaway.surgery.apply import apply
from cutaway.surgery.edit import KINDS, Edit, edit_of
from cutaway.surgery.edits import (
    AddNoise,
    FitInput,
    FlipKernels,
    FoldNorm,
    FreezeStatistics,
    Insert,
    KeepOnly,
    RandomiseWeights,
    Remove,
    RemoveNorm,
    Replace,
    ResetStatistics,
    Rewire,
    RotateKernels,
    RoundWeights,
    ScaleBias,
    ScaleChannels,
    ScaleWeights,
    SetActivation,
    SetBias,
    SetClassCount,
    SetClasses,
    SetDilation,
    SetDropout,
    SetEpsilon,
    SetFilters,
    SetGroups,
    SetInput,
    SetInputSize,
    SetKernel,
    SetKernelSize,
    SetPadding,
    SetPooling,
    SetStride,
    SetWeight,
    Silence,
    SwapChannels,
    Together,
    ZeroWeights,
)
from cutaway.surgery.refusal import Refusal

ACTIVATIONS = (nn.ReLU, nn.ReLU6, nn.LeakyReLU, nn.ELU, nn.SiLU)
POOLS = (nn.MaxPool2d, nn.AvgPool2d, nn.AdaptiveAvgPool2d, nn.AdaptiveMaxPool2d)


class Small(nn.Module):
    """Two convolutions whose outputs are added, a pool, dropout and a dense layer: what torch.onnx writes of it."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(3, 4, 3, padding=1), nn.BatchNorm2d(4), nn.ReLU())
        self.body = nn.Sequential(nn.Conv2d(4, 4, 3, padding=1), nn.ReLU())
        self.end = nn.Linear(4 * 8 * 8, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.stem(x)
        x = torch.max_pool2d(x + self.body(x), 2)
        answer: torch.Tensor = self.end(x.flatten(1))
        return answer


def from_onnx(folder: Path) -> Model:
    torch.manual_seed(0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(
            Small().eval(), (torch.zeros(1, 3, 16, 16),), folder / "small.onnx", dynamo=False, opset_version=17
        )
    return open_model(folder / "small.onnx")


def from_torchvision() -> Model:
    from torchvision import models

    torch.manual_seed(0)
    return Model(
        trace(models.resnet18(num_classes=3).eval()), InputContract((64, 64)), ("a", "b", "c"), probabilities=False
    )


def kinds_of(graph: fx.GraphModule, *kinds: type[nn.Module]) -> list[str]:
    layers = {
        name: graph.get_submodule(str(node.target))
        for name, node in steps_of(graph).items()
        if node.op == "call_module"
    }
    return [name for name, layer in layers.items() if isinstance(layer, kinds)]


def whole(model: Model) -> Model:
    """Model -> one that has a norm behind a convolution, and a dropout layer."""
    conv = kinds_of(model.graph, nn.Conv2d)[0]
    wanted: list[Edit] = []
    if not any(follows(model.graph, norm) for norm in kinds_of(model.graph, nn.BatchNorm2d)):
        wanted.append(Insert(conv, "BatchNorm2d"))
    if not kinds_of(model.graph, nn.Dropout):
        wanted.append(Insert(kinds_of(model.graph, *ACTIVATIONS)[0], "Dropout"))
    return apply(model, wanted)


def follows(graph: fx.GraphModule, norm: str) -> bool:
    """Whether a norm stands behind a convolution, into which it can be folded."""
    before = steps_of(graph)[norm].all_input_nodes[0]
    return before.op == "call_module" and isinstance(graph.get_submodule(str(before.target)), nn.Conv2d)


def one_of_each(model: Model) -> list[Edit]:
    """Model -> one edit of each kind, each on a layer that can take it."""
    graph = model.graph
    steps = steps_of(graph)
    conv, *_ = convs = kinds_of(graph, nn.Conv2d)
    dense = kinds_of(graph, nn.Linear)[-1]
    modules = {name: graph.get_submodule(str(steps[name].target)) for name in kinds_of(graph, nn.Module)}
    biased = [
        name for name in (*convs, *kinds_of(graph, nn.Linear)) if getattr(modules[name], "bias", None) is not None
    ]
    even = [n for n in convs if modules[n].groups == 1 and not (modules[n].in_channels | modules[n].out_channels) % 2]  # type: ignore[operator]

    def first(*kinds: type[nn.Module]) -> str:
        return next(iter(kinds_of(graph, *kinds)), conv)

    norm = next(name for name in kinds_of(graph, nn.BatchNorm2d) if follows(graph, name))
    act, pool = first(*ACTIVATIONS), first(*POOLS)
    reader = next((n for n in convs if str(steps[n].all_input_nodes[0].op) != "placeholder"), conv)
    before = next(name for name, node in steps.items() if node is steps[reader].all_input_nodes[0])
    names = tuple(f"name {i}" for i in range(len(model.classes) or 3))
    filters, size = int(modules[conv].out_channels), model.contract.size[0]  # type: ignore[arg-type]
    grouped = SetGroups(even[0], 2) if even else SetGroups(conv, 3)
    return [
        SetActivation(act, "tanh"), Silence(conv, (0,)), KeepOnly(conv, (1,)), ScaleChannels(conv, 2.0, (1,)),
        SetDropout(first(nn.Dropout), 0.5, at_prediction=True), grouped, SetFilters(conv, filters + 2),
        SetClassCount((*names, "one more")), FitInput(dense), SetInputSize(size + 8), SetInput(channels="BGR"),
        SetClasses(names), SetKernelSize(conv, 5), SetKernel(conv, 0, "sobel_x"), RotateKernels(conv, 90.0),
        FlipKernels(conv, "left_right"), Remove(act), Insert(conv, "relu"), Replace(act, "sigmoid"),
        RemoveNorm(norm), FoldNorm(norm), FreezeStatistics(norm), ResetStatistics(norm), SetEpsilon(norm, 0.1),
        SetPooling(pool, "avg"), Rewire(reader, before), SetStride(conv, 1), SetPadding(conv, "same"),
        SetDilation(conv, 1), Together((ZeroWeights(conv, (0,)), SetBias(dense, 1.0))),
        SetWeight(conv, (0, 0, 1, 1), 5.0), ScaleWeights(conv, 2.0), ZeroWeights(conv, (0,)), AddNoise(conv, 0.1),
        RandomiseWeights(conv), RoundWeights(conv, 3), SwapChannels(conv, 0, 1), SetBias(dense, 1.0),
        ScaleBias(biased[0], 2.0),
    ]  # fmt: skip


def must_take_one_of_each(model: Model, folder: Path | None = None) -> list[str]:
    """Model, where to save (None: not) -> the kinds that were done with a remedy; all others were done as they are."""
    model = whole(model)
    edits = one_of_each(model)
    assert sorted(edit.kind for edit in edits) == sorted(KINDS), "a kind of edit has no test here"
    mended = []
    for edit in edits:
        try:
            edited = apply(model, [edit_of(edit.to_dict())])
        except Refusal as refused:
            mended.append(edit.kind)
            edited = apply(model, refused.remedies[0][1])
        x = torch.rand(1, 3, *edited.contract.size, generator=torch.Generator().manual_seed(0))
        with torch.inference_mode():
            answer = edited.graph(x)
            assert answer.isfinite().all(), edit.sentence
            if folder is not None and not isinstance(edit, SetDropout):  # which is drawn anew each time
                again = open_model(save_model(edited, folder / "edited.safetensors"))
                assert torch.equal(again.graph(x), answer), edit.sentence
    return mended


def test_a_keras_file(tmp_path: Path) -> None:
    keras = open_model(Path(__file__).parents[1] / "formats" / "golden" / "plain-keras-3.keras")
    assert must_take_one_of_each(keras, tmp_path) == ["set_input_size", "set_stride"]


def test_an_onnx_export(tmp_path: Path) -> None:
    assert must_take_one_of_each(from_onnx(tmp_path), tmp_path) == ["set_input_size"]


def test_a_network_of_torchvision() -> None:
    assert must_take_one_of_each(from_torchvision()) == []


def test_a_teachable_machine_export(shared_data: Path) -> None:
    """At 96 px, to be quick; its weights and layers are the file's."""
    animals = open_model(shared_data / "teachable-machine" / "animals-h5" / "keras_model.h5")
    assert must_take_one_of_each(apply(animals, [SetInputSize(96)])) == []
