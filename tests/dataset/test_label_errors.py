"""Labels changed on purpose: on digits at least 70 % of them are found, at least 85 % of what is named was changed."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.datasets import load_digits

from cutaway.dataset.label_errors import finding_label_errors, label_errors
from cutaway.errors import BadInput
from cutaway.events import Progress

X, Y = load_digits(return_X_y=True)


def flipped(share: float, seed: int = 1) -> tuple[np.ndarray, set[int]]:
    rng = np.random.default_rng(seed)
    labels, wrong = Y.copy(), rng.choice(len(Y), int(share * len(Y)), replace=False)
    labels[wrong] = (labels[wrong] + rng.integers(1, 10, len(wrong))) % 10
    return labels, set(wrong.tolist())


def test_changed_labels_are_found_with_the_right_suggestion() -> None:
    labels, wrong = flipped(0.05)

    found = label_errors(X, labels)

    named = {d.index for d in found.doubts}
    hits = named & wrong
    assert len(hits) / len(wrong) >= 0.70  # recall
    assert len(hits) / len(named) >= 0.85  # precision
    right = sum(d.suggested == Y[d.index] for d in found.doubts if d.index in hits)
    assert right / len(hits) >= 0.9
    assert all(d.given == labels[d.index] != d.suggested for d in found.doubts)
    assert [d.score for d in found.doubts] == sorted(d.score for d in found.doubts)


def test_clean_labels_raise_no_flood() -> None:
    found = label_errors(X, Y)

    assert found.trusted
    assert len(found.doubts) <= 18  # 1 %


def test_features_that_say_nothing_accuse_nobody() -> None:
    noise = np.random.default_rng(0).normal(size=(400, 20))

    found = label_errors(noise, np.arange(400) % 2)

    assert not found.trusted
    assert found.doubts == ()
    assert found.accuracy < 0.65


def test_unlabelled_rows_and_lonely_classes_are_not_judged() -> None:
    labels = Y[:300].copy()
    labels[:20] = -1
    labels[20] = 77

    found = label_errors(X[:300], labels)

    assert found.judged == 279


@pytest.mark.parametrize("labels", [[0, 0, 0, 0], [0, 1, 2, 3], [-1, -1, -1, -1]])
def test_nothing_to_judge(labels: list[int]) -> None:
    assert label_errors(X[:4], np.array(labels)).judged == 0


def test_copies_do_not_vouch_for_each_other() -> None:
    features, groups = np.concatenate([X, X]), np.tile(np.arange(len(X)), 2)
    changed, wrong = flipped(0.05)
    labels = np.concatenate([changed, changed])

    apart = {d.index for d in label_errors(features, labels).doubts} & wrong
    together = {d.index for d in label_errors(features, labels, groups).doubts} & wrong

    assert len(together) > len(apart)


def test_the_same_input_gives_the_same_doubts() -> None:
    labels, _ = flipped(0.05)

    assert label_errors(X, labels) == label_errors(X, labels)


def test_progress_counts_folds() -> None:
    assert list(finding_label_errors(X[:200], Y[:200]))[-1] == Progress("label check", 5, 5, "folds")


def test_lengths_must_agree() -> None:
    with pytest.raises(BadInput, match=r"equally long\. Got 5, 4 and 4"):
        label_errors(X[:5], Y[:4])
