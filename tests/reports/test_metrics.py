"""Numbers of the report against scikit-learn, scipy and hand calculation."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import log_softmax

from cutaway.errors import BadInput, BadModel
from cutaway.reports import metrics
from cutaway.reports.metrics import fit_temperature, measure, wilson


def fold(seed: int = 0, n: int = 400, k: int = 5, sharp: float = 3.0) -> tuple[np.ndarray, np.ndarray, list[str]]:
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, k, n)
    logits = rng.normal(size=(n, k)) * sharp
    logits[np.arange(n), labels] += sharp
    return logits, labels, [f"p{i}.jpg" for i in range(n)]


# 90 % right at these sizes, as the project's study of trainers prints them (two digits)
@pytest.mark.parametrize(
    ("n", "low", "high"), [(6, 0.44, 0.97), (20, 0.70, 0.97), (50, 0.79, 0.96), (200, 0.85, 0.93), (1000, 0.88, 0.92)]
)
def test_wilson_of_small_folds(n: int, low: float, high: float) -> None:
    assert wilson(round(0.9 * n), n) == pytest.approx((low, high), abs=0.0051)


@given(st.integers(1, 5000), st.data())
@settings(max_examples=60, deadline=None)
def test_wilson_is_scipys(n: int, data: st.DataObject) -> None:
    from scipy.stats import binomtest

    correct = data.draw(st.integers(0, n))
    theirs = binomtest(correct, n).proportion_ci(method="wilson")
    low, high = wilson(correct, n)
    assert (low, high) == pytest.approx((theirs.low, theirs.high), abs=1e-12)
    assert 0 <= low <= correct / n <= high <= 1


def test_wilson_of_nothing_and_of_nonsense() -> None:
    assert wilson(0, 0) == (0.0, 1.0)
    assert wilson(0, 9)[0] == 0.0
    assert wilson(9, 9)[1] == 1.0
    with pytest.raises(BadInput, match=r"correct must be a count between 0 and n = 3\. Got 4\."):
        wilson(4, 3)


def test_measured_numbers_are_scikit_learns() -> None:
    from sklearn.metrics import confusion_matrix, log_loss, precision_recall_fscore_support

    logits, labels, names = fold()
    classes = [f"c{i}" for i in range(5)]
    m = measure("test", names, labels, logits, classes)
    answers = logits.argmax(1)
    precision, recall, f1, support = precision_recall_fscore_support(labels, answers, labels=range(5), zero_division=0)
    assert [c.precision for c in m.classes] == pytest.approx(precision, abs=1e-12)
    assert [c.recall for c in m.classes] == pytest.approx(recall, abs=1e-12)
    assert [c.f1 for c in m.classes] == pytest.approx(f1, abs=1e-12)
    assert [c.support for c in m.classes] == support.tolist()
    assert np.array(m.confusion).tolist() == confusion_matrix(labels, answers).tolist()
    assert m.loss == pytest.approx(log_loss(labels, metrics.softmax(logits)), abs=1e-9)
    assert (m.fold, m.n, m.correct) == ("test", 400, int((answers == labels).sum()))
    assert m.low < m.accuracy == m.correct / 400 < m.high


def test_a_class_that_never_occurs_scores_zero_and_its_interval_is_everything() -> None:
    m = measure("test", ["a"], [0], [[1.0, 0.0, -1.0]], ["x", "y", "z"])
    assert [(c.precision, c.recall, c.f1) for c in m.classes] == [(1, 1, 1), (0, 0, 0), (0, 0, 0)]
    assert (m.classes[2].recall_low, m.classes[2].recall_high) == (0.0, 1.0)


def test_cells_and_mistakes_are_worst_first_and_capped() -> None:
    # class 0 answered 1 with logit gaps 1, 3, 2: losses log(1 + e^gap)
    logits = [[0.0, 1.0], [0.0, 3.0], [0.0, 2.0], [5.0, 0.0]]
    m = measure("val", ["a", "b", "c", "d"], [0, 0, 0, 0], logits, ["no", "yes"], cell_cap=2, mistake_cap=2)
    assert m.cells == {"0,0": ("d",), "0,1": ("b", "c")}
    assert m.confusion == ((1, 3), (0, 0))
    assert [(x.name, x.true, x.predicted) for x in m.mistakes] == [("b", "no", "yes"), ("c", "no", "yes")]
    assert m.mistakes[0].loss == pytest.approx(math.log(1 + math.exp(3)))
    assert m.mistakes[0].confidence == pytest.approx(1 / (1 + math.exp(-3)))


def test_expected_calibration_error_by_hand() -> None:
    # confidences 0.9 (right), 0.9 (wrong), 0.6 (right), 0.6 (right)
    # bin of 0.9: accuracy 1/2, gap 0.4; bin of 0.6: accuracy 1, gap 0.4 -> ECE = 2/4*0.4 + 2/4*0.4 = 0.4
    logits = [[math.log(0.9), math.log(0.1)]] * 2 + [[math.log(0.6), math.log(0.4)]] * 2
    c = metrics.calibration(logits, [0, 1, 0, 0], temperature=1.0)
    assert c.ece == pytest.approx(0.4, abs=1e-12)
    assert c.ece_scaled == c.ece
    assert sum(c.bin_count) == 4
    assert len(c.bin_count) == 15
    assert c.bin_count[13] == 2  # 0.9 lies in (13/15, 14/15]
    assert c.bin_accuracy[13] == pytest.approx(0.5)
    assert c.bin_confidence[13] == pytest.approx(0.9)
    assert c.bin_count[8] == 2  # 0.6 = 9/15 lies in (8/15, 9/15], the bin's closed end


def test_temperature_finds_the_one_that_was_planted() -> None:
    rng = np.random.default_rng(1)
    honest = rng.normal(size=(20000, 4)) * 1.5
    labels = np.array([rng.choice(4, p=p) for p in metrics.softmax(honest)])
    assert fit_temperature(honest * 3.0, labels) == pytest.approx(3.0, rel=0.03)  # 20,000 draws: about 1 % of noise
    m = metrics.calibration(honest * 3.0, labels, fit_temperature(honest * 3.0, labels))
    assert m.ece_scaled < 0.02 < 0.1 < m.ece


@pytest.mark.parametrize(
    ("logits", "labels"),
    [
        (np.zeros((0, 3)), np.zeros(0, int)),
        (np.array([[2.0, 0.0]]), np.array([0])),
        (np.array([[2.0, 0.0], [0.0, 9.0]]), np.array([0, 1])),
    ],
)
def test_a_fold_without_a_mistake_leaves_the_temperature_alone(logits: np.ndarray, labels: np.ndarray) -> None:
    assert fit_temperature(logits, labels) == 1.0


def test_a_hopeless_network_gets_the_flattest_temperature() -> None:
    assert fit_temperature([[50.0, 0.0], [60.0, 0.0]], [1, 1]) == pytest.approx(20.0, rel=1e-3)


@given(st.integers(0, 10_000), st.integers(2, 30), st.integers(2, 6), st.floats(0.01, 50))
@settings(max_examples=40, deadline=None)
def test_a_fitted_temperature_never_raises_the_loss(seed: int, n: int, k: int, sharp: float) -> None:
    """The loss over targets of which 1 / (n + 2) belongs to the other classes."""
    logits, labels, names = fold(seed, n, k, sharp)
    t = fit_temperature(logits, labels)
    assert 0.05 <= t <= 20
    targets = np.full((n, k), 1 / (n + 2) / (k - 1))
    targets[np.arange(n), labels] = 1 - 1 / (n + 2)
    before, after = (-(targets * log_softmax(logits / by, axis=1)).sum(1).mean() for by in (1.0, t))
    assert after <= before + 1e-9
    measured = measure("val", names, labels, logits, [str(i) for i in range(k)])
    assert sum(map(sum, measured.confusion)) == n
    assert sum(map(len, measured.cells.values())) == n
    assert len(measured.mistakes) == min(48, n - measured.correct)


def test_one_narrow_mistake_does_not_make_a_network_sure_of_everything() -> None:
    """Two classes, margins drawn as an honest network has them, of which a small fold shows one mistake near 0."""
    rng = np.random.default_rng(3)
    margins = rng.normal(4, 2, 20_000)
    right = rng.random(20_000) < 1 / (1 + np.exp(-margins))
    logits = np.stack([margins, np.zeros_like(margins)], 1)
    labels = np.where(right, 0, 1)
    sure = np.nonzero(right & (margins > 0.8))[0][:149]
    narrow = np.nonzero(~right & (np.abs(margins - 0.3) < 0.1))[0][:1]
    small = np.concatenate([sure, narrow])

    t = fit_temperature(logits[small], labels[small])

    losses = {by: -log_softmax(logits / by, axis=1)[np.arange(len(labels)), labels].mean() for by in (1.0, t, 0.2)}
    assert t > 0.5
    assert losses[t] < 1.1 * losses[1.0] < losses[0.2]


def test_what_cannot_be_measured_is_said() -> None:
    with pytest.raises(BadInput, match=r"Labelled pictures of the test fold must be at least one\. Got 0\."):
        measure("test", [], [], np.zeros((0, 2)), ["a", "b"])
    with pytest.raises(BadInput, match=r"must be 3 columns, one per class\. Got 2\."):
        measure("test", ["x"], [0], [[1.0, 2.0]], ["a", "b", "c"])
    with pytest.raises(BadInput, match=r"names of the test fold must be 1, one per picture\. Got 2\."):
        measure("test", ["x", "y"], [0], [[1.0, 2.0]], ["a", "b"])
    with pytest.raises(BadInput, match=r"must be shaped \(N, K\) and \(N,\)\. Got \(\(2,\), \(1,\)\)\."):
        measure("test", ["x"], [0], [1.0, 2.0], ["a", "b"])
    with pytest.raises(BadInput, match=r"labels of the test fold must be class indices in \[0, 2\)\. Got \(2, 2\)\."):
        measure("test", ["x"], [2], [[1.0, 2.0]], ["a", "b"])
    with pytest.raises(
        BadModel, match=r"not a finite number for 1 of 2 pictures of the test fold \(first: y\): its weig"
    ):
        measure("test", ["x", "y"], [0, 1], [[1.0, 2.0], [np.nan, 0.0]], ["a", "b"])
