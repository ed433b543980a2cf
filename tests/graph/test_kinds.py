"""Kinds: every listed layer is rebuilt from its settings alone; nothing else can be named."""

from __future__ import annotations

import json

import pytest
import torch
from torch import nn

from cutaway.errors import BadModel
from cutaway.graph import kinds
from cutaway.graph.build import GraphBuilder
from cutaway.graph.document import from_document, tensors_of, to_document
from cutaway.graph.kinds import build, kind_class, kind_of, settings_of

LAYERS: list[tuple[nn.Module, tuple[int, ...]]] = [
    (nn.Conv2d(4, 6, (3, 2), stride=2, padding=(1, 0), dilation=2, groups=2, bias=False), (1, 4, 9, 9)),
    (nn.Conv2d(4, 6, 3, padding="same", padding_mode="reflect"), (1, 4, 9, 9)),
    (nn.Conv1d(4, 2, 3), (1, 4, 9)),
    (nn.ConvTranspose2d(4, 2, 3, 2, output_padding=1), (1, 4, 5, 5)),
    (nn.Linear(4, 3, bias=False), (2, 4)),
    (nn.BatchNorm2d(4, eps=1e-3, momentum=0.001, affine=False), (1, 4, 3, 3)),
    (nn.LayerNorm((4, 3), elementwise_affine=False), (1, 4, 3)),
    (nn.LayerNorm(3, bias=False), (1, 4, 3)),
    (nn.GroupNorm(2, 4, affine=False), (1, 4, 3, 3)),
    (nn.MaxPool2d(3, 2, 1, ceil_mode=True), (1, 4, 8, 8)),
    (nn.AvgPool2d(3, 2, 1, count_include_pad=False), (1, 4, 8, 8)),
    (nn.AdaptiveAvgPool2d((None, 2)), (1, 4, 8, 8)),
    (nn.PReLU(4, init=0.1), (1, 4, 3, 3)),
    (nn.Hardtanh(-0.5, 0.25), (1, 4)),
    (nn.Softplus(2.0, 9.0), (1, 4)),
    (nn.Softmax(dim=1), (1, 4)),
    (nn.Dropout(0.3), (1, 4)),
    (nn.Flatten(2), (1, 4, 3, 3)),
    (nn.Upsample(scale_factor=2.0, mode="bilinear", align_corners=True), (1, 4, 3, 3)),
    (nn.ZeroPad2d((0, 1, 0, 1)), (1, 4, 3, 3)),
    (nn.Unfold(2, stride=2), (1, 4, 4, 4)),
]


@pytest.mark.parametrize(("layer", "shape"), LAYERS, ids=[f"{n}-{type(m).__name__}" for n, (m, _) in enumerate(LAYERS)])
def test_a_layer_is_rebuilt_from_its_settings(layer: nn.Module, shape: tuple[int, ...]) -> None:
    layer = layer.eval()
    again = build(kind_of(layer) or "", settings_of(layer)).eval()
    again.load_state_dict(layer.state_dict())
    x = torch.randn(shape)
    assert repr(again) == repr(layer)
    assert torch.equal(again(x), layer(x))
    builder = GraphBuilder()
    graph = builder.finish(builder.layer("one", layer, builder.input()))
    read = from_document(json.loads(json.dumps(to_document(graph))), tensors_of(graph))
    assert torch.equal(read(x), layer(x))


@pytest.mark.parametrize("kind", sorted(kinds._TORCH))
def test_every_kind_of_torch_exists(kind: str) -> None:
    assert issubclass(kind_class(kind), nn.Module)


@pytest.mark.parametrize("kind", sorted(kinds._FOREIGN))
def test_every_kind_of_the_libraries_exists_and_is_rebuilt(kind: str) -> None:
    cls = kind_class(kind)
    assert cls.__module__.startswith(("timm.", "torchvision."))
    made = {
        "StochasticDepth": lambda: cls(0.2, "row"),
        "DropPath": lambda: cls(0.2),
        "AvgPool2dSame": lambda: cls(3, 2),
    }.get(kind, lambda: cls(4, 6, 3, stride=2, bias=False))().eval()
    again = build(kind, json.loads(json.dumps(settings_of(made)))).eval()
    again.load_state_dict(made.state_dict())
    x = torch.randn(2, 4, 9, 9)
    assert torch.equal(again(x), made(x))


def test_attention_is_rebuilt() -> None:
    layer = nn.MultiheadAttention(8, 2, batch_first=True, bias=False).eval()
    again = build("MultiheadAttention", settings_of(layer)).eval()
    again.load_state_dict(layer.state_dict())
    x = torch.randn(1, 5, 8)
    assert torch.equal(again(x, x, x)[0], layer(x, x, x)[0])


class Conv2d(nn.Conv2d):
    """A class of the same name that may do anything."""


@pytest.mark.parametrize("module", [Conv2d(1, 1, 1), nn.Sequential(), nn.LSTM(1, 1), nn.Module()])
def test_other_classes_have_no_kind(module: nn.Module) -> None:
    assert kind_of(module) is None


@pytest.mark.parametrize("kind", ["Lambda", "Sequential", "Module", "os.system", "", "__class__", "LazyLinear"])
def test_other_kinds_are_refused(kind: str) -> None:
    with pytest.raises(BadModel, match=f"The model names a layer of kind '{kind}', which is not on Cutaway's list"):
        kind_class(kind)


def test_settings_that_do_not_exist_or_do_not_work_are_refused() -> None:
    with pytest.raises(BadModel, match="A layer of kind ReLU has no setting 'device'"):
        build("ReLU", {"device": "cuda"})
    with pytest.raises(BadModel, match=r"A layer of kind Conv2d cannot be built from .*groups"):
        build("Conv2d", {"in_channels": 3, "out_channels": 4, "kernel_size": 3, "groups": 2})
    with pytest.raises(BadModel, match="A layer of kind Conv2d has kernel_size 0; it needs at least 1"):
        build("Conv2d", {"in_channels": 3, "out_channels": 4, "kernel_size": (3, 0)})
    with pytest.raises(BadModel, match="A layer of kind Linear cannot be built from"):
        build("Linear", {})
