"""docs/tutorial.md's tables are what scripts/tutorial_study.py makes of its results, and the results are whole."""

from __future__ import annotations

import json

from scripts import tutorial_study


def test_the_tables_are_made_of_the_results() -> None:
    page = tutorial_study.PAGE.read_text(encoding="utf-8")
    found = json.loads(tutorial_study.RESULTS.read_text(encoding="utf-8"))
    assert page == tutorial_study.renewed(page, tutorial_study.tables(found))
    assert found["changes"][0]["change"] == "nothing"
    assert all(row["before"][1] <= row["before"][0] <= row["before"][2] for row in found["changes"])


def test_the_pictures_of_the_page_are_those_the_study_writes() -> None:
    page = tutorial_study.PAGE.read_text(encoding="utf-8")
    names = ["layers", *(short for short, _ in tutorial_study.DRAWN.values())]
    for name in names:
        assert f"](assets/tutorial-{name}.png)" in page
        assert (tutorial_study.ASSETS / f"tutorial-{name}.png").stat().st_size < 600_000
    assert set(tutorial_study.DRAWN) == set(tutorial_study.changes()) - {"nothing"}


def test_a_share_is_told_with_its_interval() -> None:
    assert tutorial_study.share([0.81, 0.769, 0.845]) == "81.0 % (76.9 to 84.5)"
