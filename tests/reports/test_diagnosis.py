"""Each rule with a run that triggers it and near runs that do not."""

from __future__ import annotations

import dataclasses
import math
import re
from typing import Any

import pytest

from cutaway.reports import Baseline, Calibration, ClassScore, Diagnosis, EpochRow, Finding, Measured, Report
from cutaway.reports.diagnosis import LEAKS_LEFT_OUT, RULES, diagnose
from cutaway.reports.metrics import wilson

COMMAND = "cutaway train photos --network tutorial-cats-dogs"


def epoch(number: int, train: float, val: float, train_loss: float, val_loss: float, best: bool = False) -> EpochRow:
    return EpochRow(number, "train", train_loss, train, val_loss, val, 1e-3, 1.0, best)


GOOD = (
    epoch(1, 0.70, 0.70, 0.60, 0.60, best=True),
    epoch(2, 0.90, 0.90, 0.25, 0.26, best=True),
    epoch(3, 0.94, 0.94, 0.16, 0.20, best=True),
    epoch(4, 0.95, 0.94, 0.12, 0.21),
)


def measured(fold: str, accuracy: float, n: int, recalls: dict[str, tuple[int, int]] | None = None) -> Measured:
    correct = round(accuracy * n)
    low, high = wilson(correct, n)
    classes = tuple(ClassScore(name, s, 1.0, h / s, *wilson(h, s), f1=1.0) for name, (h, s) in (recalls or {}).items())
    return Measured(fold, n, correct, correct / n, low, high, 0.2, classes, (), {}, (), None)


def confident(seen: Measured, confidence: float, scaled: float = 0.01) -> Measured:
    """The fold with all its confidences in one bin."""
    gap = abs(confidence - seen.accuracy)
    return dataclasses.replace(
        seen, calibration=Calibration((seen.n,), (confidence,), (seen.accuracy,), gap, 1.8, scaled)
    )


def run(**changes: Any) -> Report:
    """A healthy run: 2 x 5000 photos, 94 % on 1000 validation and 1000 test photos; `changes` spoil it."""
    healthy = Report(
        title="photos", created="2026-11-20", command=COMMAND, recipe={"mode": "scratch", "augment": "light"},
        network="", network_name="tutorial-cats-dogs", parameters=1000, trainable=1000, contract="",
        classes=("cat", "dog"),
        counts={"train": {"cat": 5000, "dog": 5000}, "val": {"cat": 500, "dog": 500}, "test": {"cat": 500, "dog": 500}},
        findings=(), epochs=GOOD, val=measured("val", 0.94, 1000), test=measured("test", 0.935, 1000), looks=1,
        baselines=(baseline("majority class", 0.5), baseline("colour + HOG", 0.75)), diagnoses=(), environment={},
        timings={}, peak_memory_mb=100.0,
    )  # fmt: skip
    return dataclasses.replace(healthy, **changes)


def baseline(name: str, accuracy: float, n: int = 1000) -> Baseline:
    return Baseline(name, accuracy, *wilson(round(accuracy * n), n), n, seconds=3.0)


def rules(report: Report) -> list[str]:
    return [d.rule for d in diagnose(report)]


def fired(report: Report, rule: str) -> Diagnosis:
    return next(d for d in diagnose(report) if d.rule == rule)


SMALL = {"train": {"cat": 5000, "dog": 5000}, "val": {"cat": 6, "dog": 6}, "test": {"cat": 500, "dog": 500}}
FLAT = tuple(epoch(i, 0.90, 0.90, 0.300 - 0.001 * i, 0.30, best=i == 2) for i in range(1, 7))


def suspects(n: int) -> tuple[Finding, ...]:
    return (Finding("label-error", "warn", f"{n} labels look wrong", tuple(f"p{i}" for i in range(n))),)


TRIGGER = {
    "diverged": run(epochs=(*GOOD, epoch(5, 0.5, 0.5, math.nan, math.nan))),
    "leak": run(findings=(Finding("leak", "stop", "2 photos are in train and test", pairs=(("a", "b"), ("c", "d"))),)),
    "memorising": run(epochs=(*GOOD[:3], epoch(4, 0.999, 0.80, 0.01, 0.19, best=True), epoch(5, 1, 0.8, 0.01, 0.2))),
    "still-improving": run(epochs=GOOD[:3]),
    "under-fitting": run(
        epochs=tuple(epoch(i, 0.60, 0.59, 0.66, 0.67, best=i == 1) for i in range(1, 7)),
        val=measured("val", 0.59, 1000),
        test=measured("test", 0.60, 1000),
    ),
    "label-noise": run(findings=suspects(700), epochs=FLAT),
    "too-little-data": run(counts={"train": {"cat": 80, "dog": 90}, "val": {"cat": 500, "dog": 500}}),
    "imbalance": run(
        counts={"train": {"cat": 9000, "dog": 800}, "val": {"cat": 900, "dog": 100}},
        test=measured("test", 0.935, 1000, {"cat": (900, 920), "dog": (35, 80)}),
    ),
    "over-confident": run(test=confident(measured("test", 0.85, 1000), 0.97), val=measured("val", 0.86, 1000)),
    "validation-noise": run(counts=SMALL, val=measured("val", 11 / 12, 12), epochs=GOOD),
    "not-better": run(baselines=(baseline("majority class", 0.5), baseline("colour + HOG", 0.95))),
}

