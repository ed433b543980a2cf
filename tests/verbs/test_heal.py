"""heal: only what was left untrained learns, everything else stays to the bit; accuracy before and after."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from shapes import Cli
from torch import nn

import cutaway as ca
from cutaway.dataset.scan import open_dataset
from cutaway.errors import BadInput
from cutaway.events import Done, Epoch, Note
from cutaway.graph.document import tensors_of
from cutaway.graph.trace import trace
from cutaway.image import InputContract
from cutaway.model import Model, save_model
from cutaway.verbs.heal import heal
from cutaway.verbs.heal_run import Learner, untrained, what_learns


def edited(name: str = "edited.safetensors") -> Model:
    model = ca.open_model("runs/first")
    conv = next(n for n, m in model.graph.named_modules() if isinstance(m, nn.Conv2d) and n != "conv1")
    wounded = ca.edit(model, ca.RandomiseWeights(conv))
    save_model(wounded, Path(name))
    return wounded


def changed_tensors(a: Model, b: Model) -> set[str]:
    before, after = tensors_of(a.graph), tensors_of(b.graph)
    assert set(before) == set(after)
    return {name for name in before if not torch.equal(before[name], after[name])}


@pytest.mark.usefixtures("first")
def test_only_the_marked_layers_and_the_last_learn(cli: Cli) -> None:
    wounded = edited()
    (marked,) = untrained(wounded)
    said = cli("heal", "edited.safetensors", "shapes", "--epochs", 2, "--threads", 1)
    assert said.code == 0
    assert "Wrote heal-edited.safetensors" in said.out
    assert "before" in said.out
    healed = ca.open_model("heal-edited.safetensors")
    last = list(what_learns(wounded)[0])[-1]
    assert {name.rsplit(".", 1)[0] for name in changed_tensors(wounded, healed)} == {marked, last}
    assert "untrained" not in healed.card
    assert healed.card["healed"].startswith(f"{marked}, {last} on shapes, 2 epochs, ended: finished")
    assert healed.classes == wounded.classes
    assert json.loads(healed.card["edits"]), "what was edited is still told"


@pytest.mark.usefixtures("first")
def test_the_numbers_are_those_of_the_held_out_pictures() -> None:
    wounded = edited()
    result = ca.heal("edited.safetensors", "shapes", epochs=2, threads=1, out="h.safetensors")
    assert (result.ended, len(result.epochs), result.after.fold) == ("finished", 2, "test")
    assert result.before.n == result.after.n
    assert result.pictures + result.after.n < 42
    doc = result.to_dict()
    assert doc["before"]["accuracy"] == result.before.accuracy
    weights = sum(
        p.numel() for name, _ in result.learned for p in wounded.graph.get_submodule(name).parameters()
    )  # fmt: skip
    assert result.weights == doc["weights"] == weights
    again = ca.heal("edited.safetensors", "shapes", epochs=2, threads=1, out="again.safetensors")
    assert again.after == result.after, "the same seed gives the same weights"
    assert not changed_tensors(ca.open_model("h.safetensors"), ca.open_model("again.safetensors"))


@pytest.mark.usefixtures("first")
def test_with_all_every_layer_learns() -> None:
    wounded = edited()
    result = ca.heal("edited.safetensors", "shapes", epochs=1, threads=1, all=True, out="h.safetensors")
    healed = ca.open_model("h.safetensors")
    weights = {name for name, p in wounded.graph.named_parameters()}
    assert weights <= changed_tensors(wounded, healed)
    assert ("--all" in {why for _, why in result.learned}) is True
    assert healed.card["healed"].startswith("every layer on shapes")


@pytest.mark.usefixtures("first")
def test_a_model_without_a_mark_trains_its_last_layer_and_says_so(cli: Cli) -> None:
    said = cli("heal", "runs/first", "shapes", "--epochs", 1, "--threads", 1, "--json")
    assert [row["why"] for row in said.json["learned"]] == ["it gives the answer"]
    spoken = cli("heal", "runs/first", "shapes", "--epochs", 1, "--threads", 1).err
    assert "No edit left a layer untrained: only the last layer learns; --all lets every layer learn." in spoken


@pytest.mark.usefixtures("first")
def test_ctrl_c_keeps_the_best() -> None:
    edited()
    events = heal.events(heal.options("edited.safetensors", "shapes", epochs=50, threads=1, out="h.safetensors"))
    for event in events:
        if isinstance(event, Epoch) and event.number == 3:
            break
    told = [events.throw(KeyboardInterrupt()), *events]
    assert any(isinstance(e, Note) and "the best weights so far are kept" in e.text for e in told)
    result = told[-1]
    assert isinstance(result, Done)
    assert (result.result.ended, len(result.result.epochs)) == ("stopped", 3)
    assert ca.open_model("h.safetensors").card["healed"].endswith("ended: stopped")


def network(probabilities: bool) -> Model:
    torch.manual_seed(0)
    net = nn.Sequential(
        nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 3),
        *([nn.Softmax(1)] if probabilities else []),
    )  # fmt: skip
    return Model(trace(net.eval()), InputContract((16, 16)), ("square", "circle", "cross"), probabilities)


def test_the_learner_gives_logits_and_keeps_frozen_statistics() -> None:
    for probabilities in (False, True):
        model = network(probabilities)
        learner = Learner(model, frozenset({"5"}))
        learner.train()
        x = torch.randn(5, 3, 16, 16)
        with torch.no_grad():
            torch.testing.assert_close(torch.softmax(learner(x), 1), torch.softmax(
                model.graph(x).log() if probabilities else model.graph(x), 1))  # fmt: skip
        assert learner.graph.get_submodule("1").training is False
        assert learner.weights == 15
        assert Learner(model, None).train().graph.get_submodule("1").training is True
        assert torch.equal(learner.graph.get_submodule("1").running_mean, torch.zeros(4))  # type: ignore[arg-type]
    assert Learner(model, frozenset({"1"})).train().graph.get_submodule("1").training is True


@pytest.mark.usefixtures("shapes")
def test_a_network_that_ends_in_a_softmax_learns_in_its_own_order_of_classes(here: Path) -> None:
    save_model(network(True), here / "net.safetensors")
    result = ca.heal("net.safetensors", "shapes", epochs=30, threads=1, all=True, lr=0.02, augment="none")
    healed = ca.open_model(result.path)
    assert healed.classes == ("square", "circle", "cross")
    assert result.after.accuracy > max(0.5, result.before.accuracy)
    dataset = open_dataset("shapes", classes=healed.classes)
    answers = healed.predict([dataset.read(i) for i in range(len(dataset))]).argmax(1)
    assert (answers == dataset.labels).mean() > 0.6


def test_marks_that_mean_nothing_any_more() -> None:
    model = network(False)
    card = {"untrained": json.dumps({"gone": "was removed", "0": "its weights are random", "2": "has no weights"})}
    marked = Model(model.graph, model.contract, model.classes, card=card)
    assert what_learns(marked) == ({"0": "its weights are random", "5": "it gives the answer"}, ["gone"])
    assert untrained(Model(model.graph, model.contract, model.classes, card={"untrained": "torn"})) == {}
    bare = Model(trace(nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten())), model.contract, ("a", "b", "c"))
    with pytest.raises(BadInput, match="no layer with weights that could learn"):
        what_learns(bare)


@pytest.mark.usefixtures("shapes")
def test_bad_questions(here: Path) -> None:
    save_model(network(False), here / "net.safetensors")
    with pytest.raises(BadInput, match=r"epochs must be at least 1\. Got 0"):
        ca.heal("net.safetensors", "shapes", epochs=0)
    with pytest.raises(BadInput, match=r"threads must be at least 1\. Got 0"):
        ca.heal("net.safetensors", "shapes", threads=0)
    with pytest.raises(BadInput, match=r"lr must be above 0"):
        ca.heal("net.safetensors", "shapes", lr=-1.0)
    with pytest.raises(BadInput, match=r"out must be a file that ends in \.safetensors"):
        ca.heal("net.safetensors", "shapes", out="h.png")
    with pytest.raises(BadInput, match="There is no augmentation 'wild'"):
        ca.heal("net.safetensors", "shapes", augment="wild")
    save_model(network(False).renamed(()), here / "bare.safetensors")
    with pytest.raises(BadInput, match=r"bare\.safetensors has no class names, so photos cannot teach it"):
        ca.heal("bare.safetensors", "shapes")
    save_model(network(False).renamed(("a", "b", "c")), here / "other.safetensors")
    with pytest.raises(BadInput, match="the classes of the model are 'a', 'b', 'c'"):
        ca.heal("other.safetensors", "shapes")
