"""What was counted -> what each part is worth: the accuracy, loss and calibration that leaving it out costs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from cutaway.surgery.rank import Part, Parts, Standing


@dataclass(frozen=True, slots=True)
class Worth:
    """One part left out: what the network is then (accuracy in [0, 1], loss in nats, calibration error in [0, 1]), and
    what that costs against the whole network: positive where it is worse without the part.

    `changed` pictures get another answer, of them `broken` a wrong one for a right one, `mended` the other way round.
    """

    part: Part
    accuracy: float
    loss: float
    ece: float
    accuracy_cost: float
    loss_cost: float
    ece_cost: float
    changed: int
    broken: int
    mended: int

    @property
    def name(self) -> str:
        """ "conv2[5]", or the layer's or block's name."""
        return self.part.name if self.part.channel is None else f"{self.part.name}[{self.part.channel}]"

    def to_dict(self) -> dict[str, Any]:
        """-> one row of the result's table."""
        return {
            "name": self.name, "layer": self.part.name, "channel": self.part.channel, "at": self.part.at,
            "accuracy_cost": round(self.accuracy_cost, 8), "loss_cost": round(self.loss_cost, 8),
            "ece_cost": round(self.ece_cost, 8), "accuracy": round(self.accuracy, 8), "loss": round(self.loss, 8),
            "ece": round(self.ece, 8), "changed": self.changed, "broken": self.broken, "mended": self.mended,
        }  # fmt: skip


@dataclass(frozen=True, slots=True)
class Whole:
    """The network as it is: accuracy in [0, 1], mean loss in nats, expected calibration error, over how many."""

    pictures: int
    accuracy: float
    loss: float
    ece: float

    def to_dict(self) -> dict[str, Any]:
        return {"pictures": self.pictures, "accuracy": self.accuracy, "loss": self.loss, "ece": self.ece}


def worths(parts: Parts, standing: Standing) -> tuple[Whole, tuple[Worth, ...]]:
    """Parts, what was counted (of at least one picture) -> the whole network; each part's worth in running order."""
    n, plain, tally = standing.done, standing.plain, standing.tally
    whole = Whole(n, float(plain.correct[0] / n), float(plain.loss[0] / n), float(plain.ece(n)[0]))
    ece = tally.ece(n)
    found = []
    for i, part in enumerate(parts.parts):
        accuracy, loss = float(tally.correct[i] / n), float(tally.loss[i] / n)
        costs = (whole.accuracy - accuracy, loss - whole.loss, float(ece[i]) - whole.ece)
        counts = (int(tally.changed[i]), int(tally.broken[i]), int(tally.mended[i]))
        found.append(Worth(part, accuracy, loss, float(ece[i]), *costs, *counts))
    return whole, tuple(found)


def most_worth_first(rows: tuple[Worth, ...]) -> tuple[Worth, ...]:
    """Rows -> the same, the most accuracy lost first, of equals the most loss."""
    return tuple(sorted(rows, key=lambda r: (-round(r.accuracy_cost, 9), -r.loss_cost)))
