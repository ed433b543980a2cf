"""Class activation maps against captum, against their papers' formulas written out, and against closed forms."""

from __future__ import annotations

import copy
import gc
import itertools
from collections.abc import Generator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from captum.attr import LayerGradCam
from torch import nn

from cutaway.errors import BadInput
from cutaway.events import Progress
from cutaway.explanation import gradcam as gradcam_
from cutaway.explanation import gradcam_plus, layercam, scorecam
from cutaway.explanation.cam import LayerSettings, with_gradient
from cutaway.explanation.covering.halved import NOT_NATIVE
from cutaway.explanation.explanation import explained
from cutaway.explanation.layer import map_layer
from cutaway.explanation.method import Answer, method_named
from cutaway.explanation.question import Question, ask
from cutaway.explanation.why_black import KINDS
from cutaway.graph.trace import trace
from cutaway.image import InputContract
from cutaway.model import Model, open_model

CAMS = ("gradcam", "gradcam++", "layercam", "scorecam", "eigencam")


class Small(nn.Module):
    """Strided, with a residual sum behind the first layer and two dense layers, so that gradients differ by place."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1, self.norm, self.conv2 = nn.Conv2d(3, 6, 3, 2, 1), nn.BatchNorm2d(6), nn.Conv2d(6, 6, 3, 1, 1)
        self.fc1, self.fc2 = nn.Linear(6 * 36, 8), nn.Linear(8, 4)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = torch.relu(self.norm(self.conv1(x)))
        x = torch.relu(x + self.conv2(x))
        return self.fc2(torch.relu(self.fc1(x.flatten(1))))


def asked(
    network: nn.Module, pictures: int = 3, side: int = 12, classes: list[int] | None = None, **more: Any
) -> Question:
    pixels = np.random.default_rng(5).integers(0, 256, (pictures, side, side, 3), np.uint8)
    names = tuple("abcdefghij")
    return ask(Model(trace(network), InputContract((side, side)), names), pixels, classes, **more)


def double(question: Question) -> Question:
    return question.with_(network=copy.deepcopy(question.network).double(), x=question.x.double())


def run(name: str, question: Question, **settings: Any) -> Answer:
    method = method_named(name)
    return finished(explained(method, question, method.settings(**settings)))[0]


def finished(generator: Generator[Progress, None, Any]) -> Any:
    while True:
        try:
            next(generator)
        except StopIteration as end:
            return end.value


@pytest.fixture
def small() -> Question:
    torch.manual_seed(1)
    return asked(Small(), classes=[1, 3, 0])


def test_grad_cam_is_captums(small: Question) -> None:
    """captum's LayerGradCam with relu_attributions, at the cells and drawn with our places: 1e-6."""
    assert map_layer(small.network, (3, 12, 12)).name == "relu_1"
    for name, relu in itertools.product(("norm", "conv2", "relu_1"), (False, True)):
        module = small.network.get_submodule(name)
        theirs = LayerGradCam(small.network, module).attribute(small.x.clone(), small.classes, relu_attributions=relu)
        cells = map_layer(small.network, (3, 12, 12), name)
        ours = run("gradcam", small, layer=name, relu=relu).maps
        assert np.abs(ours - cells.placed(theirs[:, 0].detach(), (12, 12)).numpy()).max() < 1e-6


def test_behind_pooling_and_one_dense_layer_the_map_adds_up_to_the_answer() -> None:
    torch.manual_seed(0)
    network = nn.Sequential(
        nn.Conv2d(3, 5, 3, padding=1), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(5, 3)
    )
    question = asked(network, side=8)
    found = run("gradcam", question)
    assert found.layer == "1"
    bias = network[4].bias.detach()[question.classes]
    assert np.allclose(found.maps.sum((1, 2)), (question.value - bias).numpy(), atol=1e-5)
    against = [2, 0, 1]
    two = asked(network, side=8, classes=[0, 1, 2], against=against)
    weight = (network[4].weight[[0, 1, 2]] - network[4].weight[against]).detach()  # (3, 5)
    with torch.no_grad():
        value = network[1](network[0](two.x))
    assert np.allclose(run("gradcam", two).maps, torch.einsum("nc,nchw->nhw", weight, value) / 64, atol=1e-6)


