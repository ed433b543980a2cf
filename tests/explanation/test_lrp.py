"""LRP: what goes in comes out on networks without biases, and it is zennit's own where zennit can."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

from cutaway.errors import BadInput, BadModel, MissingExtra
from cutaway.explanation.explanation import explained
from cutaway.explanation.lrp import METHOD, RULES, LrpSettings
from cutaway.explanation.method import Answer
from cutaway.explanation.question import Question, ask
from cutaway.graph.extra import ChannelsLastFlatten, SamePad2d
from cutaway.graph.trace import trace
from cutaway.image import InputContract
from cutaway.model import Model

pytest.importorskip("zennit")


def asked(net: nn.Module, *, count: int = 2, size: int = 16, against: int | None = None) -> Question:
    contract = InputContract((size, size), mean=(0.5, 0.5, 0.5), std=(0.25, 0.25, 0.25))
    pixels = np.random.default_rng(0).integers(0, 256, (count, size, size, 3), np.uint8)
    model = Model(trace(net.eval()), contract, ("a", "b", "c"))
    best = None if against is None else [0] * count
    return ask(model, pixels, best, None if against is None else [against] * count)


def answered(question: Question, **settings: object) -> Answer:
    events = explained(METHOD, question, LrpSettings(**settings))  # type: ignore[arg-type]
    while True:
        try:
            next(events)
        except StopIteration as end:
            return end.value[0]  # type: ignore[no-any-return]


def conv(cin: int, cout: int, size: int = 3, **more: int) -> nn.Conv2d:
    return nn.Conv2d(cin, cout, size, padding=size // 2, bias=False, **more)


class Residual(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.stem, self.one, self.two = conv(3, 8), conv(8, 8), conv(8, 8)
        self.relu = nn.ReLU(inplace=True)
        self.head = nn.Linear(8, 3, bias=False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.relu(self.stem(x))
        y = self.two(self.relu(self.one(x)))
        y += x
        return self.head(self.relu(y).mean((2, 3)))


class Joined(Residual):
    """Branches joined, a difference of branches, a pooled branch, functions instead of layers."""

    def __init__(self) -> None:
        super().__init__()
        self.head = nn.Linear(24, 3, bias=False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = F.relu(self.stem(x))
        y = torch.cat([F.relu(self.one(x)), F.avg_pool2d(x, 3, 1, 1), x - 0.5 * F.relu(self.two(x))], 1)
        return self.head(torch.flatten(F.max_pool2d(F.relu(y), 2).mean(-1).mean(-1), 1))


class Gated(Residual):
    """Squeeze and excitation, in layers and as exported programs write a hard swish."""

    def __init__(self) -> None:
        super().__init__()
        self.squeeze, self.gate = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Conv2d(8, 8, 1)), nn.Sigmoid()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = torch.relu(self.stem(x))
        x = self.gate(self.squeeze(x)) * x
        y = self.one(x)
        y = y * (torch.clamp(y + 3, 0, 6) / 6)
        return self.head(y.mean((2, 3)))


def mobile() -> nn.Sequential:
    return nn.Sequential(
        SamePad2d((3, 3), (2, 2)), nn.Conv2d(3, 8, 3, 2, bias=False), nn.ReLU6(), conv(8, 8, groups=8), nn.ReLU6(),
        conv(8, 12, 1), nn.ReLU6(), nn.MaxPool2d(2), nn.Dropout(0.2), ChannelsLastFlatten(),
        nn.Linear(12 * 16, 5, bias=False), nn.LeakyReLU(), nn.Linear(5, 3, bias=False),
    )  # fmt: skip


def convolutional() -> nn.Sequential:
    """As SqueezeNet: the last weighted layer is a convolution."""
    return nn.Sequential(conv(3, 8), nn.ReLU(), conv(8, 3, 1), nn.AdaptiveAvgPool2d(1), nn.Flatten())


@pytest.mark.parametrize("make", [Residual, Joined, Gated, mobile, convolutional])
@pytest.mark.parametrize("rule", ["epsilon-plus-flat", "epsilon-plus"])
def test_nothing_is_lost_without_biases(make: type[nn.Module], rule: str) -> None:
    torch.manual_seed(0)
    question = asked(make())
    answer = answered(question, rule=rule)
    assert answer.maps.shape == (2, 16, 16)
    np.testing.assert_allclose(answer.maps.sum((1, 2)), question.value.numpy(), atol=1e-3)
    assert np.abs(answer.maps).max() > 0


@pytest.mark.parametrize("make", [Residual, mobile])
def test_why_one_and_not_another_adds_up_to_the_difference(make: type[nn.Module]) -> None:
    torch.manual_seed(0)
    question = asked(make(), against=1)
    np.testing.assert_allclose(answered(question).maps.sum((1, 2)), question.value.numpy(), atol=1e-3)


def zennits(net: nn.Module, question: Question, composite: object) -> np.ndarray:
    from zennit.attribution import Gradient

    best = nn.functional.one_hot(question.classes, 3 if question.logits(question.x).shape[1] == 3 else 1000).float()
    with Gradient(model=net.eval(), composite=composite) as attributor:
        _, relevance = attributor(question.x.clone(), lambda output: output.detach() * best)
    return relevance.sum(1).detach().numpy()  # type: ignore[no-any-return]


@pytest.mark.parametrize("rule", ["epsilon-plus-flat", "epsilon-plus", "epsilon-alpha2-beta1-flat"])
def test_it_is_zennits_on_a_plain_network(rule: str) -> None:
    from zennit.composites import EpsilonAlpha2Beta1Flat, EpsilonPlus, EpsilonPlusFlat
    from zennit.rules import Epsilon
    from zennit.torchvision import VGGCanonizer

    torch.manual_seed(0)
    net = nn.Sequential(
        nn.Conv2d(3, 8, 3, padding=1), nn.BatchNorm2d(8), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(8, 16, 3, padding=1),
        nn.BatchNorm2d(16), nn.ReLU(), nn.AdaptiveAvgPool2d(4), nn.Flatten(), nn.Linear(256, 32), nn.ReLU(),
        nn.Dropout(), nn.Linear(32, 3),
    )  # fmt: skip
    calibrate(net, 16)
    question = asked(net)
    composites = {"epsilon-plus-flat": EpsilonPlusFlat, "epsilon-plus": EpsilonPlus,
                  "epsilon-alpha2-beta1-flat": EpsilonAlpha2Beta1Flat}  # fmt: skip
    dense = {"layer_map": [(nn.Linear, Epsilon())], "zero_params": ["bias"]}
    for biases, more in ((True, {}), (False, dense)):
        mine = answered(question, rule=rule, biases=biases).maps
        theirs = zennits(net, question, composites[rule](canonizers=[VGGCanonizer()], **more))
        np.testing.assert_allclose(mine, theirs, atol=1e-4 * np.abs(theirs).max())


def test_it_is_zennits_on_resnet18() -> None:
    import torchvision
    from zennit.composites import EpsilonPlusFlat
    from zennit.torchvision import ResNetCanonizer

    torch.manual_seed(0)
    net = torchvision.models.resnet18(weights=None)
    calibrate(net, 64)
    question = asked(net, count=1, size=64)
    mine = answered(question, biases=True).maps
    theirs = zennits(net, question, EpsilonPlusFlat(canonizers=[ResNetCanonizer()]))
    np.testing.assert_allclose(mine, theirs, atol=1e-4 * np.abs(theirs).max())


def calibrate(net: nn.Module, size: int) -> None:
    """Statistics of a few pictures, as in a trained network."""
    for layer in net.modules():
        if isinstance(layer, nn.BatchNorm2d):
            layer.momentum = None
            nn.init.uniform_(layer.bias, -0.2, 0.2)
    with torch.no_grad():
        net.train()(torch.randn(4, 3, size, size))
    net.eval()


def test_a_dense_layer_takes_its_norm_in() -> None:
    """BatchNorm1d behind Linear equals the one Linear that does both."""
    torch.manual_seed(0)
    net = nn.Sequential(nn.Flatten(), nn.Linear(768, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.Linear(8, 3)).eval()
    norm = net[2]
    norm.running_mean.uniform_(-1, 1)
    norm.running_var.uniform_(0.5, 2)
    scale = norm.running_var.add(norm.eps).rsqrt()
    one = nn.Linear(768, 8)
    one.weight.data = net[1].weight * scale[:, None]
    one.bias.data = (net[1].bias - norm.running_mean) * scale
    both = nn.Sequential(nn.Flatten(), one, nn.ReLU(), net[4])
    np.testing.assert_allclose(answered(asked(net)).maps, answered(asked(both)).maps, rtol=1e-4, atol=1e-7)


def test_a_layer_used_twice_keeps_its_two_values_apart() -> None:
    torch.manual_seed(0)

    class Twice(Residual):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            x = torch.relu(self.one(torch.relu(self.one(torch.relu(self.stem(x))))))
            return self.head(x.mean((2, 3)))

    question = asked(Twice())
    np.testing.assert_allclose(answered(question).maps.sum((1, 2)), question.value.numpy(), atol=1e-3)


def test_biases_keep_their_part_and_it_is_said() -> None:
    torch.manual_seed(0)
    net = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(4 * 196, 3))
    one = answered(asked(net, count=1))
    assert one.base is None
    assert f"The map adds up to {one.maps.sum():.4g} where f is" in one.notes[0]
    assert "Maps add up to f less what biases keep: " in answered(asked(net)).notes[0]
    assert len(one.notes) == 1
    assert "gates" in answered(asked(Gated())).notes[1]


class Attending(Residual):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.stem(x).flatten(2)
        return self.head(torch.matmul(x, torch.softmax(x.transpose(1, 2), 1)).mean(2))


class Multiplied(Residual):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.stem(x)
        return self.head((self.one(x) * self.two(x)).mean((2, 3)))


@pytest.mark.parametrize(
    ("net", "said"),
    [
        (
            nn.Sequential(conv(3, 8), nn.GroupNorm(2, 8), nn.Flatten(), nn.Linear(2048, 3)),
            r"no rule for 1 \(GroupNorm\)",
        ),
        (Attending(), r"no rule for softmax \(softmax\)"),
        (Multiplied(), r"no rule for mul \(mul\).*Occlusion and integrated-gradients explain any"),
    ],
)
def test_a_layer_without_a_rule_is_named(net: nn.Module, said: str) -> None:
    with pytest.raises(BadModel, match=said):
        answered(asked(net))


def test_settings_that_cannot_be_are_refused() -> None:
    with pytest.raises(BadInput, match=r"rule must be epsilon-plus-flat, .* or epsilon\. Got 'zplus'\."):
        LrpSettings(rule="zplus")
    with pytest.raises(BadInput, match=r"epsilon must be a number above 0\. Got 0\."):
        LrpSettings(epsilon=0)


def test_without_zennit_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "zennit.rules", None)
    with pytest.raises(MissingExtra, match=r"LRP needs .*pip install 'cutaway\[lrp\]'"):
        answered(asked(mobile()))


@pytest.mark.parametrize("rule", RULES)
def test_the_network_and_the_random_state_stay_as_they_were(rule: str) -> None:
    torch.manual_seed(0)
    question = asked(Residual())
    before = {name: (tensor, tensor.clone()) for name, tensor in question.network.state_dict(keep_vars=True).items()}
    code, state = question.network.code, torch.get_rng_state()
    first, second = answered(question, rule=rule), answered(question, rule=rule)
    np.testing.assert_array_equal(first.maps, second.maps)
    assert torch.equal(torch.get_rng_state(), state)
    assert question.network.code == code
    for name, tensor in question.network.state_dict(keep_vars=True).items():
        assert tensor is before[name][0]
        assert torch.equal(tensor, before[name][1])
        assert tensor.grad is None
        assert not tensor.requires_grad
    assert not any(m._forward_hooks or m._forward_pre_hooks or m.training for m in question.network.modules())
    assert question.x.grad is None
