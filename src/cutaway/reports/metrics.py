"""Logits and labels -> what they prove: accuracy with its interval, per class, confusion, calibration. numpy only."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from cutaway.errors import BadModel, must_be
from cutaway.reports.report import Calibration, ClassScore, Measured, Mistake

Z_95 = 1.959963984540054  # 97.5 % quantile of the normal distribution: two-sided 95 %
BINS = 15  # Guo et al. 2017 use 15 everywhere, so the number can be compared with published ones
CELL_CAP = 60  # names kept per confusion cell: a screenful of thumbnails; the count itself is exact
MISTAKE_CAP = 48  # names kept as "most confidently wrong"
TEMPERATURES = (0.05, 20.0)  # outside, softmax is a step or flat for every network seen in practice

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


def wilson(correct: int, n: int, z: float = Z_95) -> tuple[float, float]:
    """Successes out of n -> (low, high) of the true rate in [0, 1], 95 % by default; (0, 1) when n is 0.

    Wilson 1927, https://doi.org/10.2307/2276774: unlike the usual p +- z*sqrt(p(1-p)/n) it stays inside [0, 1] and
    is not empty at 0 % or 100 %.
    """
    if not 0 <= correct <= n:
        raise must_be("correct", f"a count between 0 and n = {n}", correct)
    if n == 0:
        return 0.0, 1.0
    p, zz = correct / n, z * z
    centre = (p + zz / (2 * n)) / (1 + zz / n)
    half = z / (1 + zz / n) * math.sqrt(p * (1 - p) / n + zz / (4 * n * n))
    low = 0.0 if correct == 0 else max(0.0, centre - half)  # exact at the ends, where rounding would leave 1e-17
    high = 1.0 if correct == n else min(1.0, centre + half)
    return low, high


def fit_temperature(logits: ArrayLike, labels: ArrayLike) -> float:
    """Logits (N, K) and labels (N,) of the validation fold -> the T > 0 whose softmax(logits / T) has the least loss.

    Guo et al. 2017, https://arxiv.org/abs/1706.04599, section 4.2; T lies in [0.05, 20]. Departure: 1 / (N + 2) of each
    target belongs to the other classes, Platt's (1999) rule for what a small fold cannot know. Without it one narrow
    mistake among 150 gave T = 0.2: loss on 400 others 0.177, where T = 1 has 0.112 and this rule's 0.67 has 0.099.
    A fold that is empty or holds no mistake says nothing about T: 1.0.
    """
    z, y = _checked("validation", logits, labels)
    if len(y) == 0 or bool(np.all(z.argmax(1) == y)):
        return 1.0
    from scipy.optimize import minimize_scalar
    from scipy.special import logsumexp

    doubt = 1 / (len(y) + 2)

    def loss(log_t: float) -> float:
        scaled = z / math.exp(log_t)
        of_each = logsumexp(scaled, axis=1, keepdims=True) - scaled  # (N, K), -log p
        given = of_each[np.arange(len(y)), y]
        others = (of_each.sum(1) - given) / (z.shape[1] - 1)
        return float(((1 - doubt) * given + doubt * others).mean())

    low, high = (math.log(t) for t in TEMPERATURES)
    found = minimize_scalar(loss, bounds=(low, high), method="bounded", options={"xatol": 1e-6})
    return math.exp(float(found.x)) if loss(float(found.x)) < loss(0.0) else 1.0


def measure(
    fold: str,
    names: Sequence[str],
    labels: ArrayLike,
    logits: ArrayLike,
    classes: Sequence[str],
    *,
    temperature: float | None = None,
    cell_cap: int = CELL_CAP,
    mistake_cap: int = MISTAKE_CAP,
) -> Measured:
    """One fold's names (N,), labels (N,) and logits (N, K) -> everything the report says about it.

    `temperature` is `fit_temperature` of the validation fold; None leaves the logits as they are (T = 1). Raises
    BadInput when nothing was measured or lengths differ, BadModel when logits are not finite.
    """
    z, y = _checked(fold, logits, labels, names)
    if len(y) == 0:
        raise must_be(f"Labelled pictures of the {fold} fold", "at least one", 0)
    if z.shape[1] != len(classes):
        raise must_be(f"logits of the {fold} fold", f"{len(classes)} columns, one per class", z.shape[1])
    if len(names) != len(y):
        raise must_be(f"names of the {fold} fold", f"{len(y)}, one per picture", len(names))
    probabilities = softmax(z)  # (N, K)
    answers = probabilities.argmax(1)  # (N,)
    confidences = probabilities.max(1)  # (N,)
    losses = _losses(z, y)  # (N,)
    correct = int((answers == y).sum())
    confusion = confusion_matrix(y, answers, len(classes))
    worst_first = np.argsort(-losses, kind="stable")
    low, high = wilson(correct, len(y))
    return Measured(
        fold=fold,
        n=len(y),
        correct=correct,
        accuracy=correct / len(y),
        low=low,
        high=high,
        loss=float(losses.mean()),
        classes=class_scores(confusion, classes),
        confusion=tuple(tuple(int(c) for c in row) for row in confusion),
        cells=_cells(worst_first, names, y, answers, cell_cap),
        mistakes=tuple(
            Mistake(names[i], classes[y[i]], classes[answers[i]], float(confidences[i]), float(losses[i]))
            for i in worst_first[answers[worst_first] != y[worst_first]][:mistake_cap]
        ),
        calibration=calibration(z, y, 1.0 if temperature is None else temperature),
    )


def confusion_matrix(labels: ArrayLike, answers: ArrayLike, n_classes: int) -> Ints:
    """True and answered class indices (N,) -> counts (K, K), rows true, columns answered."""
    y, p = np.asarray(labels, np.int64), np.asarray(answers, np.int64)
    return np.bincount(y * n_classes + p, minlength=n_classes * n_classes).reshape(n_classes, n_classes)


def class_scores(confusion: Ints, classes: Sequence[str]) -> tuple[ClassScore, ...]:
    """Confusion (K, K) -> precision, recall with 95 % interval, F1 of each class; 0 where undefined."""
    hit = np.diag(confusion)
    support, answered = confusion.sum(1), confusion.sum(0)
    scores = []
    for name, h, s, a in zip(classes, hit.tolist(), support.tolist(), answered.tolist(), strict=True):
        low, high = wilson(h, s)
        scores.append(
            ClassScore(name, s, h / a if a else 0.0, h / s if s else 0.0, low, high, 2 * h / (s + a) if s + a else 0.0)
        )
    return tuple(scores)


def calibration(logits: ArrayLike, labels: ArrayLike, temperature: float, bins: int = BINS) -> Calibration:
    """Logits (N, K), labels (N,), temperature -> confidence against accuracy in equal-width bins, ECE before and after.

    Guo et al. 2017, equations 2 and 3: bin m holds confidences in ((m-1)/M, m/M].
    """
    z, y = np.asarray(logits, np.float64), np.asarray(labels, np.int64)
    count, confidence, accuracy, ece = _reliability(z, y, bins)
    ece_scaled = ece if temperature == 1.0 else _reliability(z / temperature, y, bins)[3]
    return Calibration(
        bin_count=tuple(int(c) for c in count),
        bin_confidence=tuple(float(c) for c in confidence),
        bin_accuracy=tuple(float(a) for a in accuracy),
        ece=ece,
        temperature=float(temperature),
        ece_scaled=ece_scaled,
    )


def softmax(logits: ArrayLike) -> Floats:
    """Logits (N, K) -> probabilities (N, K), float64, without overflow."""
    z = np.asarray(logits, np.float64)
    e = np.exp(z - z.max(1, keepdims=True))
    return np.asarray(e / e.sum(1, keepdims=True))


def _reliability(z: Floats, y: Ints, bins: int) -> tuple[Ints, Floats, Floats, float]:
    """-> count, mean confidence, accuracy per bin (M,), and the ECE."""
    probabilities = softmax(z)
    confidences = np.minimum(probabilities.max(1), 1.0)  # (N,)
    right = (probabilities.argmax(1) == y).astype(np.float64)  # (N,)
    at = np.digitize(confidences, np.linspace(0, 1, bins + 1)[1:-1], right=True)
    count = np.bincount(at, minlength=bins)
    shown = np.maximum(count, 1)
    confidence = np.bincount(at, weights=confidences, minlength=bins) / shown
    accuracy = np.bincount(at, weights=right, minlength=bins) / shown
    ece = float((count * np.abs(accuracy - confidence)).sum() / max(1, len(y)))
    return count, confidence, accuracy, ece


def _losses(z: Floats, y: Ints) -> Floats:
    """Logits (N, K), labels (N,) -> -log p(true) in nats (N,)."""
    top = z.max(1)
    total = top + np.log(np.exp(z - top[:, None]).sum(1))
    return np.asarray(np.maximum(total - z[np.arange(len(y)), y], 0.0))


def _cells(order: NDArray[Any], names: Sequence[str], y: Ints, answers: Ints, cap: int) -> dict[str, tuple[str, ...]]:
    found: dict[tuple[int, int], list[str]] = {}
    for i in order.tolist():
        cell = found.setdefault((int(y[i]), int(answers[i])), [])
        if len(cell) < cap:
            cell.append(names[i])
    return {f"{t},{p}": tuple(cell) for (t, p), cell in sorted(found.items())}


def _checked(fold: str, logits: ArrayLike, labels: ArrayLike, names: Sequence[str] = ()) -> tuple[Floats, Ints]:
    z, y = np.asarray(logits, np.float64), np.asarray(labels)
    if z.ndim != 2 or y.ndim != 1 or len(z) != len(y):
        raise must_be(f"logits and labels of the {fold} fold", "shaped (N, K) and (N,)", (z.shape, y.shape))
    y = y.astype(np.int64)
    if len(y) and (y.min() < 0 or y.max() >= z.shape[1]):
        raise must_be(f"labels of the {fold} fold", f"class indices in [0, {z.shape[1]})", (int(y.min()), int(y.max())))
    bad = np.flatnonzero(~np.isfinite(z).all(1))
    if len(bad):
        first = f" (first: {names[bad[0]]})" if len(names) > bad[0] else ""
        raise BadModel(
            f"The network's answer is not a finite number for {len(bad)} of {len(z)} pictures of the {fold} "
            f"fold{first}: its weights diverged, so train again with a smaller --lr."
        )
    return z, y
