"""Every kind of finding: data that must raise it, and data that must not."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from cutaway.dataset import Dataset, Sample
from cutaway.dataset.checks import KINDS, check, checking
from cutaway.dataset.duplicates import Duplicate
from cutaway.dataset.evidence import Evidence
from cutaway.dataset.quarantine import LEFT_OUT, REASONS
from cutaway.errors import BadInput, BadPicture
from cutaway.events import Progress
from cutaway.image import Image
from cutaway.reports import Finding


class NoStore:
    """The checks go by the evidence and never read a picture."""

    def read(self, sample: Sample, target_px: int | None = None) -> Image:
        raise AssertionError(f"{sample.name} was read at {target_px}")

    def stamp(self, sample: Sample) -> str:
        return sample.name


def clean(per_class: int = 60, classes: tuple[str, ...] = ("cats", "dogs")) -> tuple[Dataset, Evidence]:
    """Random soft pictures that nothing is wrong with: names c0.jpg, c1.jpg, ..., labels in turn."""
    count = per_class * len(classes)
    samples = tuple(Sample(f"c{i}.jpg", i % len(classes), None, i) for i in range(count))
    coarse = np.random.default_rng(0).integers(0, 256, (count, 8, 8, 3), np.uint8)
    evidence = Evidence(
        pixels=coarse.repeat(8, 1).repeat(8, 2),
        ok=np.ones(count, bool),
        failures=(),
        sha256s=tuple(f"sha-{i}" for i in range(count)),
        stored_sizes=np.full((count, 2), 200),
        notes=((),) * count,
        formats=("JPEG",) * count,
    )
    return Dataset("photos", classes, samples, NoStore()), evidence


def with_sample(dataset: Dataset, index: int, **changes: object) -> Dataset:
    samples = list(dataset.samples)
    samples[index] = dataclasses.replace(samples[index], **changes)  # type: ignore[arg-type]
    return dataclasses.replace(dataset, samples=tuple(samples))


def with_copy(evidence: Evidence, source: int, copy: int, mirrored: bool = False) -> Evidence:
    """`copy` shows what `source` shows, as an identical file or mirrored."""
    pixels, digests = evidence.pixels.copy(), list(evidence.sha256s)
    pixels[copy] = pixels[source][:, ::-1] if mirrored else pixels[source]
    if not mirrored:
        digests[copy] = digests[source]
    return dataclasses.replace(evidence, pixels=pixels, sha256s=tuple(digests))


def of_kind(findings: tuple[Finding, ...], kind: str) -> list[Finding]:
    return [f for f in findings if f.kind == kind]


def only(findings: tuple[Finding, ...], kind: str) -> Finding:
    assert {f.kind for f in findings} == {kind}
    (found,) = findings
    return found


def test_clean_data_raises_nothing() -> None:
    assert check(*clean()) == ()


def test_kinds_agree_with_the_quarantine() -> None:
    assert set(LEFT_OUT) <= set(REASONS) <= set(KINDS)


def test_unreadable_files_are_named_by_reason() -> None:
    dataset, evidence = clean()
    ok = evidence.ok.copy()
    ok[[3, 4, 5]] = False
    failures = (
        BadPicture("c3.jpg", "truncated", "ends early"),
        BadPicture("c4.jpg", "truncated", "ends early"),
        BadPicture("c5.jpg", "empty", "0 bytes"),
    )

    found = check(dataset, dataclasses.replace(evidence, ok=ok, failures=failures))

    assert [(f.kind, f.severity, f.names) for f in found] == [
        ("unreadable", "warn", ("c3.jpg", "c4.jpg")),
        ("unreadable", "warn", ("c5.jpg",)),
    ]
    assert "2 files cannot be used, because each ends too early" in found[0].text
    assert "(truncated): c3.jpg, c4.jpg" in found[0].text
    assert "1 file cannot be used, because it is empty" in found[1].text


def test_a_class_without_a_readable_picture_stops() -> None:
    dataset, evidence = clean()
    ok = np.arange(120) % 2 == 0
    failures = tuple(BadPicture(f"c{i}.jpg", "corrupt", "broken") for i in range(1, 120, 2))

    found = check(dataset, dataclasses.replace(evidence, ok=ok, failures=failures))

    assert found[0].severity == "stop"
    assert "No picture of class 'dogs' can be read (60 files)" in found[0].text


def test_odd_files_are_told_by_what_was_done() -> None:
    dataset, evidence = clean()
    notes = (("rotated-6",), ("rotated-3", "alpha-flattened"), ("first-frame",), ("depth-scaled",), ("new-note",))

    found = check(dataset, dataclasses.replace(evidence, notes=notes + evidence.notes[5:]))

    assert {f.names for f in found} == {("c0.jpg", "c1.jpg"), ("c1.jpg",), ("c2.jpg",), ("c3.jpg",), ("c4.jpg",)}
    assert all((f.kind, f.severity) == ("odd", "info") for f in found)


@pytest.mark.parametrize(
    ("name", "content", "told"),
    [
        ("a.jpg", "PNG", True),
        ("a.JPEG", "JPEG", False),
        ("a.jpg", "MPO", False),
        ("t.parquet[3]", "PNG", False),
        ("a.jpg", "", False),
    ],
)
def test_an_ending_that_does_not_fit_the_content(name: str, content: str, told: bool) -> None:
    dataset, evidence = clean()

    found = check(
        with_sample(dataset, 0, name=name), dataclasses.replace(evidence, formats=(content, *evidence.formats[1:]))
    )

    assert [f.names for f in of_kind(found, "odd")] == ([(name,)] if told else [])


def test_identical_files_keep_the_first() -> None:
    dataset, evidence = clean()

    found = only(check(dataset, with_copy(with_copy(evidence, 0, 2), 0, 4)), "exact-duplicate")

    assert found.names == ("c2.jpg", "c4.jpg")
    assert found.pairs == (("c0.jpg", "c2.jpg"), ("c0.jpg", "c4.jpg"))
    assert found.severity == "warn"


def test_near_copies_say_how_they_differ() -> None:
    dataset, evidence = clean()

    found = only(check(dataset, with_copy(evidence, 0, 2, mirrored=True)), "near-duplicate")

    assert found.pairs == (("c0.jpg", "c2.jpg"),)
    assert "c0.jpg = c2.jpg (mirrored)" in found.text


@pytest.mark.parametrize("mirrored", [False, True])
def test_one_picture_under_two_labels_stops(mirrored: bool) -> None:
    dataset, evidence = clean()

    found = only(check(dataset, with_copy(evidence, 0, 1, mirrored)), "duplicate-across-labels")

    assert found.severity == "stop"
    assert found.names == ("c0.jpg", "c1.jpg")


@pytest.mark.parametrize("mirrored", [False, True])
def test_a_copy_in_the_test_fold_is_a_leak_and_the_training_copy_is_blamed(mirrored: bool) -> None:
    dataset, evidence = clean()
    folded = dataclasses.replace(
        dataset,
        samples=tuple(
            dataclasses.replace(s, fold="test" if i < 20 else "train") for i, s in enumerate(dataset.samples)
        ),
    )

    found = only(check(folded, with_copy(evidence, 0, 50, mirrored)), "leak")

    assert found.severity == "stop"
    assert found.names == ("c50.jpg",)
    assert found.pairs == (("c50.jpg", "c0.jpg"),)
    assert "1 picture of train also in test" in found.text


def test_copies_within_a_fold_are_no_leak() -> None:
    dataset, evidence = clean()
    folded = dataclasses.replace(dataset, samples=tuple(dataclasses.replace(s, fold="train") for s in dataset.samples))

    assert not of_kind(check(folded, with_copy(evidence, 0, 2)), "leak")


def test_a_chain_of_identical_files_over_folds_and_labels_is_told_once_each() -> None:
    dataset, evidence = clean()
    for i, fold in ((0, "train"), (2, "train"), (4, "test"), (5, "train")):
        dataset = with_sample(dataset, i, fold=fold)
    for i in (2, 4, 5):
        evidence = with_copy(evidence, 0, i)

    found = {f.kind: f for f in check(dataset, evidence)}

    assert found["exact-duplicate"].names == ("c2.jpg",)
    assert found["duplicate-across-labels"].names == ("c0.jpg", "c4.jpg", "c5.jpg")
    assert found["leak"].names == ("c0.jpg", "c5.jpg")


def test_copies_handed_in_are_not_looked_for_again() -> None:
    dataset, evidence = clean()
    known = (Duplicate(0, 2, "near", "a burst", 0.9),)

    found = only(check(dataset, dataclasses.replace(evidence, copies=known)), "near-duplicate")

    assert "a burst" in found.text


def test_near_constant_pictures_are_named() -> None:
    dataset, evidence = clean()
    pixels = evidence.pixels.copy()
    pixels[7] = 200
    pixels[7, 0, 0] = 190

    assert only(check(dataset, dataclasses.replace(evidence, pixels=pixels)), "near-constant").names == ("c7.jpg",)


def test_imbalance_tells_ratio_and_majority() -> None:
    dataset, evidence = clean(120)
    for i in range(1, 120, 2):
        dataset = with_sample(dataset, i, label=0)

    found = only(check(dataset, evidence), "imbalance")

    assert found.numbers == {"ratio": 3.0, "largest": 180.0, "smallest": 60.0, "majority": 0.75}
    assert "3.0 times as many" in found.text


@pytest.mark.parametrize(("column", "told"), [("y", True), ("Label", False), ("", False)])
def test_a_label_column_of_another_name_is_told(column: str, told: bool) -> None:
    dataset, evidence = clean(50)
    found = of_kind(check(dataclasses.replace(dataset, label_column=column), evidence), "labels-from")

    assert [f.text.startswith("Labels are read from column 'y' of") for f in found] == [True] * told


def test_slight_imbalance_is_no_finding() -> None:
    dataset, evidence = clean(120)
    for i in range(1, 119, 2):
        dataset = with_sample(dataset, i, label=0)

    assert check(dataset, evidence) == ()


@pytest.mark.parametrize(("per_class", "severity"), [(1, "stop"), (9, "warn"), (49, "info"), (50, None)])
def test_few_pictures(per_class: int, severity: str | None) -> None:
    found = of_kind(check(*clean(per_class)), "few")

    assert [f.severity for f in found] == ([severity] if severity else [])


@pytest.mark.parametrize("statistic", ["file width", "brightness", "blueness"])
def test_a_shortcut_is_named(statistic: str) -> None:
    dataset, evidence = clean()
    pixels, sizes = evidence.pixels // 2, evidence.stored_sizes.copy()
    if statistic == "file width":
        sizes[::2, 1] = 400
    elif statistic == "brightness":
        pixels[::2] += 100
    else:
        pixels[::2, :, :, 2] += 100

    found = check(dataset, dataclasses.replace(evidence, pixels=pixels, stored_sizes=sizes))

    told = only(found, "shortcut")
    assert told.severity == "warn"
    assert told.numbers is not None
    assert told.numbers[statistic] == 1.0
    assert f"{statistic} alone" in told.text or f"{statistic} (100%)" in told.text


def test_a_faint_shortcut_is_a_hint() -> None:
    dataset, evidence = clean(200)
    sizes = evidence.stored_sizes.copy()
    sizes[np.random.default_rng(2).permutation(np.arange(0, 400, 2))[:60], 1] = 300

    found = only(check(dataset, dataclasses.replace(evidence, stored_sizes=sizes)), "shortcut")

    assert found.severity == "info"
    assert "look whether it is the subject" in found.text


def test_wrong_labels_are_ranked_with_a_suggestion() -> None:
    dataset, evidence = clean(60, ("a", "b", "c"))
    noise = np.random.default_rng(1).normal(size=(180, 3))
    evidence = dataclasses.replace(evidence, features=(np.eye(3)[np.arange(180) % 3] * 8 + noise).astype(np.float32))
    wrong = {f"c{i}.jpg" for i in (0, 30, 60)}

    assert check(dataset, evidence) == ()
    for name in wrong:
        dataset = with_sample(dataset, int(name[1:-4]), label=1)
    found = only(check(dataset, evidence), "label-error")

    assert set(found.names) == wrong
    assert set(found.pairs) == {(name, "a") for name in wrong}
    assert "(labelled 'b', looks like 'a')" in found.text


def test_weak_features_leave_labels_unchecked() -> None:
    dataset, evidence = clean()
    noise = np.random.default_rng(1).normal(size=(120, 8)).astype(np.float32)

    found = only(check(dataset, dataclasses.replace(evidence, features=noise)), "unchecked-labels")

    assert "Labels were not checked" in found.text


def test_what_the_scan_skipped_is_told() -> None:
    dataset, evidence = clean()
    dataset = dataclasses.replace(
        dataset, skipped=((".DS_Store", "hidden"), ("a.txt", "not a picture ending"), ("._b", "hidden"))
    )

    found = check(dataset, evidence)

    assert [(f.kind, f.names) for f in found] == [("skipped", (".DS_Store", "._b")), ("skipped", ("a.txt",))]


def test_most_urgent_first_and_the_same_every_time() -> None:
    dataset, evidence = clean(9)
    dataset = dataclasses.replace(dataset, skipped=(("x", "hidden"),))
    evidence = with_copy(evidence, 0, 1)

    found = check(dataset, evidence)

    assert [f.severity for f in found] == ["stop", "warn", "info"]
    assert found == check(dataset, evidence)


def test_unlabelled_pictures_are_checked_for_what_can_be() -> None:
    dataset, evidence = clean()
    unlabelled = dataclasses.replace(
        dataset, classes=(), samples=tuple(dataclasses.replace(s, label=None) for s in dataset.samples)
    )

    assert only(check(unlabelled, with_copy(evidence, 0, 1)), "exact-duplicate").names == ("c1.jpg",)


def test_no_pictures_at_all() -> None:
    dataset, _ = clean()
    empty = np.empty((0, 64, 64, 3), np.uint8)

    assert check(dataset.take([]), Evidence(empty, np.empty(0, bool), (), (), np.empty((0, 2), int))) == ()


def test_long_parts_tell_their_progress() -> None:
    tasks = {event.task for event in checking(*clean()) if isinstance(event, Progress)}

    assert {"fingerprints", "looking for copies", "looking for crops", "size and colour"} <= tasks


def test_evidence_of_another_length_is_refused() -> None:
    dataset, evidence = clean()

    with pytest.raises(BadInput, match="one row per picture: sha256s has 119 for 120"):
        check(dataset, dataclasses.replace(evidence, sha256s=evidence.sha256s[1:]))
