"""Receptive fields: published ones, sums by hand, and gradients (which pixels can change one number at all)."""

from __future__ import annotations

import copy
import operator
from collections.abc import Callable

import pytest
import torch
import torchvision
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import fx, nn

from cutaway.graph import extra
from cutaway.graph.build import GraphBuilder
from cutaway.graph.names import step_named
from cutaway.graph.receptive import ReceptiveField, receptive_fields
from cutaway.graph.shapes import shapes_of
from cutaway.graph.trace import trace

NO_AUX = {"aux_logits": False, "init_weights": False}


def fields(graph: fx.GraphModule, shape: tuple[int, int, int]) -> dict[str, ReceptiveField]:
    return receptive_fields(graph, shapes_of(graph, shape))


def network(name: str) -> fx.GraphModule:
    """Only shapes matter here, so the weights are not made."""
    options = NO_AUX if name in ("googlenet", "inception_v3") else {}
    with torch.device("meta"):
        return trace(getattr(torchvision.models, name)(weights=None, **options))


# Size and stride at the last map, from the table of Araujo, Norris and Sim (2019), https://distill.pub/2019/
# computing-receptive-fields, where the network is the same; offsets and the rest by their formula (2), by hand.
PUBLISHED = [
    ("alexnet", "features.12", 195, 32, 31.0),
    ("vgg16", "features.30", 212, 32, 15.5),
    ("inception_v3", "cat_14", 1311, 32, 37.0),
    ("resnet18", "layer4.1.relu_2", 435, 32, 0.0),
    ("resnet50", "layer4.2.relu_3", 427, 32, 0.0),  # 483 in the table: its stride lies in the blocks' last layers
    ("mobilenet_v2", "features.18.0", 491, 32, 0.0),
]


@pytest.mark.parametrize(("name", "layer", "size", "stride", "offset"), PUBLISHED, ids=[p[0] for p in PUBLISHED])
def test_known_networks(name: str, layer: str, size: int, stride: int, offset: float) -> None:
    graph = network(name)
    found = fields(graph, (3, 96, 96))[step_named(graph, layer).name]
    assert (found.size, found.stride, found.offset) == ((size, size), (stride, stride), (offset, offset))
    assert not found.whole
    assert not found.gated


def positive(graph: fx.GraphModule) -> fx.GraphModule:
    """A copy in which nothing cancels or saturates: every weight 1 / fan-in, averages for maxima, no normalisation."""
    twin = copy.deepcopy(graph).to_empty(device="cpu").double().eval()
    for name, module in list(twin.named_modules()):
        new: nn.Module | None = None
        if isinstance(module, nn.MaxPool2d):
            new = nn.AvgPool2d(module.kernel_size, module.stride, module.padding, module.ceil_mode)
        elif isinstance(
            module, nn.BatchNorm2d | nn.ReLU | nn.ReLU6 | nn.GELU | nn.SiLU | nn.Hardswish | nn.Hardsigmoid
        ):
            new = nn.Identity()
        if new is not None:
            twin.set_submodule(name, new)
    for parameter in twin.parameters():
        parameter.data.fill_(1.0 / max(1, parameter[0].numel() if parameter.ndim > 1 else 1))
    return twin


def seen(graph: fx.GraphModule, node: str, row: int, column: int, shape: tuple[int, int, int]) -> tuple[int, ...]:
    """First and last row and column of the pixels with a gradient at one place of a step."""
    values: dict[str, torch.Tensor] = {}

    class Keep(fx.Interpreter):
        def run_node(self, n: fx.Node) -> object:
            values[n.name] = super().run_node(n)
            return values[n.name]

    x = torch.ones(1, *shape, dtype=torch.float64, requires_grad=True)
    Keep(graph).run(x)
    (gradient,) = torch.autograd.grad(values[node][0, :, row, column].sum(), x)
    rows = gradient.abs().sum((0, 1, 3)).nonzero().flatten().tolist()
    columns = gradient.abs().sum((0, 1, 2)).nonzero().flatten().tolist()
    return rows[0], columns[0], rows[-1], columns[-1]


BY_GRADIENT = ["alexnet", "resnet18", "mobilenet_v2", "googlenet", "densenet121", "shufflenet_v2_x0_5"]


