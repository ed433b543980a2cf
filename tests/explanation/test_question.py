"""explanation.question and baseline: f, what stands for nothing, and what is refused."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import fx, nn

from cutaway.engine.fused import there
from cutaway.errors import BadInput, BadModel
from cutaway.explanation.baseline import BASELINES, baseline
from cutaway.explanation.question import ask
from cutaway.graph.trace import trace
from cutaway.image import InputContract
from cutaway.model import Model

PIXELS = np.random.default_rng(0).integers(0, 256, (3, 9, 7, 3), np.uint8)
CONTRACT = InputContract((9, 7), scale=2.0, offset=-1.0)


def model(*layers: nn.Module, contract: InputContract = CONTRACT) -> Model:
    torch.manual_seed(0)
    made = layers or (
        nn.Conv2d(contract.in_channels, 4, 3),
        nn.BatchNorm2d(4),
        nn.ReLU(),
        nn.Flatten(),
        nn.LazyLinear(5),
    )
    network = nn.Sequential(*made).eval()
    network(torch.zeros(1, contract.in_channels, *contract.size))
    return Model(trace(network), contract, tuple("abcde"))


def test_f_is_the_logit_or_the_difference_of_two() -> None:
    asked = ask(model(), PIXELS, [0, 1, 4], [2, 2, 0])
    logits = asked.network(asked.x)
    assert torch.equal(asked.values(logits), logits[[0, 1, 2], [0, 1, 4]] - logits[[0, 1, 2], [2, 2, 0]])
    assert torch.equal(asked.values_at(1, logits), logits[:, 1] - logits[:, 2])
    assert torch.allclose(asked.probabilities_at(1, logits), torch.sigmoid(logits[:, 1] - logits[:, 2]))
    one = asked.row(2)
    assert one.against is not None
    assert (len(one), one.classes.tolist(), one.against.tolist()) == (1, [4], [0])
    assert torch.allclose(one.value, asked.value[2:], atol=1e-6)


def test_without_a_class_it_is_the_likeliest_of_each() -> None:
    asked = ask(model(), PIXELS)
    logits = asked.network(asked.x)
    assert asked.classes.tolist() == logits.argmax(1).tolist()
    assert torch.allclose(asked.probabilities_at(0, logits), torch.softmax(logits, 1)[:, asked.classes[0]])
    assert torch.allclose(asked.logits(asked.x, batch=2), logits, atol=1e-5)


def test_one_logit_alone_is_a_sigmoids() -> None:
    asked = ask(model(nn.Flatten(), nn.Linear(189, 1)), PIXELS)
    logits = asked.network(asked.x)
    assert torch.allclose(asked.probabilities_at(0, logits), torch.sigmoid(logits[:, 0]))


def test_the_quick_twin_is_kept_with_the_network() -> None:
    asked = ask(model(), PIXELS)
    assert asked.with_(x=asked.x + 1).fast is not None
    first = asked.fast
    assert asked.with_(x=asked.x + 1).fast is first
    assert asked.with_(network=asked.network).fast is not first


def test_the_answer_is_kept_with_the_pictures() -> None:
    asked = ask(model(), PIXELS, [1, 0, 2], [0, 1, 1])
    assert torch.equal(asked.answer, asked.network(asked.x))
    assert torch.equal(asked.value, asked.values(asked.network(asked.x)))
    assert asked.with_(against=None).answer is asked.answer
    assert torch.equal(asked.with_(x=asked.x + 1).answer, asked.network(asked.x + 1))
    assert torch.equal(asked.row(2).answer, asked.network(asked.x[2:]))


@pytest.mark.parametrize(("classes", "sentence"), [([0, 1], "3 indices from 0 to 4"), ([0, 1, 5], "3 indices")])
def test_indices_beyond_the_answer(classes: list[int], sentence: str) -> None:
    with pytest.raises(BadInput, match=sentence):
        ask(model(), PIXELS, classes)
    with pytest.raises(BadInput, match=r"against must be"):
        ask(model(), PIXELS, None, classes)


def test_no_picture_and_an_answer_with_places() -> None:
    with pytest.raises(BadInput, match=r"pixels must be uint8 \(N, H, W, 3\) of at least one picture"):
        ask(model(), PIXELS[:0])
    with pytest.raises(BadModel, match=r"shape 3 x 2 x 9 x 7; only one row of scores"):
        ask(model(nn.Conv2d(3, 2, 1)), PIXELS)


def test_baselines_are_pictures_that_went_through_the_contract() -> None:
    asked = ask(model(), PIXELS)
    level = {"black": -1.0, "white": 1.0, "grey": 128 / 255 * 2 - 1, "zero": 0.0}
    for kind, value in level.items():
        assert torch.allclose(baseline(asked, kind), torch.full_like(asked.x, value), atol=1e-6), kind
    mean = torch.as_tensor(PIXELS).float().mean((1, 2)).round() / 255 * 2 - 1
    assert torch.allclose(baseline(asked, "mean")[:, :, 4, 4], mean, atol=1e-6)
    blurred = baseline(asked, "blur")
    assert blurred.var() < asked.x.var() / 2
    assert {baseline(asked, kind).shape for kind in BASELINES} == {asked.x.shape}
    with pytest.raises(BadInput, match=r"baseline must be black, white, grey, mean, blur or zero\. Got 'red'"):
        baseline(asked, "red")


def test_a_blur_of_the_smallest_picture() -> None:
    contract = InputContract((1, 1))
    asked = ask(model(nn.Flatten(), nn.Linear(3, 2), contract=contract), PIXELS[:, :1, :1])
    assert torch.equal(baseline(asked, "blur"), asked.x)


def test_the_run_that_checks_the_network_for_many_runs_is_of_use() -> None:
    made = model()
    asked, ran = ask(made, PIXELS), []

    def run(twin: fx.GraphModule) -> tuple[fx.GraphModule, torch.Tensor]:
        ran.append(twin)
        return twin, twin(asked.x[:1])

    assert asked.many_run(run) is asked.many
    assert asked.many_run(run) is asked.many
    assert ran == [asked.many] * 2
    with torch.no_grad():
        made.graph.get_submodule("0").weight[1] = torch.nan  # type: ignore[index,operator]
    ill = ask(made, PIXELS, [0, 0, 0])
    assert ill.many_run(run) is ill.many
    assert not any(type(layer).__name__ == "FusedConv" for layer in ill.many.modules())


def test_what_is_no_number_is_not_hidden_by_the_quick_twins() -> None:
    made = model()
    asked = ask(made, PIXELS)
    kinds = {type(layer).__name__ for layer in asked.many.modules()}
    assert ("FusedConv" in kinds) is there()
    with torch.no_grad():
        made.graph.get_submodule("0").weight[1] = torch.nan  # type: ignore[index,operator]
    ill = ask(made, PIXELS, [0, 0, 0])
    assert ill.logits(asked.x).isnan().all()
    assert ill.quick.logits(asked.x).isnan().all()
    assert not any(type(layer).__name__ == "FusedConv" for layer in ill.quick.rest.modules())
