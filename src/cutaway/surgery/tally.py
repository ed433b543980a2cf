"""What answers are worth, as sums that can be added up picture by picture: right answers, loss, calibration."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cutaway.reports.metrics import BINS, softmax

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class Marks:
    """B answers, each (B,): the class, whether it is the label's, loss in nats, confidence, its bin of calibration."""

    answer: Ints
    right: NDArray[np.bool_]
    loss: Floats
    confidence: Floats
    bin: Ints

    def at(self, rows: Ints) -> Marks:
        """Those of some answers."""
        return Marks(self.answer[rows], self.right[rows], self.loss[rows], self.confidence[rows], self.bin[rows])


def marked(logits: NDArray[np.float32], labels: Ints | None, temperature: float = 1.0) -> Marks:
    """Logits (B, K), labels (B,) (None: the answers themselves) -> Marks, as reports.metrics measures them.

    Logits are divided by the temperature first, so that they are the probabilities that `predict` shows.
    """
    z = np.asarray(logits, np.float64) / temperature
    answer = z.argmax(1).astype(np.int64)
    labels = answer if labels is None else labels
    top = z.max(1)
    loss = np.maximum(top + np.log(np.exp(z - top[:, None]).sum(1)) - z[np.arange(len(z)), labels], 0.0)
    confidence = np.minimum(softmax(z).max(1), 1.0)
    bins = np.digitize(confidence, np.linspace(0, 1, BINS + 1)[1:-1], right=True).astype(np.int64)
    return Marks(answer, answer == labels, loss, confidence, bins)


@dataclass(frozen=True, slots=True, eq=False)
class Tally:
    """Sums over pictures for U networks at once: each of (U,), calibration's of (U, bins) x (count, confidence, right).

    `changed`: other answers than the plain network's; `broken`: right ones made wrong, `mended`: wrong ones made right.
    """

    correct: Floats
    loss: Floats
    bins: Floats
    changed: Floats
    broken: Floats
    mended: Floats

    @classmethod
    def empty(cls, count: int) -> Tally:
        return cls(np.zeros(count), np.zeros(count), np.zeros((count, BINS, 3)), *(np.zeros(count) for _ in range(3)))

    def add(self, at: Ints, now: Marks, before: Marks) -> None:
        """Networks (B,) that gave the answers `now` where the plain one gave `before`: the difference is added."""
        for marks, sign in ((now, 1.0), (before, -1.0)):
            np.add.at(self.correct, at, sign * marks.right)
            np.add.at(self.loss, at, sign * marks.loss)
            part = np.stack([np.ones(len(at)), marks.confidence, marks.right.astype(np.float64)], 1)
            np.add.at(self.bins, (at, marks.bin), sign * part)
        np.add.at(self.changed, at, now.answer != before.answer)
        np.add.at(self.broken, at, before.right & ~now.right)
        np.add.at(self.mended, at, now.right & ~before.right)

    def start(self, marks: Marks) -> None:
        """The plain network's answers, the same for every network so far."""
        self.correct[:] += marks.right.sum()
        self.loss[:] += marks.loss.sum()
        part = np.stack([np.ones(len(marks.bin)), marks.confidence, marks.right.astype(np.float64)], 1)
        whole = np.zeros(self.bins.shape[1:])
        np.add.at(whole, marks.bin, part)
        self.bins[:] += whole

    def plus(self, other: Tally) -> Tally:
        """Both together."""
        return Tally(*(a + b for a, b in zip(self.arrays, other.arrays, strict=True)))

    @property
    def arrays(self) -> tuple[Floats, ...]:
        return self.correct, self.loss, self.bins, self.changed, self.broken, self.mended

    def ece(self, pictures: int) -> Floats:
        """(U,): expected calibration error (Guo et al. 2017, equation 3): sum of |right - confidence| over bins / N."""
        found: Floats = np.abs(self.bins[..., 2] - self.bins[..., 1]).sum(1) / max(1, pictures)
        return found
