"""The page of units: patches where their windows lie, frames on photos, bars, and what is left out."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from cutaway.draw.neuron import Tile, UnitSheet, neuron_page, unit_block
from cutaway.draw.scene import Box, Line, Raster, Words

PHOTO = np.arange(20 * 30 * 3, dtype=np.uint8).reshape(20, 30, 3)
SHEET = UnitSheet(
    "conv1[2]", "ReLU, channel 2; sees 5 x 5 px", ("It fires.", "It is alive."),
    (Tile(PHOTO, 3.5, (4, 6, 8, 10), None, "cat"),),
    (), (1, 0, 2), (0.0, 1.0, 2.0, 3.5), (("cat", 2.0), ("dog", -1.0)), PHOTO, ("made in 8 steps: 4",),
)  # fmt: skip


def words(sheet: UnitSheet) -> list[str]:
    return [m.text for m in unit_block(sheet).marks if isinstance(m, Words)]


def rasters(sheet: UnitSheet) -> list[Raster]:
    return [m for m in unit_block(sheet).marks if isinstance(m, Raster)]


def test_patch_and_photo_stand_beside_the_made_picture() -> None:
    made, patch, photo = rasters(SHEET)
    assert (made.pixels == PHOTO).all()
    assert (patch.pixels == PHOTO[4:9, 6:11]).all()
    assert patch.width == patch.height
    assert (photo.pixels == PHOTO).all()
    assert made.x < patch.x < photo.x
    said = words(SHEET)
    assert {"conv1[2]", "It fires. It is alive.", "3.5", "3.5 · cat", "made in 8 steps: 4", "2", "−1"} <= set(said)


def test_the_frame_lies_on_the_photo_where_the_window_is() -> None:
    block = unit_block(SHEET)
    photo = rasters(SHEET)[2]
    ratio = photo.width / 30
    frames = [m for m in block.marks if isinstance(m, Box) and m.thick == 1.5 and m.edge is not None]
    assert len(frames) == 1
    assert frames[0].x - photo.x == pytest.approx(6 * ratio)
    assert frames[0].y - photo.y == pytest.approx(4 * ratio)
    assert frames[0].width == pytest.approx(5 * ratio)


def test_a_window_over_the_edge_leaves_its_part_hatched() -> None:
    sheet = dataclasses.replace(SHEET, strongest=(Tile(PHOTO, 1.0, (-2, 27, 2, 31), None),))
    patch = rasters(sheet)[1]
    assert (patch.pixels == PHOTO[0:3, 27:30]).all()
    square = next(m for m in unit_block(sheet).marks if isinstance(m, Box) and m.fill is not None)
    assert patch.y - square.y == pytest.approx(square.height * 2 / 5)
    assert patch.x == pytest.approx(square.x)
    assert patch.width == pytest.approx(square.width * 3 / 5)
    assert sum(isinstance(m, Line) for m in unit_block(sheet).marks) > sum(
        isinstance(m, Line) for m in unit_block(SHEET).marks
    )


def test_whole_photos_are_shown_once_with_the_hot_place() -> None:
    sheet = dataclasses.replace(SHEET, strongest=(Tile(PHOTO, 1.0, None, (5, 5, 9, 9), "dog"),))
    assert len(rasters(sheet)) == 2
    assert "the photos, all of which it sees; framed: where it fires most" in words(sheet)
    none = dataclasses.replace(SHEET, strongest=(Tile(PHOTO, 1.0, None, None),))
    assert "the photos, all of which it sees" in words(none)


def test_the_weakest_have_a_line_of_their_own() -> None:
    low = dataclasses.replace(SHEET, weakest=(Tile(PHOTO, -2.0, (0, 0, 4, 4), None, "dog"),))
    assert "what brings it lowest" in words(low)
    assert "−2 · dog" in words(low)
    assert unit_block(low).height > unit_block(SHEET).height


def test_many_classes_are_shown_from_both_ends() -> None:
    classes = tuple((f"class {i}", 20.0 - i) for i in range(12))
    said = words(dataclasses.replace(SHEET, classes=classes))
    assert "4 between" in said
    assert {"class 0", "class 5", "class 10", "class 11"} <= set(said)
    assert "class 7" not in said


def test_long_findings_take_more_lines() -> None:
    long = dataclasses.replace(SHEET, says=("A sentence about this unit that goes on and on. " * 3,) * 3)
    assert unit_block(long).height > unit_block(SHEET).height


def test_units_without_photos_stand_side_by_side() -> None:
    alone = dataclasses.replace(SHEET, strongest=(), counts=(), edges=(), classes=())
    scene = neuron_page([alone] * 5, title="Five", subtitle=("net",))
    tops = [m for m in scene.marks if isinstance(m, Words) and m.text == "conv1[2]"]
    assert len({m.y for m in tops}) == 2
    assert len({m.x for m in tops}) == 4
    one = neuron_page([alone], title="One", subtitle=("net",))
    assert one.png().startswith(b"\x89PNG")
    assert "conv1[2]" in one.svg()
    assert one.height < scene.height
