"""torch.export's operators -> our layers: the same numbers for every rule, refused by name for the rest."""

from __future__ import annotations

from typing import Any

import pytest
import timm
import torch
import torch.nn.functional as F
from torch import nn

from cutaway.errors import BadModel
from cutaway.graph import program
from cutaway.graph.document import from_document, tensors_of, to_document
from cutaway.graph.exported import Exported, Op, Ref, graph_of
from cutaway.graph.kinds import kind_of
from cutaway.graph.program import export, innermost


class Does(nn.Module):
    def __init__(self, part: Any) -> None:
        super().__init__()
        self.part = part

    def forward(self, x: torch.Tensor) -> Any:
        return self.part(x)


torch.manual_seed(0)
LAYERS: list[nn.Module] = [
    nn.Conv2d(4, 6, (3, 5), (2, 1), (1, 2), groups=2),
    nn.Conv2d(4, 4, 3, padding="same", dilation=2),
    nn.Conv2d(4, 4, 3, padding=1, padding_mode="reflect"),
    nn.ConvTranspose2d(4, 6, 3, 2, 1, 1, groups=2),
    nn.BatchNorm2d(4).eval(),
    nn.BatchNorm2d(4, affine=False).eval(),
    nn.GroupNorm(2, 4),
    nn.LayerNorm((4, 8, 8)),
    nn.LayerNorm(8, bias=False),
    nn.PReLU(4),
    nn.ReLU6(),
    nn.Hardtanh(-2, 0.5),
    nn.SiLU(),
    nn.GELU("tanh"),
    nn.GELU(),
    nn.Sigmoid(),
    nn.Tanh(),
    nn.Hardswish(),
    nn.Hardsigmoid(),
    nn.LeakyReLU(0.3),
    nn.ELU(0.7),
    nn.SELU(),
    nn.CELU(0.6),
    nn.Mish(),
    nn.Softplus(2, 5),
    nn.LogSigmoid(),
    nn.Softmax(1),
    nn.LogSoftmax(-1),
    nn.MaxPool2d(3, 2, 1, ceil_mode=True),
    nn.AvgPool2d(3, 2, 1, count_include_pad=False),
    nn.AdaptiveAvgPool2d(3),
    nn.AdaptiveAvgPool2d(1),
    nn.Flatten(),
    nn.AdaptiveMaxPool2d((2, 3)),
    nn.Dropout(0.3),
    nn.Dropout2d(0.3),
    nn.AlphaDropout(0.2),
    nn.ZeroPad2d((1, 2, 0, 3)),
    nn.ConstantPad2d(1, 0.5),
    nn.ReflectionPad2d(2),
    nn.ReplicationPad2d(2),
    nn.PixelShuffle(2),
    nn.ChannelShuffle(2),
    nn.Upsample(scale_factor=2),
    nn.Upsample(size=(5, 9), mode="bilinear", align_corners=True),
    nn.Linear(8, 3),
]

FUNCTIONS = {
    "add a number": lambda x: x + 1,
    "from a number": lambda x: 2 - x,
    "by itself": lambda x: x * x.mean((2, 3), keepdim=True),
    "div": lambda x: x / 3,
    "neg": lambda x: -x,
    "pow": lambda x: x**2,
    "sqrt": lambda x: (x * x).clamp(min=0.1).sqrt(),
    "rsqrt": lambda x: (x * x + 1).rsqrt(),
    "exp": lambda x: x.exp(),
    "clamp": lambda x: x.clamp(-0.5, 0.5),
    "mean": lambda x: x.mean((2, 3)),
    "amax": lambda x: x.amax((2, 3)),
    "sum": lambda x: x.sum(1, keepdim=True),
    "cat": lambda x: torch.cat((x, F.relu(x)), 1),
    "stack": lambda x: torch.stack((x, x), 1),
    "chunk": lambda x: x.chunk(2, 1)[1],
    "split": lambda x: x.split([1, 3], 1)[1],
    "unbind": lambda x: x.unbind(1)[2],
    "view": lambda x: x.view(x.shape[0], 2, 2, 8, 8),
    "flat": lambda x: x.reshape(x.shape[0], -1),
    "permute": lambda x: x.permute(0, 2, 3, 1),
    "transpose": lambda x: x.transpose(1, 2),
    "squeeze": lambda x: x[:, :1].squeeze(1),
    "slice": lambda x: x[:, 1:3, ::2],
    "select": lambda x: x[:, 1],
    "matmul": lambda x: x @ x.transpose(2, 3),
    "max of two": lambda x: torch.maximum(x, -x),
    "min of two": lambda x: torch.minimum(x, -x),
    "var": lambda x: torch.var_mean(x, (2, 3), keepdim=True)[0],
    "attention": lambda x: F.scaled_dot_product_attention(x, x, x),
    "einsum": lambda x: torch.einsum("nchw,nchv->ncwv", x, x),
    "bicubic": lambda x: F.interpolate(x, (5, 5), mode="bicubic"),
    "pad last": lambda x: F.pad(x, (1, 1)),
    "log": lambda x: (x * x + 1).log(),
    "sin": lambda x: x.sin() + x.cos(),
}