SPARE = {
    "a healthy run": run(),
    "a gap that six validation photos cannot prove": run(
        counts={**SMALL, "val": {"cat": 3, "dog": 3}}, val=measured("val", 5 / 6, 6),
        epochs=(epoch(1, 0.7, 4 / 6, 0.5, 0.5, True), epoch(2, 0.99, 5 / 6, 0.1, 0.4, True)),
    ),
    "memorised after the kept epoch": run(epochs=(*GOOD, epoch(5, 0.999, 0.9, 0.001, 0.4))),
    "improved to the end but has arrived": run(
        epochs=tuple(epoch(i, 0.94, 0.94, 0.2, 0.2 - 0.001 * i, best=True) for i in range(1, 7))
    ),
    "copies across folds that were left out": run(
        findings=(Finding("leak", "stop", "1 photo is in train and test", pairs=(("a", "b"),)),),
        recipe={"mode": "scratch", LEAKS_LEFT_OUT: "yes"},
    ),
    "loss still falls but nearly every photo is right": run(
        epochs=tuple(epoch(i, 0.99, 0.99, 0.2 / i, 0.2 / i, best=True) for i in range(1, 7))
    ),
    "suspect labels but still learning": run(findings=suspects(700)),
    "a few suspect labels": run(findings=suspects(20), epochs=FLAT),
    "labels nobody could check, copies under two labels": run(
        epochs=FLAT,
        findings=(
            Finding("unchecked-labels", "info", "Not checked."),
            Finding("duplicate-across-labels", "stop", "One pair.", pairs=(("a", "b"),)),
        ),
    ),
    "few photos but the score is proven": run(
        counts={"train": {"cat": 80, "dog": 90}, "val": {"cat": 500, "dog": 500}}, test=measured("test", 0.99, 1000)
    ),
    "few photos for a trained backbone": run(
        counts={"train": {"cat": 80, "dog": 90}, "val": {"cat": 500, "dog": 500}}, recipe={"mode": "frozen"}
    ),
    "rare but found": run(
        counts={"train": {"cat": 9000, "dog": 800}, "val": {"cat": 900, "dog": 100}},
        test=measured("test", 0.935, 1000, {"cat": (870, 920), "dog": (70, 80)}),
    ),
    "badly found but not rare": run(test=measured("test", 0.935, 1000, {"cat": (900, 920), "dog": (35, 80)})),
    "confident within the noise": run(test=confident(measured("test", 0.80, 60), 0.87), val=measured("val", 0.8, 60)),
    "a CNN and a classical rival that are both merely good": run(
        val=measured("val", 0.99, 1000), test=measured("test", 0.99, 1000),
        baselines=(baseline("majority class", 0.5), baseline("colour + HOG", 0.96)),
    ),
    "test above validation within noise": run(test=measured("test", 0.96, 1000)),
}  # fmt: skip

NEVER = {
    "a gap that six validation photos cannot prove": "memorising",
    "memorised after the kept epoch": "memorising",
    "improved to the end but has arrived": "still-improving",
    "copies across folds that were left out": "leak",
    "loss still falls but nearly every photo is right": "still-improving",
    "suspect labels but still learning": "label-noise",
    "a few suspect labels": "label-noise",
    "labels nobody could check, copies under two labels": "leak",
    "few photos but the score is proven": "too-little-data",
    "few photos for a trained backbone": "too-little-data",
    "rare but found": "imbalance",
    "badly found but not rare": "imbalance",
    "confident within the noise": "over-confident",
    "a CNN and a classical rival that are both merely good": "leak",
    "test above validation within noise": "leak",
}


@pytest.mark.parametrize("rule", TRIGGER)
def test_fires(rule: str) -> None:
    assert rule in rules(TRIGGER[rule])
    assert "healthy" not in rules(TRIGGER[rule])


@pytest.mark.parametrize("name", NEVER)
def test_does_not_fire(name: str) -> None:
    assert NEVER[name] not in rules(SPARE[name])


@pytest.mark.parametrize("rule", TRIGGER)
def test_no_rule_fires_on_the_healthy_run_and_every_rule_is_its_own(rule: str) -> None:
    assert rules(SPARE["a healthy run"]) == ["healthy"]
    assert rule not in rules(SPARE["a healthy run"])


