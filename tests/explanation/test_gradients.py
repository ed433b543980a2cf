"""Saliency, input x gradient, SmoothGrad and Integrated Gradients: captum's numbers, and sums that come out."""

from __future__ import annotations

import copy
from collections.abc import Generator
from typing import Any

import numpy as np
import pytest
import torch
from captum.attr import InputXGradient, IntegratedGradients, Saliency
from torch import fx, nn

from cutaway.errors import BadInput, BadModel
from cutaway.explanation.baseline import baseline
from cutaway.explanation.gradient import gradient, strongest
from cutaway.explanation.input_gradient import contributions
from cutaway.explanation.integrated_gradients import METHOD as INTEGRATED
from cutaway.explanation.integrated_gradients import IntegratedGradientsSettings, integrated
from cutaway.explanation.method import Answer
from cutaway.explanation.question import Question, ask
from cutaway.explanation.smoothgrad import METHOD as SMOOTH
from cutaway.explanation.smoothgrad import SmoothGradSettings, noisy, smoothed
from cutaway.graph.trace import trace
from cutaway.image import InputContract
from cutaway.model import Model

KINDS = [(torch.float32, 1e-5), (torch.float64, 1e-10)]


def network(bias: bool = True) -> nn.Module:
    """Smooth where it can be, so that rounding does not decide which side of a corner a gradient is taken on."""
    torch.manual_seed(4)
    made = nn.Sequential(
        nn.ZeroPad2d(1), nn.Conv2d(3, 6, 3, bias=bias), nn.BatchNorm2d(6), nn.SiLU(), nn.MaxPool2d(2),
        nn.Conv2d(6, 6, 3, bias=bias), nn.ReLU(), nn.AdaptiveAvgPool2d(2), nn.Flatten(), nn.Linear(24, 3, bias=bias),
    )  # fmt: skip
    made[2].running_mean = torch.randn(6) / 4
    made[2].running_var = torch.rand(6) + 0.5
    return made.eval()


def question_on(made: nn.Module, side: int = 14, kind: torch.dtype = torch.float32) -> Question:
    model = Model(trace(made), InputContract((side, side)), ("a", "b", "c"))
    pixels = np.random.default_rng(0).integers(0, 256, (2, side, side, 3), np.uint8)
    asked = ask(model, pixels, [0, 2])
    return asked.with_(network=copy.deepcopy(asked.network).to(kind), x=(asked.x * 3 - 1).to(kind))


def ended(running: Generator[Any, None, Any]) -> Any:
    try:
        while True:
            next(running)
    except StopIteration as end:
        return end.value


def answered(method: Any, question: Question, settings: Any) -> Answer:
    found: Answer = ended(method.explain(question, settings))
    return found


def error(ours: torch.Tensor, theirs: torch.Tensor) -> float:
    return float((ours - theirs).abs().max() / theirs.abs().max())


@pytest.mark.parametrize(("kind", "tolerance"), KINDS)
def test_saliency_and_input_times_gradient_are_captums(kind: torch.dtype, tolerance: float) -> None:
    made = network()
    asked = question_on(made, kind=kind)
    x, classes = asked.x.clone().requires_grad_(), asked.classes
    assert error(strongest(gradient(asked)), Saliency(made.to(kind)).attribute(x, classes).amax(1).detach()) < tolerance
    assert error(contributions(asked), InputXGradient(made).attribute(x, classes).detach()) < tolerance


@pytest.mark.parametrize("zero", ["zero", "blur"])
@pytest.mark.parametrize("steps", [1, 7, 50])
def test_integrated_gradients_are_captums(steps: int, zero: str) -> None:
    made = network()
    asked = question_on(made)
    start = baseline(asked, zero)
    theirs = IntegratedGradients(made).attribute(
        asked.x.clone(), start, asked.classes, n_steps=steps, internal_batch_size=10
    )
    assert error(ended(integrated(asked, start, steps)), theirs) < 1e-5


