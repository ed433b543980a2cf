"""The passes after tracing: in-place made functional, shared layers cloned, calls made layers, classes made plain."""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

import pytest
import timm
import torch
import torch.nn.functional as F
from timm.layers import BatchNormAct2d
from timm.layers.activations import GELU, GELUTanh, Sigmoid, Tanh
from torch import nn

from cutaway.graph.trace import trace


class Net(nn.Module):
    """A network out of a function and the layers it uses."""

    def __init__(self, run: Callable[..., torch.Tensor], **layers: nn.Module) -> None:
        super().__init__()
        for name, layer in layers.items():
            self.add_module(name, layer)
        self.run = run

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.run(self, x)


def layers(graph: Any) -> list[str]:
    return [type(graph.get_submodule(n.target)).__name__ for n in graph.graph.nodes if n.op == "call_module"]


def relu_in_place_and_read_again(net: Any, x: torch.Tensor) -> torch.Tensor:
    y = net.conv(x)
    z = net.relu(y)  # writes y
    return y + z * 3


def add_in_place(net: Any, x: torch.Tensor) -> torch.Tensor:
    y = net.conv(x)
    before = y * 1
    y += 2
    y *= 3
    return y - before


def method_in_place(net: Any, x: torch.Tensor) -> torch.Tensor:
    y = net.conv(x)
    y.relu_()
    z = y.sigmoid_()
    return y + z


def functional_in_place(net: Any, x: torch.Tensor) -> torch.Tensor:
    y = net.conv(x)
    F.relu(y, inplace=True)
    return y + F.hardtanh(y, 0.0, 0.5, inplace=True)


@pytest.mark.parametrize("run", [relu_in_place_and_read_again, add_in_place, method_in_place, functional_in_place])
def test_what_is_read_after_a_write_reads_the_written_value(run: Callable[..., torch.Tensor]) -> None:
    torch.manual_seed(0)
    network = Net(run, conv=nn.Conv2d(2, 2, 1), relu=nn.ReLU(inplace=True))
    graph = trace(network)
    x = torch.randn(1, 2, 5, 5)
    with torch.no_grad():
        assert torch.equal(graph(x), network(x))
    assert not any(n.target in (operator.iadd, operator.imul) for n in graph.graph.nodes)
    assert not any(n.op == "call_method" and n.target.endswith("_") for n in graph.graph.nodes)
    assert not any(n.kwargs.get("inplace") for n in graph.graph.nodes)
    assert not any(getattr(m, "inplace", False) for m in graph.modules())


def test_no_node_changes_another_nodes_value() -> None:
    torch.manual_seed(0)
    graph = trace(timm.create_model("test_resnet", num_classes=2), torch.zeros(1, 3, 64, 64))
    kept: dict[str, tuple[torch.Tensor, torch.Tensor]] = {}

    class Keeps(torch.fx.Interpreter):
        def run_node(self, n: torch.fx.Node) -> Any:
            value = super().run_node(n)
            if isinstance(value, torch.Tensor):
                kept[n.name] = (value, value.clone())
            return value

    with torch.inference_mode():
        Keeps(graph).run(torch.randn(1, 3, 64, 64))
    assert all(torch.equal(value, copy) for value, copy in kept.values())


def test_a_layer_without_weights_that_is_used_twice_gets_a_copy() -> None:
    network = Net(lambda n, x: n.relu(n.b(n.relu(n.a(x)))), a=nn.Linear(3, 3), b=nn.Linear(3, 3), relu=nn.ReLU())
    graph = trace(network)
    targets = [str(n.target) for n in graph.graph.nodes if n.op == "call_module"]
    assert targets == ["a", "relu", "b", "relu_2"]
    assert graph.get_submodule("relu") is not graph.get_submodule("relu_2")


def test_a_layer_with_weights_that_is_used_twice_keeps_them_shared() -> None:
    graph = trace(Net(lambda n, x: n.a(n.a(x)), a=nn.Linear(3, 3)))
    assert [str(n.target) for n in graph.graph.nodes if n.op == "call_module"] == ["a", "a"]
    assert sum(p.numel() for p in graph.parameters()) == 12


