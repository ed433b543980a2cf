"""Checks on networks whose reason is known: maps that are right pass, maps that know nothing of the network lose."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest
import torch

from cutaway.events import Progress
from cutaway.explanation.checks import check, completeness, controls
from cutaway.explanation.deletion import STEPS, area
from cutaway.explanation.explanation import Checks, explained
from cutaway.explanation.method import METHODS, Answer, Method, NoSettings, method_named
from cutaway.explanation.question import Question, ask
from cutaway.explanation.verdict import HARDLY_CHANGED, LUCK, UNCHANGED
from scripts.explain_table import CONTROLS, mass, pointing, run_out
from scripts.known_reasons import Known, known_networks, shapes, shapes_model

RECOMMENDED = ("gradcam", "integrated-gradients", "occlusion")
KNOWN = {known.name: known for known in known_networks(2)}


def checked(method: Method, question: Question, against: Any = None) -> tuple[Answer, list[Checks]]:
    settings = method.settings()
    answer, _ = run_out(explained(method, question, settings))
    return answer, run_out(check(method, question, settings, answer, against))


@pytest.fixture(scope="module")
def drawn() -> tuple[Question, np.ndarray]:
    pixels, masks, labels = shapes(6, 1)
    model = shapes_model()
    assert (model.logits(pixels).argmax(1).numpy() == labels).all()
    return ask(model, pixels, labels.tolist()), masks


@pytest.mark.parametrize("known", KNOWN.values(), ids=list(KNOWN))
def test_the_true_reason_passes_and_what_knows_nothing_loses(known: Known) -> None:
    question = ask(known.model, known.pixels)
    assert question.classes.tolist() == [1, 1]
    against = run_out(controls(question))
    answer, right = checked(method_named("input-x-gradient"), question, against)
    assert pointing(answer.maps, known.reason) == 1
    for found in right:
        assert found.verdict.level == "passes", found.verdict.sentence
        assert found.randomised is not None
        assert found.randomised < HARDLY_CHANGED
        assert found.deletion < found.deletion_random
        assert found.insertion > found.insertion_random
    for method in CONTROLS:
        for found in checked(method, question, against)[1]:
            assert found.verdict.level == "fails", method.title
            assert found.deletion > right[0].deletion
            assert found.insertion < right[0].insertion


def test_on_shapes_what_knows_nothing_loses_against_what_is_recommended(drawn: tuple[Question, np.ndarray]) -> None:
    """The build fails where a method we recommend hardly changes with the weights."""
    question, masks = drawn
    against = run_out(controls(question))
    best_control = 0.0
    for method in CONTROLS:
        answer, found = checked(method, question, against)
        assert {c.verdict.level for c in found} == {"fails"}, method.title
        best_control = max(best_control, mass(answer.maps, masks))
    for name in [n for n in RECOMMENDED if n in METHODS]:
        answer, found = checked(method_named(name), question, against)
        changes = [c.randomised for c in found if c.randomised is not None]
        assert np.mean(changes) < HARDLY_CHANGED < UNCHANGED, name
        assert mass(answer.maps, masks) > 1.2 * best_control, name
        gains = [c.deletion_random - c.deletion + c.insertion - c.insertion_random for c in found]
        assert np.mean(gains) > LUCK, name


def test_random_maps_are_seldom_lucky(drawn: tuple[Question, np.ndarray]) -> None:
    question, _ = drawn
    against = run_out(controls(question))
    said = []
    for seed in range(4):
        random = np.random.default_rng(seed)

        def explain(q: Question, _: NoSettings, random: np.random.Generator = random) -> Answer:
            return Answer(random.random((len(q), *q.size), np.float32))

        found = checked(Method("lot", "Lot", "", "", "", "", explain), question, against)[1]
        said += [c.verdict.sentence for c in found]
        assert all(abs(c.randomised or 0) < 0.1 for c in found)
    tested = [sentence for sentence in said if "Removing pixels cannot test" not in sentence]
    assert len(tested) >= 0.7 * len(said)
    assert sum("no more" in sentence for sentence in tested) >= 0.85 * len(tested)


def test_curves_and_areas_belong_together(drawn: tuple[Question, np.ndarray]) -> None:
    _, found = checked(method_named("saliency"), drawn[0].row(0))
    (c,) = found
    for curve, value in (
        (c.deletion_curve, c.deletion), (c.insertion_curve, c.insertion),
        (c.deletion_curve_random, c.deletion_random), (c.insertion_curve_random, c.insertion_random),
    ):  # fmt: skip
        assert len(curve) == STEPS + 1
        assert area(curve) == pytest.approx(value)
    assert c.deletion_curve[0] == c.insertion_curve[-1] == c.deletion_curve_random[0]
    assert c.deletion_curve[-1] == c.deletion_curve_random[-1]
    assert c.insertion_curve[0] == c.insertion_curve_random[0]
    told = c.to_dict()
    assert told["verdict"] == c.verdict.level
    assert told["notes"] == []
    assert len(told["deletion_curve"]) == STEPS + 1


def test_batches_are_their_pictures(drawn: tuple[Question, np.ndarray]) -> None:
    question = drawn[0].with_()
    two = question.with_(pixels=question.pixels[:2], x=question.x[:2], classes=question.classes[:2])
    against = run_out(controls(two))
    method = method_named("saliency")
    both = checked(method, two, against)[1]
    alone = checked(method, two.row(1), run_out(controls(two.row(1), against.untrained)))[1][0]
    for name in ("deletion", "insertion", "randomised", "shifted", "edges"):
        assert getattr(both[1], name) == pytest.approx(getattr(alone, name), abs=2e-3), name


def test_model_and_dice_are_untouched(drawn: tuple[Question, np.ndarray]) -> None:
    question = drawn[0].row(0)
    before = {k: v.clone() for k, v in question.network.state_dict().items()}
    torch_dice, numpy_dice = torch.get_rng_state(), np.random.get_state()[1].copy()  # type: ignore[union-attr,index]
    checked(method_named("saliency"), question)
    assert all(torch.equal(v, before[k]) for k, v in question.network.state_dict().items())
    assert torch.equal(torch_dice, torch.get_rng_state())
    assert np.array_equal(numpy_dice, np.random.get_state()[1])  # type: ignore[index]


def test_completeness_is_the_share_that_is_missing() -> None:
    known = KNOWN["one colour"]
    question = ask(known.model, known.pixels)
    f = question.value.numpy()
    base = np.array([1.0, -3.0], np.float32)
    maps = np.zeros((2, *question.size), np.float32)
    maps[:, 0, 0] = (f - base) * (1.0, 1.25)
    answer = Answer(maps, base=base)
    assert completeness(answer, question, 0) == pytest.approx(0, abs=1e-6)
    assert completeness(answer, question, 1) == pytest.approx(0.25, rel=1e-5)
    assert completeness(Answer(maps), question, 0) is None


@dataclasses.dataclass(frozen=True)
class Samples:
    samples: int = 50
    layer: str = ""


def test_second_maps_of_slow_methods_take_fewer_samples_of_the_same_layer() -> None:
    known = KNOWN["left half"]
    question = ask(known.model, known.pixels[:1])
    asked: list[Samples] = []

    def explain(q: Question, settings: Samples) -> Answer:
        asked.append(settings)
        return Answer(q.x.sum(1).numpy(), layer="0")

    method = Method("smoothgrad", "Smooth", "", "", "", "", explain, Samples)  # type: ignore[arg-type]
    answer = explain(question, Samples())
    (found,) = run_out(check(method, question, Samples(), answer))
    assert asked[1:] == [Samples(10, "0")] * 3
    assert found.notes == ("Randomisation and shift were measured on maps with samples=10.",)
    asked.clear()
    (found,) = run_out(check(method, question, Samples(samples=5), answer))
    assert asked == [Samples(5, "0")] * 2
    assert found.notes == ()


def test_progress_never_goes_beyond_its_total() -> None:
    known = KNOWN["one corner"]
    question, method = ask(known.model, known.pixels), method_named("saliency")
    answer, _ = run_out(explained(method, question, NoSettings()))
    seen = list(check(method, question, NoSettings(), answer))
    assert {event.task for event in seen} == {"check: controls", "check: Saliency"}
    assert all(isinstance(e, Progress) and e.total is not None and e.done <= e.total for e in seen)