def by_hand(made: nn.Module, asked: Question, start: torch.Tensor, steps: int) -> torch.Tensor:
    """In float64: captum's gradients, weighted here, as captum rounds its weights to float32."""
    places, weights = np.polynomial.legendre.leggauss(steps)
    total = torch.zeros_like(asked.x)
    for place, weight in zip((places + 1) / 2, weights / 2, strict=True):
        x = (start + place * (asked.x - start)).requires_grad_()
        total += weight * Saliency(made).attribute(x, asked.classes, abs=False).detach()
    return (asked.x - start) * total


@pytest.mark.parametrize("zero", ["zero", "blur"])
@pytest.mark.parametrize("steps", [1, 7, 50])
def test_integrated_gradients_in_double_precision(steps: int, zero: str) -> None:
    made = network()
    asked = question_on(made, kind=torch.float64)
    start = baseline(asked, zero).double()
    assert error(ended(integrated(asked, start, steps)), by_hand(made.double(), asked, start, steps)) < 1e-10


def test_integrated_gradients_of_a_difference_are_the_difference() -> None:
    asked = question_on(network(), kind=torch.float64)
    start = baseline(asked, "zero").double()
    against = torch.tensor([1, 1])
    one, other = (ended(integrated(asked.with_(classes=k), start, 9)) for k in (asked.classes, against))
    both = ended(integrated(asked.with_(against=against), start, 9))
    assert error(both, one - other) < 1e-10


@pytest.mark.parametrize("zero", ["black", "white", "grey", "mean", "blur", "zero"])
def test_300_steps_add_up_within_1_percent(zero: Any) -> None:
    asked = question_on(network())
    found = answered(INTEGRATED, asked, IntegratedGradientsSettings(300, zero))
    assert found.base is not None
    whole = asked.value.numpy() - found.base
    assert (np.abs(found.maps.sum((1, 2)) - whole) < 0.01 * np.abs(whole)).all()
    assert found.notes == ()


def test_too_few_steps_are_told() -> None:
    asked = question_on(nn.Sequential(nn.Conv2d(3, 3, 1), nn.Tanh(), nn.AdaptiveAvgPool2d(1), nn.Flatten()).eval())
    asked = asked.with_(x=asked.x * 20)
    (note,) = answered(INTEGRATED, asked, IntegratedGradientsSettings(1, "zero")).notes
    assert "misses f(x) - f(baseline) by " in note
    assert note.endswith("try more `steps` than 1 or another baseline.")


def test_progress_counts_gradients_of_all_pictures() -> None:
    told = list(INTEGRATED.explain(question_on(network()), IntegratedGradientsSettings(25)))  # type: ignore[arg-type]
    assert [(p.done, p.total) for p in told][-1] == (50, 50)
    told = list(SMOOTH.explain(question_on(network()), SmoothGradSettings(25)))  # type: ignore[arg-type]
    assert [(p.done, p.total) for p in told][-1] == (50, 50)


@pytest.mark.parametrize("steps", [0, 10_001])
def test_a_number_of_steps_that_cannot_be_is_refused(steps: int) -> None:
    with pytest.raises(BadInput, match=r"steps must be from 1 to 10,000\. Got "):
        answered(INTEGRATED, question_on(network()), IntegratedGradientsSettings(steps))


@pytest.mark.parametrize(("kind", "tolerance"), KINDS)
def test_smoothgrad_is_the_mean_of_captums_gradients_on_its_noisy_copies(kind: torch.dtype, tolerance: float) -> None:
    made = network()
    asked = question_on(made, kind=kind)
    settings = SmoothGradSettings(samples=23, noise=0.1, seed=5)
    ours = ended(smoothed(asked, settings))
    for row in range(2):
        copies = torch.cat(list(noisy(asked.x[row : row + 1], settings))).requires_grad_()
        assert len(copies) == 23
        theirs = Saliency(made.to(kind)).attribute(copies, int(asked.classes[row]), abs=False).mean(0, keepdim=True)
        assert error(ours[row : row + 1], theirs.detach()) < tolerance