def check(module: nn.Module, tolerance: float = 1e-6) -> None:
    x = torch.randn(3, 4, 8, 8, generator=torch.Generator().manual_seed(1))
    graph = export(module, x[:1])
    again = from_document(to_document(graph), tensors_of(graph))
    with torch.inference_mode():
        wanted = module.eval()(x)
        assert torch.allclose(graph(x), wanted, atol=tolerance)
        assert torch.equal(again(x), graph(x))
    assert all(kind_of(graph.get_submodule(str(n.target))) for n in graph.graph.nodes if n.op == "call_module")


@pytest.mark.parametrize("layer", LAYERS, ids=lambda m: type(m).__name__)
def test_every_layer_gives_its_own_numbers(layer: nn.Module) -> None:
    check(nn.Sequential(layer))


@pytest.mark.parametrize("name", FUNCTIONS)
def test_every_function_gives_its_own_numbers(name: str) -> None:
    check(Does(FUNCTIONS[name]))


@pytest.mark.parametrize("name", ["test_nfnet", "test_efficientnet", "test_convnext"])
def test_whole_networks_give_their_own_numbers(name: str) -> None:
    module, x = timm.create_model(name, num_classes=3).eval(), torch.randn(3, 3, 64, 64)
    graph = export(module, x[:1])
    with torch.inference_mode():
        assert torch.allclose(graph(x), module(x), atol=1e-5)


def test_a_graph_that_differs_or_does_not_run_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    x = torch.randn(1, 4, 8, 8)
    monkeypatch.setattr(program, "graph_of", lambda _: nn.Sigmoid())
    with pytest.raises(BadModel, match=r"Tanh could be exported but its graph gives other numbers \(off by"):
        export(nn.Tanh(), x)
    monkeypatch.setattr(program, "graph_of", lambda _: nn.Linear(3, 3))
    with pytest.raises(BadModel, match=r"Tanh could be exported but its graph does not run \(.*mat1 and mat2"):
        export(nn.Tanh(), x)


def test_a_network_without_an_output_is_told() -> None:
    with pytest.raises(BadModel, match=r"gives no output|gives nothing that it computes"):
        export(Does(lambda _: None), torch.randn(1, 4, 8, 8))


class Writes(nn.Module):
    def __init__(self, how: str) -> None:
        super().__init__()
        self.how, self.relu = how, nn.ReLU(inplace=True)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = x * 2
        if self.how == "whole":
            y = self.relu(x)
            return x + y
        part = x[:, :2]
        self.relu(part)
        return x + 1 if self.how == "part" else part + 1


def test_what_writes_in_place_is_read_afterwards() -> None:
    check(Writes("whole"))
    check(Writes("unread"))
    with pytest.raises(
        BadModel, match="The operator relu_ at relu cannot be taken over: it writes into a part of a value"
    ):
        export(Writes("part"), torch.randn(1, 4, 8, 8))


