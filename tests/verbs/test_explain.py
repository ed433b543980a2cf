"""explain: on photos, through Python and the command line, with its page, its maps as numbers and its refusals."""

from __future__ import annotations

import itertools
import json
import sys
import types
from collections.abc import Generator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from shapes import Cli
from torch import fx, nn

import cutaway as ca
from cutaway.errors import BadInput, BadModel, BadPicture, MissingExtra
from cutaway.events import Note, Progress
from cutaway.explanation import method as methods
from cutaway.explanation.explanation import Checks, Verdict
from cutaway.explanation.method import Answer, Method
from cutaway.image import InputContract
from cutaway.model import Model

CIRCLE = "shapes/circle/circle0.png"


def size(path: str) -> tuple[int, int]:
    with Image.open(path) as picture:
        return picture.size


@pytest.fixture
def fake_checks(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Checks that are known beforehand; -> names of the methods that were checked."""
    from cutaway.verbs import explain_run

    seen: list[str] = []

    def check(method: Any, question: Any, *_: Any) -> Generator[Progress, None, list[Checks]]:
        seen.append(method.name)
        yield Progress("check", 1, 1)
        verdict = Verdict("fails", "It draws edges, not reasons.")
        curve = (1.0, 0.5, 0.0)
        one = Checks(0.02, 0.3, 0.8, 0.5, 0.5, 0.4, 0.6, curve, curve[::-1], curve, curve[::-1], 0.95, None, verdict)
        return [one] * len(question)

    monkeypatch.setattr(explain_run, "check", check)
    return seen


def test_a_photo_from_the_command_line(first: Path, cli: Cli, fake_checks: list[str]) -> None:
    said = cli("explain", first, CIRCLE, "--methods", "saliency,gradcam", "--npz", "maps.npz")
    assert (said.code, said.err) == (0, "")
    assert fake_checks == ["saliency", "gradcam"]
    assert "It draws edges, not reasons." in said.out
    assert "✗ fails" in said.out
    assert "Wrote maps.npz" in said.out
    assert "Wrote explain-first.png" in said.out
    assert size("explain-first.png")[0] == 3200
    assert cli("explain", first, CIRCLE, "--method", "saliency").out.count("explain-first-2.png") == 1
    plain = cli("explain", first, CIRCLE, "--method", "gradcam", "--json").json
    assert json.loads(json.dumps(plain)) == plain
    (one,) = plain["explanations"]
    assert one["checks"]["verdict"] == "fails"
    assert one["target"] == plain["pictures"][0]["top"][0]["class"]
    with np.load("maps.npz") as kept:
        assert set(kept) == {f"circle0.png/{m}/{one['target']}" for m in ("saliency", "gradcam")}
        found = kept[f"circle0.png/gradcam/{one['target']}"]
    assert found.dtype == np.float32
    assert one["size"] == list(found.shape)
    assert one["sum"] == pytest.approx(found.sum(dtype=np.float64), rel=1e-4)


def test_python_takes_models_and_pictures(first: Path) -> None:
    model, photo = ca.open_model(first), ca.read_image(CIRCLE)
    found = ca.explain(model, photo, method="saliency", check=False)
    assert (found.path, found.npz) == (None, None)
    assert found.maps.shape == (1, *model.contract.size)
    assert found.explanations[0].checks is None
    x = torch.from_numpy(np.asarray([fitted(photo, model)]))
    x.requires_grad_()
    logits = model.graph(x)
    (by_hand,) = torch.autograd.grad(logits[0].max(), x)
    np.testing.assert_allclose(found.maps[0], by_hand[0].abs().amax(0), rtol=1e-4, atol=1e-7)
    drawn = ca.explain(model, [photo, "shapes/cross/cross0.png"], method=["saliency"], target="cross", out="two.svg")
    assert [e.target for e in drawn.explanations] == ["cross", "cross"]
    assert Path("two.svg").read_text(encoding="utf-8").count("<image") >= 8
    assert ca.explain(str(first), CIRCLE, method="saliency", check=False).path == Path("explain-first.png")


def fitted(photo: Any, model: Model) -> Any:
    from cutaway.engine.prepare import prepare
    from cutaway.image.fit import fit_picture

    return prepare(fit_picture(photo, model.contract)[None], model.contract)[0].numpy()


def test_many_photos_are_batches_and_equal_single_ones(first: Path) -> None:
    photos = sorted(map(str, Path("shapes").rglob("*.png")))[:11]
    model = ca.open_model(first)
    pictures = [ca.read_image(p) for p in photos]
    together = ca.explain(model, pictures, method="saliency", check=False, out="many.png")
    assert len(together.explanations) == 11
    alone = ca.explain(model, pictures[9], method="saliency", check=False)
    np.testing.assert_allclose(together.maps[9], alone.maps[0], rtol=1e-4, atol=1e-7)
    seen = list(ca.explain.stream(str(first), tuple(photos), method=("saliency",), check=False))
    assert any("first 8 of 11 photos" in e.text for e in seen if isinstance(e, Note))
    counted = [e for e in seen if isinstance(e, Progress) and e.task == "explain"]
    assert [(e.done, e.total) for e in counted] == [(0, 11), (8, 11), (11, 11)]
    assert len(together.named_maps) == 11


def test_a_folder_gives_its_first_photos(first: Path, cli: Cli) -> None:
    said = cli("explain", first, "shapes", "--method", "saliency", "--no-check")
    assert said.code == 0
    assert "shapes holds 42 photos; the first 8 are explained." in said.err + said.out
    assert said.out.count("Why ") == 8
    Path("shapes/circle/circle1.png").write_bytes(b"no picture")
    plain = cli("explain", first, "shapes/circle", "--method", "saliency", "--no-check", "--json").json
    assert len(plain["pictures"]) == 7
    assert plain["unreadable"][0]["name"] == "shapes/circle/circle1.png"
    with pytest.raises(BadPicture, match=r"circle1\.png: not-an-image"):
        ca.explain(str(first), "shapes/circle/circle1.png")
    for picture in Path("shapes").rglob("*.png"):
        picture.write_bytes(b"no picture")
    with pytest.raises(BadInput, match=r"None of the 8 photos can be read \(the first: shapes/circle/circle0\.png"):
        ca.explain(str(first), "shapes")


def test_several_classes_share_a_scale_and_two_are_compared(first: Path, cli: Cli) -> None:
    asked = ("--method", "gradcam", "--target", "circle", "--target", "1", "--target", "Square", "--no-check")
    plain = cli("explain", first, CIRCLE, *asked, "--json").json
    assert [e["target"] for e in plain["explanations"]] == ["circle", "cross", "square"]
    said = cli("explain", first, CIRCLE, *asked, "--out", "three.svg")
    assert "square" in said.out
    page = Path("three.svg").read_text(encoding="utf-8")
    assert page.count("one scale for 3") == 3
    model, photo = ca.open_model(first), ca.read_image(CIRCLE)

    def maps(**asked: Any) -> Any:
        return ca.explain(model, photo, method="input-x-gradient", check=False, **asked)

    apart = maps(target="circle", against="cross")
    np.testing.assert_allclose(
        apart.maps[0], maps(target="circle").maps[0] - maps(target="cross").maps[0], rtol=1e-3, atol=1e-5
    )
    assert apart.explanations[0].question == "circle rather than cross"
    assert next(iter(apart.named_maps)) == "circle0.png/input-x-gradient/circle rather than cross"
    best = maps().explanations[0].target
    other = maps(against=best).explanations[0]
    assert other.against == best
    assert other.target != best
    assert other.value < 0


def test_every_method_of_a_batch_is_held_against_the_same_controls(
    first: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from cutaway.verbs import explain_run

    held: list[Any] = []
    real = explain_run.check

    def check(*given: Any) -> Any:
        held.append(given[4])
        return (yield from real(*given))

    monkeypatch.setattr(explain_run, "check", check)
    found = ca.explain(ca.open_model(first), ca.read_image(CIRCLE), method=["saliency", "gradcam"], target=[0, 1])
    assert len(found.explanations) == 4
    assert [a is b for a, b in itertools.pairwise(held)] == [True, False, True]
    assert held[0].untrained.network is held[2].untrained.network
    alone = ca.explain(ca.open_model(first), ca.read_image(CIRCLE), method="gradcam", target=1)
    one, other = (f.explanations[-1].checks for f in (found, alone))
    assert one is not None
    assert other is not None
    assert one.deletion_curve == pytest.approx(other.deletion_curve, abs=1e-5)
    assert one.randomised == pytest.approx(other.randomised, abs=1e-3)


def test_a_check_that_cannot_be_made_is_told(first: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from cutaway.verbs import explain_run

    def check(*_: Any) -> Any:
        yield Progress("check", 0, 1)
        raise BadModel("The random network gives nothing.")

    monkeypatch.setattr(explain_run, "check", check)
    seen = list(ca.explain.stream(str(first), (CIRCLE,), method=("saliency",)))
    assert [e.text for e in seen if isinstance(e, Note)] == [
        "Saliency could not be checked: The random network gives nothing."
    ]


def test_settings_reach_the_methods_that_have_them(first: Path) -> None:
    asked = {"check": False, "method": ("smoothgrad", "saliency")}
    found = ca.explain(str(first), CIRCLE, set="samples=3", seed=7, **asked).explanations
    smooth = next(e for e in found if e.method == "smoothgrad")
    assert (smooth.settings["samples"], smooth.settings["seed"]) == (3, 7)
    assert next(e for e in found if e.method == "saliency").settings == {}
    again = ca.explain(str(first), CIRCLE, set=("smoothgrad.samples=4",), **asked).explanations
    assert next(e for e in again if e.method == "smoothgrad").settings["samples"] == 4


def test_what_is_refused(first: Path, cli: Cli) -> None:
    one = ("--method", "saliency")
    for words, told in (
        ((CIRCLE, "--method", "grad-can"), "There is no method 'grad-can'. Nearest: gradcam"),
        ((CIRCLE, *one, "--target", "circel"), "The model has no class 'circel'. Nearest: circle"),
        ((CIRCLE, *one, "--target", "9"), "The model has no class '9'. It has circle, cross, square"),
        ((CIRCLE, *one, "--target", "cross", "--against", "1"), "name the same class, cross; name two others"),
        (
            (CIRCLE, *one, "--layer", "conv1"),
            "Saliency weighs no layer, so --layer conv1 has no meaning; with one: ",
        ),
        ((CIRCLE, "--method", "gradcam", "--layer", "conv99"), "The network has no layer 'conv99'"),
        ((CIRCLE, *one, "--set", "samples=5"), "None of the methods has a setting 'samples'; saliency: none."),
        ((CIRCLE, *one, "--set", "rise"), "set must be NAME=VALUE"),
        ((CIRCLE, *one, "--set", "smoothgrad.samples=5"), "smoothgrad is not among the methods asked for (saliency)"),
        ((CIRCLE, "--method", "smoothgrad", "--set", "samples=many"), "samples of SmoothGrad must be a whole number"),
        ((CIRCLE, "--method", "smoothgrad", "--set", "smoothgrad.colour=5"), "SmoothGrad has no setting 'colour'"),
        ((CIRCLE, "--all", *one), "--all already includes --method saliency"),
        ((CIRCLE, *one, "--npz", "maps.npy"), "out must be a file that ends in .npz"),
        ((CIRCLE, *one, "--out", "x.pdf"), "out must be a file that ends in .png or .svg"),
        (("nothing.png", *one), "nothing.png"),
        (
            ("--method", "saliency", "ig", CIRCLE, "--method", "gradcam"),
            "ig is a method and no photo; several methods go together: --method saliency,gradcam,ig.",
        ),
        ((), "pictures"),
    ):
        found = cli("explain", first, *words)
        assert found.code == 2, words
        assert told in found.err
        assert len(found.err.strip().splitlines()) == 1
    with pytest.raises(BadInput, match="Name at least one photo to explain"):
        ca.explain(str(first))


def test_a_layer_without_places_is_refused_and_not_left_out(first: Path) -> None:
    dense = [name for name, layer in ca.open_model(first).graph.named_modules() if isinstance(layer, nn.Linear)][-1]
    with pytest.raises(BadInput, match=dense):
        ca.explain(str(first), CIRCLE, all=True, layer=dense, check=False)


def model_of(*layers: nn.Module, classes: tuple[str, ...] = ("a", "b"), side: int = 8) -> Model:
    graph = fx.symbolic_trace(nn.Sequential(*layers))
    return Model(graph.eval(), InputContract((side, side)), classes)


class Rounded(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.round(x)


def noise(side: int = 8) -> Any:
    return ca.Image(np.random.default_rng(0).integers(0, 255, (side, side, 3), dtype=np.uint8), "noise.png")


def test_a_model_without_gradient(monkeypatch: pytest.MonkeyPatch) -> None:
    model = model_of(nn.Conv2d(3, 2, 3), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(2, 2))
    plain = Method("occlude", "Occlude", "s", "p", "", "1", lambda q, _: Answer(np.ones((len(q), *q.size), np.float32)),
                   needs_gradient=False)  # fmt: skip
    registered(monkeypatch, {"saliency": methods.method_named("saliency"), "occlude": plain})
    assert [e.method for e in ca.explain(model, noise(), check=False, all=True).explanations] == ["saliency", "occlude"]
    hard = model_of(nn.Conv2d(3, 2, 3), Rounded(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(2, 2))
    with pytest.raises(
        BadInput,
        match="Saliency needs a gradient, and the answer of this network has none behind round_1, which rounds: it "
        r"stays the same under every small change of the picture; methods that need none: occlude\.$",
    ):
        ca.explain(hard, noise(), method="saliency", check=False)
    found = ca.explain(hard, noise(), check=False, all=True)
    assert [e.method for e in found.explanations] == ["occlude"]
    assert found.left_out[0][0] == "saliency"
    assert "none behind round_1" in found.left_out[0][1]


def registered(monkeypatch: pytest.MonkeyPatch, known: dict[str, Method]) -> None:
    """METHODS -> these alone."""
    for name, method in known.items():
        module = types.ModuleType(f"fake_{name}")
        module.METHOD = method  # type: ignore[attr-defined]
        monkeypatch.setitem(sys.modules, module.__name__, module)
    made_up = {name: f"fake_{name}" for name in known}
    for home in ("cutaway.explanation.method", "cutaway.verbs.explain_methods"):  # put back in their order afterwards
        monkeypatch.setattr(f"{home}.METHODS", made_up)


def made(name: str, explain: Any, **more: Any) -> Method:
    return Method(name, name.title(), "s", "p", "", "1", explain, **more)


def ones(question: Any, _: Any) -> Answer:
    return Answer(np.ones((len(question), *question.size), np.float32))


def test_methods_that_cannot_are_listed_and_named_ones_raise(monkeypatch: pytest.MonkeyPatch, capsys: Any) -> None:
    def missing(*_: Any) -> Answer:
        raise MissingExtra("Absent", "absent")

    def lost(question: Any, _: Any) -> Answer:
        return Answer(np.full((len(question), *question.size), np.nan, np.float32))

    model = model_of(nn.Conv2d(3, 2, 3), nn.AdaptiveAvgPool2d(1), nn.Flatten())
    registered(monkeypatch, {"fine": made("fine", ones), "absent": made("absent", missing), "lost": made("lost", lost)})
    found = ca.explain(model, noise(), check=False, all=True, out="page.svg")
    assert [e.method for e in found.explanations] == ["fine"]
    assert [name for name, _ in found.left_out] == ["absent", "lost"]
    assert "pip install 'cutaway[absent]'" in found.left_out[0][1]
    page = Path("page.svg").read_text(encoding="utf-8")
    assert "Left out" in page
    from rich.console import Console

    from cutaway.cli.show_explain import show

    show(Console(width=100), found)
    assert "Left out: absent. Absent needs an optional library" in capsys.readouterr().out
    with pytest.raises(MissingExtra, match="Absent needs an optional library"):
        ca.explain(model, noise(), check=False, method="absent")
    with pytest.raises(BadModel, match="Lost gave values that are not finite"):
        ca.explain(model, noise(), check=False, method="lost")
    registered(monkeypatch, {"absent": made("absent", missing)})
    with pytest.raises(BadInput, match="None of the methods can explain this model; the first, absent: Absent needs"):
        ca.explain(model, noise(), check=False, all=True)


def test_a_stop_keeps_what_is_done(monkeypatch: pytest.MonkeyPatch, cli: Cli, first: Path) -> None:
    def stopped(*_: Any) -> Generator[Progress, None, Answer]:
        yield Progress("stopped", 1, 2)
        raise KeyboardInterrupt

    registered(monkeypatch, {"fine": made("fine", ones), "stopped": made("stopped", stopped)})
    said = cli("explain", first, CIRCLE, "--all", "--no-check")
    assert said.code == 0
    assert "Stopped; these explanations were done." in said.out
    assert Path("explain-first.png").exists()
    assert cli("explain", first, CIRCLE, "--method", "stopped").code == 130


def test_answers_that_say_nothing() -> None:
    broken = model_of(nn.Conv2d(3, 2, 3), nn.AdaptiveAvgPool2d(1), nn.Flatten())
    with torch.no_grad():
        broken.graph.get_parameter("0.bias").fill_(torch.inf)
    with pytest.raises(BadModel, match=r"answer to noise\.png is not finite, so there is nothing to explain"):
        ca.explain(broken, noise(), method="saliency")
    single = model_of(nn.Conv2d(3, 1, 3), nn.AdaptiveAvgPool2d(1), nn.Flatten(), classes=("a",))
    with pytest.raises(BadInput, match="gives one answer only, so there is no second class to compare"):
        ca.explain(single, noise(), method="saliency", against="a")
    found = ca.explain(single, noise(), method="saliency", check=False)
    logit = float(single.logits(noise().pixels[None])[0, 0])
    assert found.pictures[0].top == (("a", pytest.approx(1 / (1 + np.exp(-logit)), rel=1e-5)),)


@pytest.mark.usefixtures("first")
def test_a_file_that_only_shows(tmp_path: Path, cli: Cli) -> None:
    from safetensors.numpy import save_file

    save_file({"strange.weight": np.zeros((3, 7), np.float32)}, tmp_path / "strange.safetensors")
    for asked in (("explain", "strange.safetensors", CIRCLE), ("neuron", "strange.safetensors", "conv[1]")):
        found = cli(*asked)
        assert found.code == 2
        assert "This asks for a network that runs; `cutaway open strange.safetensors` lists what is in" in found.err


def test_names_that_are_alike_and_photos_without_one() -> None:
    model = model_of(nn.Conv2d(3, 2, 3), nn.AdaptiveAvgPool2d(1), nn.Flatten())
    same = [ca.Image(noise().pixels, "deep/a.png"), ca.Image(noise().pixels, "b/a.png"), ca.Image(noise().pixels, "")]
    found = ca.explain(model, same, method="saliency", check=False)
    assert [key.split("/")[0] for key in found.named_maps] == ["a.png", "a.png (2)", "picture"]
    assert len({p.sha256 for p in found.pictures}) == 1


def test_the_page_tells_units_and_knobs_as_they_are() -> None:
    from types import SimpleNamespace

    from cutaway.explanation.method import method_named
    from cutaway.verbs.explain_page import _exceptions, _setting

    told = [SimpleNamespace(method=name) for name in ("gradcam", "scorecam", "eigencam", "eigencam")]
    assert _exceptions(told) == ", those of Score-CAM and Eigen-CAM in the layer's"  # type: ignore[arg-type]
    assert _exceptions(told[:1]) == ""  # type: ignore[arg-type]
    assert _setting(method_named("occlusion"), "window", 0) == "window auto"
    assert _setting(method_named("smoothgrad"), "seed", 0) == "seed 0"
    assert _setting(method_named("smoothgrad"), "noise", 0.0) == "noise 0.0"
    assert _setting(method_named("lrp"), "biases", False) == "biases no"


@pytest.mark.usefixtures("first")
def test_weights_that_learned_nothing_are_said_to_be_so(cli: Cli) -> None:
    said = cli("explain", "zoo:small-cnn", CIRCLE, "--method", "gradcam", "--no-check")
    assert "zoo:small-cnn was made now: its weights are random, nothing was learned." in said.out + said.err


@pytest.mark.usefixtures("first")
def test_the_class_explained_is_the_first_of_those_told_even_where_probabilities_are_equal() -> None:
    from cutaway.verbs.explain_run import _told

    model = ca.open_model("runs/first")
    logits = torch.tensor([[1e-9, 2e-9, 3e-9][: len(model.classes)]])
    (told,) = _told([ca.read_image(CIRCLE)], model, logits)
    assert told.top[0][0] == model.classes[int(logits.argmax())]