def test_the_noise_is_a_share_of_the_range() -> None:
    x = question_on(network()).x[:1]
    noise = torch.cat(list(noisy(x, SmoothGradSettings(200, 0.2)))) - x
    assert float(noise.std()) == pytest.approx(0.2 * float(x.max() - x.min()), rel=0.02)
    assert abs(float(noise.mean())) < 0.01
    assert torch.equal(*[torch.cat(list(noisy(x, SmoothGradSettings(5)))) for _ in range(2)])
    other = torch.cat(list(noisy(x, SmoothGradSettings(5, seed=1))))
    assert not torch.equal(other, torch.cat(list(noisy(x, SmoothGradSettings(5)))))


def test_of_a_linear_network_smoothgrad_is_its_gradient() -> None:
    asked = question_on(nn.Sequential(nn.Conv2d(3, 3, 3), nn.AdaptiveAvgPool2d(1), nn.Flatten()).eval())
    found = answered(SMOOTH, asked, SmoothGradSettings(12))
    assert np.abs(found.maps - strongest(gradient(asked)).numpy()).max() < 1e-6


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        (SmoothGradSettings(samples=0), "samples must be from 1 to 10,000. Got 0"),
        (SmoothGradSettings(noise=0.0), "noise must be a share of the range above 0 and at most 10. Got 0"),
        (SmoothGradSettings(noise=11), "noise must be .* Got 11"),
    ],
)
def test_settings_that_cannot_be_are_refused(settings: SmoothGradSettings, said: str) -> None:
    with pytest.raises(BadInput, match=said):
        answered(SMOOTH, question_on(network()), settings)


def test_an_answer_without_a_gradient_is_refused() -> None:
    class Rounded(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return (x > 0).float().mean((2, 3))

    asked = question_on(network())
    other = asked.with_(network=fx.symbolic_trace(Rounded()))
    with pytest.raises(BadModel, match=r"no gradient with respect to the picture .* occlusion and RISE"):
        gradient(other)
    with pytest.raises(BadModel, match="no gradient"):
        answered(INTEGRATED, other, IntegratedGradientsSettings())


def test_the_picture_may_have_no_influence() -> None:
    class Constant(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return x.mean((2, 3)) * 0 + 1

    asked = question_on(network()).with_(network=fx.symbolic_trace(Constant()))
    assert gradient(asked).abs().max() == 0
    assert np.abs(answered(INTEGRATED, asked, IntegratedGradientsSettings(3)).maps).max() == 0


class TwoWays(nn.Module):
    """The picture is read by a convolution, by a step that is not linear, and for its size."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.conv, self.side, self.last = nn.Conv2d(3, 4, 3, padding=1), nn.Conv2d(3, 4, 1), nn.Linear(4, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = (self.conv(x) + 0.5) * 2
        z = torch.sigmoid(self.side(torch.tanh(x))) * y
        return self.last(z.reshape(x.shape[0], 4, -1).mean(2)) / x.shape[2]


@pytest.mark.parametrize("made", [network(), TwoWays().eval(), nn.Sequential(nn.Flatten(), nn.Linear(588, 3)).eval()])
def test_the_linear_beginning_and_the_rest_are_the_network(made: nn.Module) -> None:
    asked = question_on(made, kind=torch.float64)
    front = asked.quick
    assert error(front.rest(*front.values(asked.x)), asked.network(asked.x)) < 1e-10
    assert error(front.logits(asked.x), asked.network(asked.x)) < 1e-10
    start = torch.zeros_like(asked.x)
    assert error(ended(integrated(asked, start, 11)), by_hand(made.double(), asked, start, 11)) < 1e-10


def test_the_beginning_ends_where_a_step_is_not_linear() -> None:
    head = question_on(network()).quick.head
    assert [str(n.target) for n in head.graph.nodes if n.op == "call_module"] == ["0", "1"], "the norm is folded"
    same = question_on(nn.Sequential(nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten()).eval()).quick.head
    assert not [n for n in same.graph.nodes if n.op == "call_module"]
