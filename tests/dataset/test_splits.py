from __future__ import annotations

import dataclasses
from collections import Counter, defaultdict

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cutaway.dataset.folder import FolderStore
from cutaway.dataset.samples import Dataset, Fold, Sample
from cutaway.dataset.splits import split, split_notes
from cutaway.errors import BadInput


def made(labels: list[int], folds: list[Fold | None] | None = None) -> Dataset:
    given_folds = folds or [None] * len(labels)
    samples = tuple(Sample(f"{i}.png", y, f, "") for i, (y, f) in enumerate(zip(labels, given_folds, strict=True)))
    return Dataset("pets", tuple(f"class {c}" for c in range(max(labels, default=0) + 1)), samples, FolderStore(""))


def sizes(data: Dataset) -> dict[str | None, int]:
    return dict(Counter(s.fold for s in data.samples))


LABELLED = st.lists(st.tuples(st.integers(0, 3), st.integers(0, 12)), min_size=1, max_size=60)


@given(
    rows=LABELLED, seed=st.integers(0, 5), val=st.sampled_from([0.0, 0.15, 0.4]), test=st.sampled_from([0.0, 0.15, 0.4])
)
@settings(deadline=None)
def test_every_sample_has_one_fold_no_group_sits_on_two_sides_and_every_class_can_be_learnt(
    rows: list[tuple[int, int]], seed: int, val: float, test: float
) -> None:
    data = made([label for label, _ in rows])
    groups = [group for _, group in rows]
    got = split(data, seed=seed, val=val, test=test, groups=groups)
    assert all(s.fold in ("train", "val", "test") for s in got.samples)
    assert [dataclasses.replace(s, fold=None) for s in got.samples] == list(data.samples)
    sides = defaultdict(set)
    for sample, group in zip(got.samples, groups, strict=True):
        sides[group].add(sample.fold)
    assert all(len(folds) == 1 for folds in sides.values())
    assert {s.label for s in got.samples if s.fold == "train"} == set(data.labels)


@given(
    counts=st.lists(st.integers(0, 80), min_size=2, max_size=4),
    seed=st.integers(0, 99),
    shares=st.tuples(st.floats(0.05, 0.4), st.floats(0.05, 0.4)),
)
@settings(deadline=None)
def test_each_class_is_cut_by_the_shares(counts: list[int], seed: int, shares: tuple[float, float]) -> None:
    val, test = shares
    data = made([label for label, n in enumerate(counts) for _ in range(n)])
    got = split(data, seed=seed, val=val, test=test)
    for label, n in enumerate(counts):
        own = Counter(s.fold for s in got.samples if s.label == label)
        assert abs(own["test"] - n * test) <= 1
        assert abs(own["val"] - n * val) <= 1
        if n >= 3:
            assert min(own["train"], own["val"], own["test"]) >= 1