def _equation_19(g: torch.Tensor, a: torch.Tensor) -> torch.Tensor:
    """Chattopadhay et al., place by place: g, a float64 (C, h, w) -> map (h, w)."""
    found = torch.zeros(a.shape[1:], dtype=torch.float64)
    for k in range(len(a)):
        weight = 0.0
        for i, j in itertools.product(*map(range, a.shape[1:])):
            gradient = float(g[k, i, j])
            if gradient > 0:
                weight += gradient**2 / (2 * gradient**2 + float(a[k].sum()) * gradient**3) * gradient
        found += weight * a[k]
    return found


@pytest.mark.parametrize("scale", [1.0, 0.3, 0.1, 1e-4])
def test_grad_cam_plus_is_equation_19_however_small_the_gradient(scale: float) -> None:
    """pytorch-grad-cam's absolute 1e-6 falls to a correlation of 0.988 at 0.1; ours stays at 1."""
    torch.manual_seed(2)
    network = Small()
    network.fc2.weight.data *= scale
    question = asked(network)
    exact = with_gradient(double(asked(network)), "")
    found = gradcam_plus.gradcam_plus(question, LayerSettings())
    for row in range(3):
        wanted = exact.layer.placed(_equation_19(exact.gradient[row], exact.value[row]), (12, 12))
        assert np.corrcoef(found.maps[row].ravel(), wanted.ravel())[0, 1] > 0.9999
        assert np.allclose(found.maps[row], wanted, rtol=1e-4, atol=1e-6 * float(wanted.max()))


def test_grad_cam_plus_stays_finite_where_a_layer_goes_below_zero(small: Question) -> None:
    """Behind a convolution sums may be negative and 2 + g * sum may be 0: such a channel counts as if its sum was 0."""
    found = with_gradient(small, "conv2")
    assert (found.value.sum((2, 3)) < 0).any()
    total = found.value.sum((2, 3), keepdim=True).clamp_min(0)
    rising = found.gradient.clamp_min(0)
    weights = (rising / (2 + rising * total)).sum((2, 3), keepdim=True)
    wanted = found.layer.placed((weights * found.value).sum(1), (12, 12))
    assert np.allclose(run("gradcam++", small, layer="conv2").maps, wanted, atol=1e-6)


def test_layer_cam_is_the_rising_gradient_times_the_map(small: Question) -> None:
    exact = with_gradient(double(small), "")
    maps = torch.zeros(3, 6, 6, dtype=torch.float64)
    for n, k, i, j in itertools.product(range(3), range(6), range(6), range(6)):
        maps[n, i, j] += max(float(exact.gradient[n, k, i, j]), 0) * float(exact.value[n, k, i, j])
    assert np.allclose(layercam.layercam(small, LayerSettings()).maps, exact.layer.placed(maps, (12, 12)), atol=1e-5)


def test_eigen_cam_is_numpys_first_direction_with_the_sign_of_the_mean(small: Question) -> None:
    exact = with_gradient(double(small), "conv2")
    found = run("eigencam", small, layer="conv2")
    for row in range(3):
        places = exact.value[row].numpy().reshape(6, 36).T
        wanted = places @ np.linalg.svd(places, full_matrices=False)[2][0]
        wanted = wanted * np.sign(wanted @ places.mean(1))
        drawn = exact.layer.placed(torch.tensor(wanted.reshape(6, 6)), (12, 12)).numpy()
        assert np.allclose(found.maps[row], drawn, atol=1e-4 * np.abs(drawn).max())
    other = run("eigencam", small.with_(classes=torch.tensor([0, 0, 1])), layer="conv2")
    assert np.array_equal(found.maps, other.maps)


def _score_cam(question: Question, row: int, layer: str, chosen: list[int] | None = None) -> torch.Tensor:
    """pytorch-grad-cam's steps, one map at a time, in float64 -> map (h, w)."""
    value = with_gradient(question, layer).value[row]
    scores = torch.full((len(value),), -torch.inf, dtype=torch.float64)
    for k in range(len(value)) if chosen is None else chosen:
        mask = F.interpolate(value[k][None, None], question.size, mode="bilinear", align_corners=True)
        mask = (mask - mask.min()) / (mask.max() - mask.min() + 1e-8)
        logits = question.network(question.x[row : row + 1] * mask)
        scores[k] = question.values_at(row, logits)[0]
    return (torch.softmax(scores, 0)[:, None, None] * value).sum(0)


