"""Sums of right answers, loss and calibration: what reports.metrics measures of all pictures at once."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cutaway.reports.metrics import measure
from cutaway.surgery.tally import Tally, marked

NAMES = tuple("abc")


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(1, 40), st.sampled_from([1.0, 0.5, 2.0]))
def test_differences_add_up_to_the_whole(seed: int, count: int, temperature: float) -> None:
    rng = np.random.default_rng(seed)
    before, after = (rng.normal(size=(count, 3)).astype(np.float32) * 3 for _ in range(2))
    labels = rng.integers(0, 3, count)
    tally = Tally.empty(2)
    marks = marked(before, labels, temperature)
    touched = rng.permutation(count)[: rng.integers(0, count + 1)]
    tally.add(np.ones(len(touched), np.int64), marked(after[touched], labels[touched], temperature), marks.at(touched))
    tally.start(marks)
    mixed = before.copy()
    mixed[touched] = after[touched]
    for i, logits in enumerate((before, mixed)):
        whole = measure("x", [str(n) for n in range(count)], labels, logits / temperature, NAMES)
        assert tally.correct[i] / count == pytest.approx(whole.accuracy)
        assert tally.loss[i] / count == pytest.approx(whole.loss, abs=1e-9)
        assert whole.calibration is not None
        assert tally.ece(count)[i] == pytest.approx(whole.calibration.ece, abs=1e-9)
    answers = before.argmax(1), mixed.argmax(1)
    assert tally.changed[1] == (answers[0] != answers[1]).sum()
    assert tally.broken[1] == ((answers[0] == labels) & (answers[1] != labels)).sum()
    assert tally.mended[1] == ((answers[0] != labels) & (answers[1] == labels)).sum()


def test_parts_of_the_pictures_add_up() -> None:
    rng = np.random.default_rng(0)
    logits, labels = rng.normal(size=(10, 3)).astype(np.float32), rng.integers(0, 3, 10)
    whole, first, second = (Tally.empty(1) for _ in range(3))
    whole.start(marked(logits, labels))
    first.start(marked(logits[:4], labels[:4]))
    second.start(marked(logits[4:], labels[4:]))
    for a, b in zip(whole.arrays, first.plus(second).arrays, strict=True):
        np.testing.assert_allclose(a, b)


def test_without_labels_the_answers_are_right() -> None:
    marks = marked(np.array([[2.0, 0, 1]], np.float32), None)
    assert marks.right.tolist() == [True]
    assert marks.loss[0] == pytest.approx(np.log(1 + np.exp(-2) + np.exp(-1)))