@given(order=st.permutations(list(range(30))), seed=st.integers(0, 3))
@settings(deadline=None)
def test_the_order_of_the_files_does_not_matter(order: list[int], seed: int) -> None:
    data = made([i % 3 for i in range(30)])
    groups = [i // 2 for i in range(30)]
    straight = split(data, seed=seed, groups=groups)
    mixed = split(data.take(order), seed=seed, groups=[groups[i] for i in order])
    assert {s.name: s.fold for s in straight.samples} == {s.name: s.fold for s in mixed.samples}


@given(n=st.integers(5, 60), seed=st.integers(0, 20))
@settings(deadline=None)
def test_an_added_picture_moves_at_most_one_other_across_each_border(n: int, seed: int) -> None:
    before = {s.name: s.fold for s in split(made([0] * n), seed=seed).samples}
    after = {s.name: s.fold for s in split(made([0] * (n + 1)), seed=seed).samples}
    assert sum(before[name] != after[name] for name in before) <= 2


def test_the_seed_decides() -> None:
    data = made([0, 1] * 50)
    assert split(data, seed=1).samples == split(data, seed=1).samples
    assert split(data, seed=1).samples != split(data, seed=2).samples


def test_content_decides_where_a_renamed_picture_goes_and_keeps_copies_together() -> None:
    keys: list[str | None] = [f"sha{i // 2}" for i in range(40)]
    data = made([0] * 40)
    renamed = dataclasses.replace(
        data, samples=tuple(dataclasses.replace(s, name=f"other/{s.name}") for s in data.samples)
    )
    first, second = split(data, seed=0, keys=keys), split(renamed, seed=0, keys=keys)
    assert [s.fold for s in first.samples] == [s.fold for s in second.samples]
    assert all(first.samples[i].fold == first.samples[i + 1].fold for i in range(0, 40, 2))
    unread = [None, *keys[1:]]
    assert all(s.fold for s in split(data, seed=0, keys=unread).samples)


def test_seventy_fifteen_fifteen_by_default() -> None:
    assert sizes(split(made([0, 1] * 100), seed=0)) == {"train": 140, "val": 30, "test": 30}


def test_a_given_test_is_kept_and_val_is_cut_from_train() -> None:
    folds: list[Fold | None] = [*["train"] * 80, *["test"] * 20]  # type: ignore[list-item]
    got = split(made([0, 1] * 50, folds), seed=0)
    assert [s.fold for s in got.samples[80:]] == ["test"] * 20
    assert sizes(got) == {"train": 68, "val": 12, "test": 20}


def test_a_given_val_is_kept_and_test_is_cut_from_train() -> None:
    folds: list[Fold | None] = [*["train"] * 80, *["val"] * 20]  # type: ignore[list-item]
    got = split(made([0, 1] * 50, folds), seed=0)
    assert [s.fold for s in got.samples[80:]] == ["val"] * 20
    assert sizes(got) == {"train": 68, "test": 12, "val": 20}


def test_given_folds_that_are_complete_stay_as_they_are() -> None:
    folds: list[Fold | None] = ["train", "val", "test", "train", "val", "test"]
    assert [s.fold for s in split(made([0, 0, 0, 1, 1, 1], folds), seed=0).samples] == folds
    partly: list[Fold | None] = [None, "val", "test", None, "val", "test"]
    assert [s.fold for s in split(made([0, 0, 0, 1, 1, 1], partly), seed=0).samples] == folds


def test_tiny_classes_learn_first_then_choose_then_measure() -> None:
    got = split(made([0, 1, 1, 2, 2, 2]), seed=0)
    folds = defaultdict(list)
    for sample in got.samples:
        folds[sample.label].append(sample.fold)
    assert [sorted(map(str, folds[c])) for c in range(3)] == [["train"], ["train", "val"], ["test", "train", "val"]]
    assert split_notes(got) == (
        "1 class ('class 0') had too few pictures to give one to val; choosing the best epoch says nothing about it.",
        "2 classes ('class 0', 'class 1') had too few pictures to give one to test; "
        "the final measurement says nothing about them.",
    )
    assert split_notes(split(made([0, 1] * 10), seed=0)) == ()
    assert sizes(split(made([0, 0, 1, 1]), seed=0, val=0)) == {"train": 2, "test": 2}


def test_a_class_whose_pictures_are_one_group_is_learnt() -> None:
    got = split(made([0] * 6 + [1] * 20), seed=0, groups=[99] * 6 + list(range(20)))
    assert {s.fold for s in got.samples if s.label == 0} == {"train"}


@pytest.mark.parametrize(
    ("val", "test", "said"),
    [
        (-0.1, 0.1, "val must be a share of the pictures, at least 0 and below 1. Got -0.1"),
        (0.1, 1.0, "test must be a share of the pictures"),
        (0.5, 0.5, "val \\+ test must be below 1, so that pictures are left to learn from. Got 1.0"),
    ],
)
def test_shares_out_of_range(val: float, test: float, said: str) -> None:
    with pytest.raises(BadInput, match=said):
        split(made([0, 1]), seed=0, val=val, test=test)


def test_what_cannot_be_split() -> None:
    unlabelled = Dataset("pets", (), (Sample("a", None, None, ""),), FolderStore(""))
    with pytest.raises(BadInput, match="pets has pictures without a label; only labelled pictures can be split"):
        split(unlabelled, seed=0)
    with pytest.raises(BadInput, match="pets has no train fold; put the pictures to learn from into train/"):
        split(made([0, 1], ["test", "test"]), seed=0)