@pytest.mark.parametrize("against", [None, [2, 1, 3]])
def test_score_cam_is_pytorch_grad_cams(small: Question, against: list[int] | None) -> None:
    """With a map that is zero everywhere and one that is constant among them, which are scored only once."""
    network = small.network
    network.norm.weight.data[2], network.norm.bias.data[2] = 0, -1
    network.norm.weight.data[4], network.norm.bias.data[4] = 0, 0.5
    small = small.with_(against=None if against is None else torch.tensor(against))
    found = run("scorecam", small, layer="relu")
    exact = double(small)
    layer = map_layer(exact.network, (3, 12, 12), "relu")
    for row in range(3):
        wanted = layer.placed(_score_cam(exact, row, "relu"), (12, 12)).numpy()
        assert np.corrcoef(found.maps[row].ravel(), wanted.ravel())[0, 1] > 0.99999
        assert np.allclose(found.maps[row], wanted, rtol=1e-4)


def test_score_cam_with_the_most_varied_maps_only(small: Question) -> None:
    found = run("scorecam", small, layer="relu", channels=2)
    exact = double(small)
    layer = map_layer(exact.network, (3, 12, 12), "relu")
    value = with_gradient(exact, "relu").value
    for row in range(3):
        chosen = np.argsort(-value[row].numpy().std((1, 2)))[:2]
        wanted = layer.placed(_score_cam(exact, row, "relu", sorted(chosen.tolist())), (12, 12)).numpy()
        assert np.allclose(found.maps[row], wanted, rtol=1e-4)
    with pytest.raises(BadInput, match=r"channels must be 0 \(all\) or more\. Got -1\."):
        run("scorecam", small, channels=-1)


def test_score_cam_in_16_bits_is_checked(small: Question, monkeypatch: pytest.MonkeyPatch) -> None:
    exact = run("scorecam", small)
    monkeypatch.setattr(scorecam, "native_bfloat16", lambda _: False)
    assert run("scorecam", small, precision="bfloat16").notes == (NOT_NATIVE,)
    monkeypatch.setattr(scorecam, "native_bfloat16", lambda _: True)
    quick = run("scorecam", small, precision="bfloat16")
    assert quick.notes[0].startswith("Computed in bfloat16: 6 maps' scores agree with float32 to r = ")
    assert np.corrcoef(exact.maps.ravel(), quick.maps.ravel())[0, 1] > 0.999
    assert not np.array_equal(exact.maps, quick.maps)
    monkeypatch.setattr(scorecam, "_ALIKE", 1.1)
    checked = run("scorecam", small, precision="bfloat16")
    assert checked.notes[0].startswith("bfloat16 was not used: 6 maps' scores agree with float32 to r = ")
    assert np.array_equal(checked.maps, exact.maps)
    with pytest.raises(BadInput, match=r"precision must be float32 or bfloat16\. Got 'half'\."):
        run("scorecam", small, precision="half")


def test_score_cam_tells_how_far_it_is(small: Question) -> None:
    running = scorecam.scorecam(small.row(0), scorecam.ScoreSettings())
    assert next(running) == Progress("Score-CAM", 0, 6, "maps")
    assert next(running) == Progress("Score-CAM", 6, 6, "maps")
    several = scorecam.scorecam(small, scorecam.ScoreSettings())
    assert next(several).task == "Score-CAM, picture 1 of 3"


def _black(fires: bool = False, steers: bool = True, against: bool = False) -> Question:
    network = nn.Sequential(
        nn.Conv2d(3, 2, 1), nn.ReLU(), nn.Conv2d(2, 1, 1), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(),
        nn.Linear(1, 2),
    )  # fmt: skip
    for layer, weight, bias in ((0, 0.0, 1.0 if fires else -1.0), (2, 1.0, 0.0 if steers else -9.0), (6, 1.0, 0.0)):
        nn.init.constant_(network[layer].weight, weight)
        nn.init.constant_(network[layer].bias, bias)
    if against:
        nn.init.constant_(network[6].weight, -1.0)
    return asked(network, 1, 8, [0])