def test_every_rule_has_a_run_that_triggers_it() -> None:
    assert len(TRIGGER) == len(RULES)


@pytest.mark.parametrize("report", [*TRIGGER.values(), *SPARE.values()])
def test_every_diagnosis_is_a_sentence_with_numbers_and_a_command(report: Report) -> None:
    for d in diagnose(report):
        assert d.text.endswith(".")
        assert not re.search(r"nan|inf\b|None", d.text)
        assert d.numbers
        assert all(math.isfinite(v) for v in d.numbers.values())
        assert re.match(r"cutaway (train|check|sweep|predict) \S+", d.next)


def test_gravest_first() -> None:
    report = run(counts=SMALL, val=measured("val", 11 / 12, 12), findings=TRIGGER["leak"].findings)
    assert rules(report)[0] == "leak"
    assert rules(report)[-1] == "validation-noise"


def test_two_more_ways_to_see_a_leak() -> None:
    easy = run(val=measured("val", 0.80, 1000), test=measured("test", 0.95, 1000))
    assert fired(easy, "leak").text.startswith("The test photos look too easy: 95.0 % right there")
    shortcut = run(test=measured("test", 1.0, 400), val=None, baselines=(baseline("colour + HOG", 0.998),))
    assert "Too good to be true: 100 % of 400 test photos" in fired(shortcut, "leak").text
    luck = run(test=measured("test", 1.0, 20), baselines=(baseline("colour + HOG", 1.0),), val=None)
    assert "leak" not in rules(luck)


def test_texts_and_commands_say_the_numbers_of_the_run() -> None:
    memo = fired(TRIGGER["memorising"], "memorising")
    assert memo.text == (
        "It memorises: 99.9 % of the training photos right but 80.0 % of 1,000 photos it never trained on "
        "(at best 82.4 %, 95 % interval)."
    )
    assert memo.next == "cutaway train photos --network tutorial-cats-dogs --augment medium"
    assert memo.numbers["gap"] == pytest.approx(0.199)
    assert fired(TRIGGER["still-improving"], "still-improving").next == f"{COMMAND} --epochs 6"
    little = fired(TRIGGER["too-little-data"], "too-little-data")
    assert little.next == "cutaway train photos --backbone mobilenet_v2 --mode frozen"
    assert fired(TRIGGER["diverged"], "diverged").next == f"{COMMAND} --lr 0.0001"
    assert fired(TRIGGER["label-noise"], "label-noise").next == "cutaway check photos"
    assert fired(TRIGGER["over-confident"], "over-confident").next == f"{COMMAND} --label-smoothing 0.1"
    assert "35 of" not in fired(TRIGGER["imbalance"], "imbalance").text
    assert "43.8 % of its 80 test photos found" in fired(TRIGGER["imbalance"], "imbalance").text


@pytest.mark.parametrize(
    ("recipe", "flag"),
    [
        ({"mode": "scratch", "augment": "none"}, "--augment light"),
        ({"mode": "scratch", "augment": "auto"}, "--augment strong"),
        ({"mode": "scratch", "augment": "strong"}, "--dropout 0.5"),
        ({"mode": "frozen", "augment": "none"}, "--dropout 0.5"),
        ({"mode": "frozen", "dropout": "0.5"}, "--weight-decay 0.1"),
        ({"mode": "frozen", "dropout": "0.5", "weight-decay": "0.1"}, "--weight-decay 0.3"),
        ({"mode": "frozen", "dropout": "half"}, "--dropout 0.5"),
    ],
)
def test_the_remedy_against_memorising_is_the_next_one_not_yet_taken(recipe: dict[str, str], flag: str) -> None:
    report = dataclasses.replace(TRIGGER["memorising"], recipe=recipe)
    assert fired(report, "memorising").next == f"{COMMAND} {flag}"


@pytest.mark.parametrize(
    ("mode", "line"),
    [
        ("scratch", "cutaway train photos --backbone mobilenet_v2 --mode frozen"),
        ("frozen", f"{COMMAND} --mode finetune"),
        ("finetune", "cutaway sweep photos --vary lr=0.0003,0.001,0.003"),
    ],
)
def test_the_remedy_for_a_weak_network_depends_on_how_it_was_made(mode: str, line: str) -> None:
    report = dataclasses.replace(TRIGGER["under-fitting"], recipe={"mode": mode})
    assert fired(report, "under-fitting").next == line


def test_a_report_without_measurements_has_no_verdict() -> None:
    assert diagnose(run(epochs=(), val=None, test=None, counts={}, baselines=())) == ()


def test_without_baselines_the_majority_comes_from_the_counts() -> None:
    report = dataclasses.replace(TRIGGER["under-fitting"], baselines=())
    assert fired(report, "under-fitting").numbers["majority"] == 0.5
