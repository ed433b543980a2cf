"""Which columns stand on a narrow terminal."""

from __future__ import annotations

from cutaway.cli.columns import fitted

COLUMNS = {
    "layer": ["conv1", "a_very_long_name_of_one_layer"],
    "kind": ["Conv2d", "ReLU"],
    "output": ["8 x 8", "8 x 8"],
}


def test_all_stand_where_there_is_room() -> None:
    assert fitted(COLUMNS, 80, ("kind",), {}) == COLUMNS


def test_the_least_telling_gives_way_first() -> None:
    assert list(fitted(COLUMNS, 38, ("kind", "output"), {})) == ["layer", "output"]
    assert list(fitted(COLUMNS, 30, ("kind", "output"), {})) == ["layer"]


def test_a_column_that_folds_needs_no_more_than_most_of_its_cells_take() -> None:
    many = {name: [*cells[:1] * 9, cells[1]] for name, cells in COLUMNS.items()}
    # layer 5, kind 6, output 6, two spaces between each: one long name takes two lines
    assert list(fitted(many, 21, ("kind",), {"layer": 30})) == ["layer", "kind", "output"]
    assert list(fitted(many, 20, ("kind",), {"layer": 30})) == ["layer", "output"]
    assert list(fitted(COLUMNS, 80, ("kind",), {"layer": 4})) == ["layer", "kind", "output"]


def test_a_table_without_lines() -> None:
    assert fitted({"layer": []}, 80, (), {"layer": 9}) == {"layer": []}
