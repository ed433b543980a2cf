"""Guided backprop and deconvnet by hand, equal to captum's on plain ReLUs, and on every rectifier captum's miss."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from captum.attr import Deconvolution, GuidedBackprop
from torch import fx, nn

from cutaway.errors import BadModel
from cutaway.explanation.gradient import gradient
from cutaway.explanation.guided_backprop import METHOD as GUIDED
from cutaway.explanation.method import NoSettings, method_named
from cutaway.explanation.question import Question, ask
from cutaway.explanation.rewrite import RuleName, rewritten
from cutaway.graph.extra import ClippedReLU
from cutaway.graph.trace import trace
from cutaway.image import InputContract
from cutaway.model import Model

RULES: tuple[RuleName, ...] = ("guided", "deconvnet")
Activation = Callable[[torch.Tensor], torch.Tensor]


class Spelled(nn.Module):
    """Two convolutions, each followed by a function that is written out."""

    def __init__(self, function: Activation) -> None:
        super().__init__()
        torch.manual_seed(1)
        self.conv1, self.conv2 = nn.Conv2d(3, 6, 3), nn.Conv2d(6, 6, 3)
        self.last = nn.Linear(6, 3)
        self.function = function

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.function(self.conv2(self.function(self.conv1(x))))
        return self.last(x.mean((2, 3)))


def layered(activation: nn.Module) -> nn.Module:
    torch.manual_seed(1)
    first, second = nn.Conv2d(3, 6, 3), nn.Conv2d(6, 6, 3)
    ends = (nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(6, 3))
    return nn.Sequential(first, activation, nn.MaxPool2d(2), second, copy.deepcopy(activation), *ends)


def question_on(network: nn.Module, side: int = 12) -> Question:
    model = Model(trace(network.eval()), InputContract((side, side)), ("a", "b", "c"))
    pixels = np.random.default_rng(0).integers(0, 256, (2, side, side, 3), np.uint8)
    asked = ask(model, pixels, [0, 1])
    return asked.with_(x=asked.x * 3 - 1)


def ruled(question: Question, rule: RuleName) -> torch.Tensor:
    return gradient(question, rewritten(question.network, rule, "Guided backprop").network)


def test_three_layers_by_hand() -> None:
    """x = (2, 1): hidden a = relu(x0 - x1) = 1, b = relu(x1 - x0) = 0, c = relu(x0) = 2, d = relu(3 x0 + x1) = 7;
    f = a + b - c + 2 d."""
    one = nn.Conv2d(1, 4, (1, 2), bias=False)
    two = nn.Conv2d(4, 1, 1, bias=False)
    with torch.no_grad():
        one.weight.copy_(torch.tensor([[1.0, -1.0], [-1.0, 1.0], [1.0, 0.0], [3.0, 1.0]]).view(4, 1, 1, 2))
        two.weight.copy_(torch.tensor([1.0, 1.0, -1.0, 2.0]).view(1, 4, 1, 1))
    graph = trace(nn.Sequential(one, nn.ReLU(), two, nn.Flatten()).eval())
    x = torch.tensor([2.0, 1.0]).view(1, 1, 1, 2)
    asked = Question(graph, InputContract((1, 2)), np.zeros((1, 1, 2, 3), np.uint8), x, torch.tensor([0]))
    for parameter in graph.parameters():
        parameter.requires_grad_(False)
    plain = gradient(asked).flatten().tolist()
    assert plain == [1 - 1 + 6, -1 + 2], "a, c and d are on"
    assert ruled(asked, "guided").flatten().tolist() == [1 + 6, -1 + 2], "c speaks against f and is cut off"
    assert ruled(asked, "deconvnet").flatten().tolist() == [1 - 1 + 6, -1 + 1 + 2], "b is off, and lets through"


@pytest.mark.parametrize(("rule", "peer"), [("guided", GuidedBackprop), ("deconvnet", Deconvolution)])
@pytest.mark.parametrize(("kind", "tolerance"), [(torch.float32, 1e-6), (torch.float64, 1e-12)])
@pytest.mark.filterwarnings("ignore:Setting backward hooks on ReLU activations")
def test_on_plain_relus_they_equal_captums(rule: RuleName, peer: Any, kind: torch.dtype, tolerance: float) -> None:
    network = layered(nn.ReLU()).to(kind)
    asked = question_on(network.float())
    asked = asked.with_(network=copy.deepcopy(asked.network).to(kind), x=asked.x.to(kind))
    theirs = peer(network.to(kind)).attribute(asked.x.clone().requires_grad_(), target=asked.classes)
    ours = ruled(asked, rule)
    assert (ours - theirs).abs().max() < tolerance * theirs.abs().max()
    assert (ours - gradient(asked)).abs().max() > 0.01 * theirs.abs().max()


LAYERS = [
    nn.ReLU(), nn.ReLU6(), nn.LeakyReLU(0.1), nn.PReLU(), nn.ELU(), nn.SELU(), nn.CELU(), nn.GELU(), nn.SiLU(),
    nn.Mish(), nn.Softplus(), nn.Hardswish(), nn.Hardtanh(0, 4), ClippedReLU(6.0, 0.1), ClippedReLU(None, 0.0),
]  # fmt: skip


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("layer", LAYERS, ids=[type(layer).__name__ for layer in LAYERS])
def test_every_rectifier_gets_the_rule(layer: nn.Module, rule: RuleName) -> None:
    asked = question_on(layered(layer))
    made = rewritten(asked.network, rule, "Guided backprop")
    assert len(made.rectifiers) == 2
    assert made.gates == ()
    assert torch.equal(made.network(asked.x), asked.network(asked.x)), "forwards nothing changes"
    plain, ours = gradient(asked), gradient(asked, made.network)
    assert (ours - plain).abs().max() > 0.01 * plain.abs().max()


def silu(x: torch.Tensor) -> torch.Tensor:
    return x * torch.sigmoid(x)


def hardswish(x: torch.Tensor) -> torch.Tensor:
    return x * (F.relu6(x + 3) / 6)


def gelu(x: torch.Tensor) -> torch.Tensor:
    return 0.5 * x * (1 + torch.erf(x / math.sqrt(2)))


def mish(x: torch.Tensor) -> torch.Tensor:
    return x * torch.tanh(F.softplus(x))


PAIRS = [
    (silu, nn.SiLU()),
    (hardswish, nn.Hardswish()),
    (gelu, nn.GELU()),
    (mish, nn.Mish()),
    (F.relu, nn.ReLU()),
    (F.relu6, nn.ReLU6()),
    (lambda x: x.clamp(min=0), nn.ReLU()),
    (lambda x: torch.clamp(x, 0, 6), nn.ReLU6()),
    (lambda x: x * F.hardsigmoid(x), nn.Hardswish()),
]


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize(("function", "layer"), PAIRS)
def test_written_out_it_is_the_same_as_the_layer(function: Activation, layer: nn.Module, rule: RuleName) -> None:
    written, whole = question_on(Spelled(function)), question_on(Spelled(layer))
    expected = ruled(whole, rule)
    assert (ruled(written, rule) - expected).abs().max() < 1e-5 * expected.abs().max()


def test_the_larger_of_a_value_and_a_stored_number_is_a_rectifier() -> None:
    network = layered(nn.ReLU()).eval()
    graph = trace(network)
    graph.register_buffer("nought", torch.zeros(1))
    for node in list(graph.graph.nodes):
        if node.op == "call_module" and isinstance(graph.get_submodule(str(node.target)), nn.ReLU):
            with graph.graph.inserting_before(node):
                floor = graph.graph.get_attr("nought")
                new = graph.graph.call_function(torch.maximum, (node.args[0], floor))
            node.replace_all_uses_with(new)
            graph.graph.erase_node(node)
    graph.recompile()
    asked = question_on(network)
    other = asked.with_(network=frozen(graph))
    assert torch.equal(ruled(other, "guided"), ruled(asked, "guided"))


class Gated(nn.Module):
    """Squeeze and excitation, with a hard sigmoid written out in three steps."""

    def __init__(self, gate: Activation) -> None:
        super().__init__()
        torch.manual_seed(1)
        self.conv, self.act = nn.Conv2d(3, 6, 3), nn.ReLU()
        self.squeeze, self.last = nn.Conv2d(6, 6, 1), nn.Linear(6, 3)
        self.gate = gate

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.act(self.conv(x))
        return self.last((x * self.gate(self.squeeze(x.mean((2, 3), keepdim=True)))).mean((2, 3)))


@pytest.mark.parametrize("gate", [torch.sigmoid, lambda x: F.relu6(x + 3) / 6, F.hardsigmoid])
def test_a_gate_keeps_its_gradient_and_is_named(gate: Activation) -> None:
    asked = question_on(Gated(gate))
    made = rewritten(asked.network, "guided", "Guided backprop")
    assert made.rectifiers == ("act",)
    assert len(made.gates) == 1
    answered = GUIDED.explain(asked, NoSettings())
    assert not hasattr(answered, "send")
    (note,) = answered.notes  # type: ignore[union-attr]
    assert made.gates[0] in note
    assert "let both signs through" in note


@pytest.mark.parametrize("name", ["guided-backprop", "deconvnet"])
@pytest.mark.parametrize(
    ("network", "said"),
    [
        (layered(nn.Tanh()), r"has none: only \w+, \w+, which let both signs through"),
        (layered(nn.Hardtanh()), r"has none: only \w+, \w+, which let both signs through"),
        (layered(nn.Identity()), "has none: no activation at all. Use saliency or integrated-gradients"),
    ],
)
def test_a_network_without_rectifiers_is_refused(name: str, network: nn.Module, said: str) -> None:
    found = method_named(name)
    with pytest.raises(BadModel, match=f"{found.title} changes how rectifiers .* {said}"):
        found.explain(question_on(network), found.settings())


def test_without_max_pooling_the_deconvnet_says_that_it_knows_no_places() -> None:
    found = method_named("deconvnet")
    (note,) = found.explain(question_on(Spelled(F.relu)), NoSettings()).notes  # type: ignore[union-attr]
    assert note.startswith("The deconvnet learns of places from max pooling, and this network has none")
    assert found.explain(question_on(layered(nn.ReLU())), NoSettings()).notes == ()  # type: ignore[union-attr]


def test_the_networks_own_graph_stays_as_it_was() -> None:
    asked = question_on(Spelled(silu))
    before = asked.network.code
    rewritten(asked.network, "guided", "Guided backprop")
    assert asked.network.code == before
    assert not [name for name, _ in asked.network.named_modules() if "ruled" in name]


def test_on_mobilenet_where_captum_gives_the_plain_gradient() -> None:
    from torchvision.models import mobilenet_v2

    torch.manual_seed(0)
    network = mobilenet_v2(num_classes=3).train()
    with torch.no_grad():
        for _ in range(10):
            network(torch.randn(8, 3, 32, 32))  # so that the norms pass something on
    asked = question_on(network.eval(), 32)
    made = rewritten(asked.network, "guided", "Guided backprop")
    assert len(made.rectifiers) == 35
    plain, ours = gradient(asked), gradient(asked, made.network)
    assert (ours - plain).abs().max() > 0.5 * plain.abs().max()


def frozen(graph: fx.GraphModule) -> fx.GraphModule:
    for parameter in graph.parameters():
        parameter.requires_grad_(False)
    return graph.eval()