@pytest.mark.parametrize(
    ("part", "said"),
    [
        (lambda x: x.cumprod(1), "The operator cumprod at cumprod cannot be taken over: it is not on Cutaway's list"),
        (lambda x: F.conv2d(x, x[:1, :, :3, :3]), "conv2d .*: its weight is computed from the picture"),
        (lambda x: x.add(x, alpha=2), "add .*: it adds with a factor"),
        (lambda x: x.div(2, rounding_mode="floor"), "div .*: it rounds a division"),
        (lambda x: F.batch_norm(x, None, None, training=True), "batch_norm .*: it normalises by the batch it is given"),
        (lambda x: F.group_norm(x, 2), "group_norm .*: it normalises groups without weights"),
        (lambda x: -x if x.sum() > 0 else x, "Does cannot be followed by torch.export"),
        (lambda x: torch.ones(2).cumsum(0) + x.mean(), "from stored numbers"),
        (lambda _: torch.ones(1, 2), "The operator ones at ones .* from stored numbers"),
    ],
)
def test_what_cannot_be_taken_over_is_told(part: Any, said: str) -> None:
    with pytest.raises(BadModel, match=said):
        export(Does(part), torch.randn(1, 4, 8, 8))


def ops(*steps: Op, output: str = "y") -> Exported:
    return Exported("x", output, steps, {"w": ("c.weight", torch.ones(2, 3, 1, 1))})


@pytest.mark.parametrize(
    ("exported", "said"),
    [
        (ops(Op("y", "conv2d", {"input": Ref("x"), "weight": Ref("gone")}, "c")), "conv2d at c .*it reads 'gone'"),
        (ops(Op("y", "max_pool2d", {"self": Ref("x")}, "p")), r"max_pool2d at p cannot be taken over \(KeyError"),
        (ops(), "gives nothing that it computes from the picture"),
        (
            ops(
                Op(
                    "y",
                    "batch_norm",
                    {"input": Ref("x"), "running_mean": Ref("w"), "running_var": Ref("w"), "weight": Ref("w")},
                )
            ),
            "its running_mean has the shape",
        ),
        (ops(Op("y", "conv_transpose2d", {"input": Ref("x"), "weight": Ref("b")})), "it reads 'b'"),
        (ops(Op("y", "elu", {"self": Ref("x"), "input_scale": 2})), "its input is scaled"),
        (ops(Op("y", "elu", {"self": Ref("x"), "scale": 2})), "its output is scaled"),
        (ops(Op("y", "slice", {"self": Ref("x"), "dim": -1})), "it slices an axis counted from the end"),
        (ops(Op("y", "select", {"self": Ref("x"), "dim": -1, "index": 0})), "it picks along an axis"),
    ],
)
def test_operators_that_do_not_fit_are_told(exported: Exported, said: str) -> None:
    with pytest.raises(BadModel, match=said):
        graph_of(exported)


@pytest.mark.parametrize(
    ("op", "said"),
    [
        (
            Op("y", "conv2d", {"input": Ref("x"), "weight": Ref("w"), "stride": "x"}, "c"),
            "The layer c cannot work on what it",
        ),
        (
            Op("y", "adaptive_avg_pool2d", {"self": Ref("x"), "output_size": 30000}, "p", True),
            "The layer p .* too large",
        ),
        (Op("y", "view", {"self": Ref("x"), "size": [7, 7]}), "The layer view cannot work on what it gets: shape"),
    ],
)
def test_shapes_are_followed_before_anything_is_computed(op: Op, said: str) -> None:
    exported = Exported("x", "y", [op], {"w": ("c.weight", torch.ones(2, 3, 1, 1))}, None, {"x": (-1, 3, 8, 8)})
    with pytest.raises(BadModel, match=said):
        graph_of(exported)


def test_a_transposed_convolution_over_three_axes_is_not_listed() -> None:
    three = Exported(
        "x",
        "y",
        [Op("y", "convolution", {"input": Ref("x"), "weight": Ref("w"), "transposed": True})],
        {"w": ("w", torch.ones(1, 1, 1, 1, 1))},
    )
    with pytest.raises(BadModel, match="a transposed convolution over 3 axes is not on the list"):
        graph_of(three)


def test_names_are_the_modules_paths() -> None:
    assert innermost("layer1.0.relu@1", "torch.nn.modules.activation.ReLU") == ("layer1.0.relu", True)
    assert innermost("body", "torch.nn.modules.container.Sequential") == ("body", False)
    assert innermost("", "x.Net") == ("", False)