def test_an_empty_map_says_why() -> None:
    for name in CAMS:
        found = run(name, _black(), layer="1")
        assert not found.maps.any()
        assert found.notes == (
            "The map is empty: none of the 2 channels of 1 fires on this picture (2 of them: "
            f"{KINDS['weights']}); `cutaway silent` tells whether they fire on any.",
        )
    (note,) = run("gradcam", _black(fires=True, steers=False), layer="1").notes
    assert "2 of 2 channels of 1 fire, but none of them can change the answer" in note
    (note,) = run("gradcam", _black(fires=True, against=True), layer="1", relu=True).notes
    assert "every place of 1 speaks against the class (down to -0.03" in note
    (note,) = run("layercam", _black(fires=True, against=True), layer="1").notes
    assert "2 of 2 channels of 1 fire, but only where they get no weight" in note
    assert run("gradcam", _black(fires=True), layer="1").notes == ()
    two = _black()
    two = two.with_(x=two.x.repeat(2, 1, 1, 1), pixels=two.pixels.repeat(2, 0), classes=torch.tensor([0, 1]))
    assert run("gradcam", two, layer="1").notes[1].startswith("Picture 2: the map is empty")


@pytest.mark.parametrize("name", CAMS)
def test_many_pictures_at_once_are_each_alone(small: Question, name: str) -> None:
    together = run(name, small)
    assert together.maps.dtype == np.float32
    assert together.maps.shape == (3, 12, 12)
    for row in range(3):
        assert np.allclose(run(name, small.row(row)).maps[0], together.maps[row], atol=2e-6)


@pytest.mark.parametrize("name", CAMS)
def test_nothing_is_left_behind(small: Question, name: str) -> None:
    torch.manual_seed(9)
    state = {k: v.clone() for k, v in small.network.state_dict().items()}
    random, numbers = torch.get_rng_state(), np.random.get_state()[1].copy()  # type: ignore[union-attr]
    first = run(name, small)
    with torch.no_grad():
        assert np.array_equal(run(name, small).maps, first.maps)
    with torch.inference_mode():
        assert np.array_equal(run(name, small).maps, first.maps)
    assert torch.is_grad_enabled()
    assert all(torch.equal(v, state[k]) for k, v in small.network.state_dict().items())
    assert not any(p.requires_grad or p.grad is not None for p in small.network.parameters())
    assert not any(m._forward_hooks or m._backward_hooks or m.training for m in small.network.modules())
    assert not small.x.requires_grad
    assert torch.equal(torch.get_rng_state(), random)
    assert np.array_equal(np.random.get_state()[1], numbers)  # type: ignore[arg-type]


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="memory is read from /proc")
def test_two_hundred_calls_do_not_grow(small: Question) -> None:
    """The leak that pytorch-grad-cam's users meet again and again: hooks and graphs that stay. Bound: 5 MB."""

    def pages() -> int:
        return int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])

    def calls(count: int) -> None:
        for number in range(count):
            run(("gradcam", "gradcam++", "layercam", "eigencam")[number % 4], small)

    calls(40)
    gc.collect()
    before = pages()
    calls(200)
    gc.collect()
    assert (pages() - before) * 4096 < 5e6


def test_classes_get_maps_of_their_own(small: Question) -> None:
    other = small.with_(classes=torch.tensor([0, 0, 2]))
    for name in ("gradcam", "gradcam++", "layercam", "scorecam"):
        assert not np.allclose(run(name, small).maps, run(name, other).maps)


def test_inside_a_block_the_gradient_is_autograds(small: Question) -> None:
    """`conv2` stands beside a path that passes it by: what is kept of that path must not change its gradient."""
    found = with_gradient(small, "conv2")
    x = torch.relu(small.network.norm(small.network.conv1(small.x)))
    leaf = small.network.conv2(x).detach().requires_grad_()
    logits = small.network.fc2(torch.relu(small.network.fc1(torch.relu(x.detach() + leaf).flatten(1))))
    (wanted,) = torch.autograd.grad(small.values(logits).sum(), leaf)
    assert torch.allclose(found.gradient, wanted, atol=1e-7)
    assert torch.allclose(found.value, leaf, atol=1e-6)


def test_a_teachable_machine_export(shared_data: Path) -> None:
    model = open_model(shared_data / "teachable-machine/animals-h5/keras_model.h5")
    pixels = np.random.default_rng(0).integers(0, 256, (2, 224, 224, 3), np.uint8)
    question = ask(model, pixels)
    for name in ("gradcam", "gradcam++", "layercam", "eigencam"):
        found = run(name, question)
        assert found.maps.shape == (2, 224, 224)
        assert found.maps.any()
    assert gradcam_.METHOD.layered
