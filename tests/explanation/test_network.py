"""explanation.network: the explanations' own graph gives the model's logits and keeps its hands off the model."""

from __future__ import annotations

import torch
from torch import nn

from cutaway.explanation.network import own_network
from cutaway.graph.trace import trace
from cutaway.image import InputContract
from cutaway.model import Model

X = torch.rand(2, 3, 8, 8)


def model_of(*tail: nn.Module, probabilities: bool = False) -> Model:
    torch.manual_seed(0)
    body = [nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Flatten(), nn.Linear(144, 3)]
    return Model(trace(nn.Sequential(*body, *tail).eval()), InputContract((8, 8)), ("a", "b", "c"), probabilities)


def test_it_shares_the_weights_and_asks_them_for_no_gradient() -> None:
    model = model_of()
    own = own_network(model)
    theirs = dict(model.graph.named_parameters())
    for name, value in own.state_dict().items():
        assert value.data_ptr() == model.graph.state_dict()[name].data_ptr(), name
    assert not any(p.requires_grad for p in own.parameters())
    assert all(p.requires_grad for p in theirs.values())
    assert torch.equal(own(X), model.graph(X))


def test_a_softmax_or_sigmoid_at_the_end_is_left_out() -> None:
    logits = model_of().graph(X)
    for last in (nn.Softmax(1), nn.Sigmoid()):
        model = model_of(last, nn.Identity(), probabilities=True)
        assert torch.allclose(own_network(model)(X), logits, atol=1e-6)


def test_other_probabilities_get_a_logarithm() -> None:
    model = model_of(nn.Softmax(1), nn.AvgPool1d(1), probabilities=True)
    assert torch.allclose(own_network(model)(X), model.graph(X).log(), atol=1e-6)


def test_hooks_and_modes_of_the_model_stay_its_own() -> None:
    model = model_of()
    seen = []
    handle = model.graph.get_submodule("0").register_forward_hook(lambda *_: seen.append(1))
    model.graph.train()
    own = own_network(model)
    before = model.graph.get_submodule("1").running_mean.clone()  # type: ignore[union-attr, operator]
    own(X)
    assert not seen
    assert not own.training
    assert model.graph.training
    assert torch.equal(model.graph.get_submodule("1").running_mean, before)  # type: ignore[arg-type]
    assert model.graph.get_submodule("0")._forward_hooks
    handle.remove()
