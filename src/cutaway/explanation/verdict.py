"""What was measured of a map, or of a method over many pictures -> whether it can be believed, in one sentence.

The thresholds are held by the tests on cases whose answer is known: networks made by hand that read one half, one
corner or one colour, and a CNN trained on shapes with known masks (scripts/known_reasons.py, docs/explanations.md).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from cutaway.explanation.explanation import Verdict

UNCHANGED = 0.9
"""Rank correlation with the map of random weights from which a map has not changed. An edge detector and a blob in the
middle, which know nothing of the weights, are at 1; so is a map of a network that reads nothing."""
HARDLY_CHANGED = 0.6
"""From here on much of the order of pixels comes from the picture. Maps that are right lie below on every known
network; the smoother a map the higher chance alone brings it."""
LUCK = 0.15
"""Share of the probability at stake by which a map's curves must beat pixels picked at random. Chosen on 48 shapes,
where maps of random numbers reach it on 1 picture in 20; on 48 others 10 of 172 such maps did. None of 128 did on the
hand-made networks and a Teachable Machine export. The mean of n pictures needs this divided by the root of n."""
SPAN = 0.2
"""What removing everything must take from the probability before a curve counts: with 0.1, the share at stake was so
small that 1 random map in 20 gained more than 0.3 of it."""
INCOMPLETE = 0.05
"""Beyond this share of what they should add up to, parts are not what the method promises (captum's own advice)."""
UNSTABLE = 0.1
"""Rank correlation with the moved picture's map below which a map's pixels cannot be read one by one."""
_LIKE_EDGES = 0.5


@dataclass(frozen=True, slots=True)
class Figures:
    """What Checks hold of one map, or their means over many; spans are what the probability loses on the way from the
    picture to the one with all pixels removed, and to the blurred one."""

    completeness: float | None
    deletion: float
    insertion: float
    deletion_random: float
    insertion_random: float
    deletion_edges: float
    insertion_edges: float
    deletion_span: float
    insertion_span: float
    randomised: float | None
    shifted: float | None
    edges: float | None

    def gain(self, deletion: float, insertion: float) -> float | None:
        """Areas of another order -> how much this one does better, as a share of the probability at stake; None where
        there is none at stake."""
        better = at_stake = 0.0
        if self.deletion_span >= SPAN:
            better, at_stake = better + deletion - self.deletion, at_stake + self.deletion_span
        if self.insertion_span >= SPAN:
            better, at_stake = better + self.insertion - insertion, at_stake + self.insertion_span
        return better / at_stake if at_stake else None

    @property
    def over_lot(self) -> float | None:
        """How much better than pixels picked at random: 0 no better, 1 as if the first pixel decided all."""
        return self.gain(self.deletion_random, self.insertion_random)

    @property
    def over_edges(self) -> float | None:
        """How much better than an edge detector's order."""
        return self.gain(self.deletion_edges, self.insertion_edges)


@dataclass(frozen=True, slots=True)
class Gains:
    """By how much of the probability at stake an order beats one by lot, and an edge detector's; None: not at stake."""

    lot: float | None
    edges: float | None


def verdict(name: str, found: Figures, pictures: int = 1, gains: Gains | None = None) -> Verdict:
    """Method's name, its Figures, the number of pictures whose gain is their mean -> the gravest thing they say.

    `gains`: the means of the pictures' gains, where there are several; else those of the figures.
    """
    gains = gains or Gains(found.over_lot, found.over_edges)
    failure = _failure(name, found, gains, LUCK / math.sqrt(pictures))
    if failure:
        return Verdict("fails", failure)
    doubt = _doubt(name, found, gains)
    if doubt:
        return Verdict("doubtful", doubt)
    assert found.randomised is not None
    changed = f"its map changed when the weights were randomised (rank correlation {number(found.randomised)})"
    return Verdict(
        "passes", f"What {name} marks matters more to this network than pixels picked at random, and {changed}."
    )


def _failure(name: str, found: Figures, gains: Gains, luck: float) -> str:
    if found.randomised is None:
        return f"{name} marks nothing: its map is the same everywhere."
    if found.randomised >= UNCHANGED:
        edges = (found.edges or 0.0) >= _LIKE_EDGES
        draws = "it draws edges, not reasons" if edges else "it shows the picture, not the network's reasons"
        same = f"rank correlation {number(found.randomised)}"
        return f"{name} did not change when the weights were randomised ({same}): {draws}."
    gain = gains.lot
    if gain is not None and gain < luck:
        chance = f"gain {number(gain)}, luck alone brings up to {number(luck)}"
        return f"What {name} marks matters no more to this network than pixels picked at random ({chance})."
    return ""


def _doubt(name: str, found: Figures, gains: Gains) -> str:
    assert found.randomised is not None
    if gains.lot is None:
        return (
            f"Removing pixels cannot test {name} here: with all of them gone the class stays about as likely as it was."
        )
    if found.randomised >= HARDLY_CHANGED:
        return (
            f"{name} changed little when the weights were randomised (rank correlation {number(found.randomised)}): "
            "much of it is the picture, not the network."
        )
    if found.completeness is not None and found.completeness > INCOMPLETE:
        return (
            f"The parts of {name} miss what they should add up to by {share(found.completeness)}: take more steps or "
            "samples, or do not read its numbers."
        )
    if gains.edges is not None and gains.edges < 0:
        return f"An edge detector, which knows nothing of the network, finds pixels that matter better than {name}."
    if found.shifted is not None and found.shifted < UNSTABLE:
        return (
            f"The pixels of {name} change places when the picture moves by one pixel (rank correlation "
            f"{number(found.shifted)}): read its regions, not its pixels."
        )
    return ""


def share(value: float) -> str:
    """Part of a whole that may be nearly nothing -> per cent, or that it is very many."""
    return f"{value:.0%}" if value < 10 else "more than ten times"


def number(value: float) -> str:
    """-> two digits behind the point, with a minus sign and no minus zero."""
    return f"{value:.2f}".replace("-0.00", "0.00").replace("-", "−")
