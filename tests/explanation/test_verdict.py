"""Verdicts: the gravest thing the figures say, in one plain sentence; nothing measured is not a pass."""

from __future__ import annotations

import dataclasses

import pytest

from cutaway.explanation.verdict import HARDLY_CHANGED, LUCK, UNCHANGED, Figures, Gains, verdict

GOOD = Figures(
    completeness=0.001, deletion=0.2, insertion=0.8, deletion_random=0.4, insertion_random=0.6, deletion_edges=0.35,
    insertion_edges=0.65, deletion_span=0.8, insertion_span=0.8, randomised=0.1, shifted=0.7, edges=0.2,
)  # fmt: skip


def test_what_beats_chance_and_changes_passes() -> None:
    found = verdict("Grad-CAM", GOOD)
    assert found.level == "passes"
    assert found.sentence == (
        "What Grad-CAM marks matters more to this network than pixels picked at random, and its map changed when "
        "the weights were randomised (rank correlation 0.10)."
    )
    assert GOOD.over_lot == pytest.approx((0.2 + 0.2) / 1.6)
    assert GOOD.over_edges == pytest.approx((0.15 + 0.15) / 1.6)


@pytest.mark.parametrize(
    ("other", "level", "says"),
    [
        ({"randomised": 0.95, "edges": 0.8}, "fails", "did not change when the weights were randomised (rank "
         "correlation 0.95): it draws edges, not reasons."),
        ({"randomised": 0.95, "edges": 0.1}, "fails", "it shows the picture, not the network's reasons."),
        ({"randomised": 0.95, "edges": None}, "fails", "it shows the picture, not the network's reasons."),
        ({"randomised": None}, "fails", "marks nothing: its map is the same everywhere."),
        ({"deletion": 0.4, "insertion": 0.6}, "fails", "picked at random (gain 0.00, luck alone brings up to 0.15)."),
        ({"deletion_span": 0.15, "insertion_span": 0.0}, "doubtful", "Removing pixels cannot test X here"),
        ({"randomised": 0.7}, "doubtful", "changed little when the weights were randomised (rank correlation 0.70)"),
        ({"completeness": 0.2}, "doubtful", "miss what they should add up to by 20%"),
        ({"completeness": 32.0}, "doubtful", "miss what they should add up to by more than ten times"),
        ({"deletion_edges": 0.1, "insertion_edges": 0.9}, "doubtful", "An edge detector, which knows nothing"),
        ({"shifted": 0.02}, "doubtful", "change places when the picture moves by one pixel (rank correlation 0.02)"),
    ],
)  # fmt: skip
def test_the_gravest_thing_is_said(other: dict[str, float], level: str, says: str) -> None:
    found = verdict("X", dataclasses.replace(GOOD, **other))
    assert found.level == level
    assert says in found.sentence
    assert found.sentence.endswith(".")


def test_a_failure_is_said_before_a_doubt() -> None:
    both = dataclasses.replace(GOOD, randomised=UNCHANGED, shifted=0.0)
    assert verdict("X", both).level == "fails"
    assert HARDLY_CHANGED < UNCHANGED


def test_a_curve_that_says_nothing_does_not_count() -> None:
    mute = dataclasses.replace(GOOD, insertion=0.0, insertion_span=0.05)
    assert mute.over_lot == pytest.approx(0.2 / 0.8)
    assert verdict("X", mute).level == "passes"
    assert dataclasses.replace(mute, deletion=0.4 - 0.9 * LUCK * 0.8).over_lot == pytest.approx(0.9 * LUCK)


def test_the_mean_of_many_pictures_needs_less_to_beat_chance() -> None:
    small = dataclasses.replace(GOOD, deletion=0.4, insertion=0.6 + 0.5 * LUCK * 1.6)
    assert small.over_lot == pytest.approx(0.5 * LUCK)
    assert verdict("X", small).level == "fails"
    assert verdict("X", small, pictures=3).level == "fails"
    assert verdict("X", dataclasses.replace(small, deletion_edges=0.5), pictures=5).level == "passes"


def test_what_is_not_measured_does_not_weigh() -> None:
    assert verdict("X", dataclasses.replace(GOOD, completeness=None, shifted=None)).level == "passes"


def test_means_of_gains_are_judged_where_they_are_given() -> None:
    lot = verdict("X", GOOD, gains=Gains(-0.1, 0.3))
    assert "(gain −0.10, luck alone brings up to 0.15)" in lot.sentence
    assert "An edge detector" in verdict("X", GOOD, gains=Gains(0.3, -0.1)).sentence
    assert "cannot test X" in verdict("X", GOOD, gains=Gains(None, None)).sentence