CALLS: list[tuple[Callable[[torch.Tensor], torch.Tensor], str]] = [
    (F.relu, "ReLU"),
    (torch.relu, "ReLU"),
    (lambda x: x.relu(), "ReLU"),
    (F.relu6, "ReLU6"),
    (F.silu, "SiLU"),
    (F.gelu, "GELU"),
    (lambda x: F.gelu(x, approximate="tanh"), "GELU"),
    (F.mish, "Mish"),
    (F.hardswish, "Hardswish"),
    (F.hardsigmoid, "Hardsigmoid"),
    (lambda x: F.hardtanh(x, -0.5, 0.25), "Hardtanh"),
    (lambda x: F.elu(x, alpha=0.3), "ELU"),
    (lambda x: F.leaky_relu(x, 0.3), "LeakyReLU"),
    (torch.sigmoid, "Sigmoid"),
    (lambda x: x.sigmoid(), "Sigmoid"),
    (torch.tanh, "Tanh"),
    (lambda x: F.dropout(x, 0.5, False), "Dropout"),
    (lambda x: F.dropout2d(x, 0.5, False), "Dropout2d"),
    (lambda x: torch.flatten(x, 1), "Flatten"),
    (lambda x: x.flatten(2), "Flatten"),
    (lambda x: F.adaptive_avg_pool2d(x, (2, 1)), "AdaptiveAvgPool2d"),
    (lambda x: F.adaptive_max_pool2d(x, 2), "AdaptiveMaxPool2d"),
    (lambda x: F.max_pool2d(x, 3, stride=2, padding=1, ceil_mode=True), "MaxPool2d"),
    (lambda x: F.max_pool2d(x, kernel_size=2), "MaxPool2d"),
    (lambda x: F.avg_pool2d(x, 3, 2, 1, count_include_pad=False), "AvgPool2d"),
]


@pytest.mark.parametrize(("call", "kind"), CALLS, ids=[f"{i}-{kind}" for i, (_, kind) in enumerate(CALLS)])
def test_a_call_becomes_a_layer_with_the_same_settings(call: Callable[[torch.Tensor], torch.Tensor], kind: str) -> None:
    graph = trace(Net(lambda _, x: call(x)))
    x = torch.randn(2, 3, 7, 7)
    assert layers(graph) == [kind]
    assert torch.equal(graph(x), call(x))


def test_a_call_whose_setting_depends_on_the_input_stays_a_call() -> None:
    graph = trace(Net(lambda _, x: F.avg_pool2d(x, x.shape[-1])))
    assert layers(graph) == []
    assert graph(torch.ones(1, 1, 6, 6)).shape == (1, 1, 1, 1)


def test_normalisation_with_activation_becomes_two_layers() -> None:
    torch.manual_seed(0)
    both = BatchNormAct2d(4, act_layer=nn.SiLU)
    both.running_mean.normal_()
    network = Net(lambda n, x: n.both(x), both=both).eval()
    graph = trace(network)
    x = torch.randn(2, 4, 3, 3)
    assert layers(graph) == ["BatchNorm2d", "SiLU"]
    assert torch.equal(graph(x), network(x))


@pytest.mark.parametrize(("ours", "kind"), [(GELU, "GELU"), (GELUTanh, "GELU"), (Sigmoid, "Sigmoid"), (Tanh, "Tanh")])
def test_timms_activations_become_torchs(ours: type[nn.Module], kind: str) -> None:
    network = Net(lambda n, x: n.again(n.act(x)), act=ours(), again=ours())
    graph = trace(network)
    x = torch.randn(2, 4, 3, 3)
    assert layers(graph) == [kind, kind]
    assert torch.equal(graph(x), network(x))


def test_functions_a_library_closes_to_tracing_are_opened() -> None:
    graph = trace(timm.create_model("test_vit", num_classes=2), torch.zeros(1, 3, 160, 160))
    names = {getattr(n.target, "__name__", "") for n in graph.graph.nodes}
    assert not names & {"resolve_self_attn_mask", "maybe_add_mask", "_assert"}


def test_operators_and_their_torch_twins_are_one() -> None:
    graph = trace(Net(lambda _, x: torch.add(x, 1) @ torch.mul(x, other=2) ** 2 / torch.sub(x, 3)))
    targets = [n.target for n in graph.graph.nodes if n.op == "call_function"]
    assert set(targets) == {operator.add, operator.mul, operator.sub, operator.truediv, torch.matmul, torch.pow}
    assert torch.equal(graph(torch.eye(2)), graph(torch.eye(2)))


def test_the_copy_for_a_second_use_takes_no_other_layers_name() -> None:
    class Named(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.relu, self.relu_2, self.c = nn.ReLU(), nn.LeakyReLU(0.5), nn.Conv2d(3, 3, 1)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.relu_2(self.c(self.relu(self.c(self.relu(x)))))  # type: ignore[no-any-return]

    network, x = Named().eval(), torch.randn(1, 3, 4, 4)
    assert torch.equal(trace(network)(x), network(x))