@pytest.mark.parametrize("name", BY_GRADIENT)
def test_windows_are_where_the_gradient_is(name: str) -> None:
    shape = (3, 80, 64)
    graph = network(name)
    shapes = shapes_of(graph, shape)
    found = receptive_fields(graph, shapes)
    twin = positive(graph)
    maps = [n for n, s in shapes.items() if len(s) == 4 and s[2] > 1 and n in found and n != "x"]
    for node in maps[:: max(1, len(maps) // 4)]:
        _, _, height, width = shapes[node]
        for row, column in {(0, width - 1), (height // 2, width // 2)}:
            assert found[node].window(row, column, shape[1:]) == seen(twin, node, row, column, shape), node


def test_channels_last_layers_keep_their_window() -> None:
    """ConvNeXt permutes, normalises over channels and multiplies dense layers: still convolutions of 1 x 1."""
    graph = network("convnext_tiny")
    found = fields(graph, (3, 64, 64))
    assert found["features_1_0_block_5"].size == (28, 28)  # 4 x 4 stride 4, then 7 x 7: 4 + 6 * 4
    assert (found["add"].size, found["add"].stride, found["add"].offset) == ((28, 28), (4, 4), (1.5, 1.5))


def test_squeeze_and_excitation_is_gated() -> None:
    found = fields(network("efficientnet_b0"), (3, 224, 224))
    assert found["features_0_0"].text == "3 x 3"
    assert found["features_1_0_block_1_avgpool"].text == "whole"
    assert found["features_1_0_block_1_fc2"].whole
    assert found["mul"].text == "7 x 7, gated"
    assert found["features_8_0"].size == (851, 851)
    assert found["classifier_1"].text == "whole"


def chain(*layers: nn.Module) -> fx.GraphModule:
    return trace(nn.Sequential(*layers))


@settings(max_examples=40, deadline=None)
@given(st.data())
def test_any_chain_of_windows_agrees_with_its_gradient(data: st.DataObject) -> None:
    """Convolutions, transposed ones, pools, pads, 'same' layers, upsampling, adaptive pools in any order."""
    few = st.integers(1, 3)

    def pair() -> tuple[int, int]:
        return data.draw(few), data.draw(few)

    makers: list[Callable[[], nn.Module]] = [
        lambda: nn.Conv2d(2, 2, pair(), pair(), (1, 0), dilation=pair()),
        lambda: nn.Conv2d(2, 2, (3, 2), groups=2, padding="same"),
        lambda: nn.AvgPool2d((3, 2), pair(), (1, 1), ceil_mode=data.draw(st.booleans())),
        lambda: nn.ZeroPad2d((1, 2, 0, 3)),
        lambda: extra.SamePad2d((3, 3), pair()),
        lambda: extra.SamePool2d((3, 2), (2, 2)),
        lambda: nn.Upsample(scale_factor=2, mode=data.draw(st.sampled_from(["nearest", "bilinear"]))),
        lambda: nn.AdaptiveAvgPool2d((data.draw(st.integers(1, 6)), data.draw(st.integers(2, 6)))),
        lambda: nn.ConvTranspose2d(2, 2, (3, 2), (2, 2), (1, 0)),
    ]
    layers = [data.draw(st.sampled_from(makers))() for _ in range(data.draw(st.integers(1, 4)))]
    shape = (2, 17, 23)
    graph = chain(*layers)
    try:
        shapes = shapes_of(graph, shape)
    except Exception:  # the map has become too small
        return
    found = receptive_fields(graph, shapes)
    twin = positive(graph)
    *_, node = [n for n in shapes if n in found]
    _, _, height, width = shapes[node]
    row, column = data.draw(st.integers(0, height - 1)), data.draw(st.integers(0, width - 1))
    window = found[node].window(row, column, shape[1:])
    try:
        real = seen(twin, node, row, column, shape)
    except IndexError:  # a place that only saw padding
        return
    # Border cells of an interpolation, a dilated window or one that leaps over pixels may see less than the ends.
    assert window[0] <= real[0]
    assert window[1] <= real[1]
    assert window[2] >= real[2]
    assert window[3] >= real[3]
    leaps = any(isinstance(layer, nn.AvgPool2d) and layer.stride[1] > layer.kernel_size[1] for layer in layers)  # type: ignore[index]
    if not leaps and not any(isinstance(layer, nn.Upsample | nn.ConvTranspose2d | nn.Conv2d) for layer in layers):
        assert window == real


def test_unclipped_windows_count_the_padding() -> None:
    found = fields(chain(nn.Conv2d(3, 4, 3, stride=2, padding=1), nn.Conv2d(4, 4, 3, padding=1)), (3, 9, 9))["_1"]
    assert found.size == (7, 7)
    assert found.window(0, 1) == (-3, -1, 3, 5)
    assert found.window(0, 1, (9, 9)) == (0, 0, 3, 5)
    assert found.to_dict() == {
        "size": [7, 7], "stride": [2.0, 2.0], "offset": [0.0, 0.0], "whole": False, "gated": False,
    }  # fmt: skip


def test_flatten_and_dense_see_the_union() -> None:
    """lenet-like: 9 pixels, windows of 3, stride 4: the last pixel but one row is never seen."""
    found = fields(chain(nn.Conv2d(1, 2, 3, stride=4), nn.Flatten(), nn.Linear(8, 2)), (1, 8, 9))
    assert found["_1"].size == (7, 7)  # rows 0..6 of 8, columns 0..6 of 9
    assert found["_2"].window(0, 0) == (0, 0, 6, 6)
    assert not found["_2"].whole


def test_a_group_norm_sees_everything_besides() -> None:
    found = fields(chain(nn.Conv2d(3, 4, 3), nn.GroupNorm(2, 4), nn.Conv2d(4, 4, 3)), (3, 16, 16))
    assert found["_0"].text == "3 x 3"
    assert found["_1"].text == "3 x 3, gated"
    assert found["_2"].text == "5 x 5, gated"


def test_branches_join_to_the_hull() -> None:
    builder = GraphBuilder()
    x = builder.input()
    wide = builder.layer("wide", nn.Conv2d(3, 4, 5, padding=2), x)
    narrow = builder.layer("narrow", nn.Conv2d(3, 4, 1), x)
    tall = builder.layer("tall", nn.Conv2d(3, 4, (7, 1), padding=(3, 0)), x)
    both = builder.call("both", torch.cat, [wide, narrow, tall], 1)
    found = fields(builder.finish(builder.call("twice", operator.add, both, both)), (3, 20, 20))
    assert found["twice"].size == (7, 5)


def test_slices_shift_and_stride() -> None:
    class Net(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            a = x[:, :, 1:, ::2]
            return a.mean((2, 3), keepdim=True) + x[..., :4, 3:4].transpose(2, 3)

    found = fields(trace(Net()), (3, 8, 8))
    first = found["getitem"]
    assert first.window(0, 1) == (1, 2, 1, 2)
    assert found["mean"].window(0, 0) == (1, 0, 7, 6)


def test_attention_and_matrix_products_see_all() -> None:
    class Net(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            tokens = x.flatten(2)  # (N, C, H*W): every token is still one pixel
            weights = torch.softmax(torch.matmul(tokens.transpose(1, 2), tokens), -1)
            return torch.matmul(tokens, weights)

    found = fields(trace(Net()), (3, 5, 6))
    assert all(found[n].whole for n in found if n.startswith(("matmul", "softmax")))


def test_a_layer_of_attention_gives_two_values_and_its_first_goes_on() -> None:
    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.attention = nn.MultiheadAttention(4, 2, batch_first=True)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            tokens = x.flatten(2).transpose(1, 2)  # (N, H*W, 4)
            return tokens + self.attention(tokens, tokens, tokens, need_weights=False)[0]  # as a transformer's block

    assert fields(trace(Net().eval()), (4, 5, 6))["add"].gated  # each token itself, and all of them through attention


def test_steps_that_do_not_depend_on_the_picture_have_none() -> None:
    builder = GraphBuilder()
    x = builder.input()
    one = builder.call("ones", torch.ones, 1, 3, 4, 4)
    found = fields(builder.finish(builder.call("shifted", operator.add, x, one)), (3, 4, 4))
    assert "ones" not in found
    assert found["shifted"].size == (1, 1)
