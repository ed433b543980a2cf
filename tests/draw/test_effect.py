"""The page of an edit's effect: shapes that differ, layers that are gone, numbers that are none."""

from __future__ import annotations

import numpy as np
import pytest

from cutaway.draw.effect import (
    FlipTile,
    LayerPair,
    SharePair,
    flips_block,
    layers_blocks,
    picture_block,
    shares_block,
    words_block,
)
from cutaway.draw.scene import PAGE_WIDTH, Block, Box, Raster, Words, page
from cutaway.errors import BadInput

RANDOM = np.random.default_rng(0)


def words(block: Block) -> list[str]:
    return [m.text for m in block.marks if isinstance(m, Words)]


def tiles(block: Block) -> int:
    """Maps drawn; legends are smooth."""
    return sum(isinstance(m, Raster) and not m.smooth for m in block.marks)


def test_maps_that_changed_come_first_and_alone() -> None:
    before = RANDOM.normal(size=(6, 8, 8))
    after = before.copy()
    after[4] += 1
    heading, block = layers_blocks([LayerPair("conv", "Conv2d", before, after)])
    assert words(heading) == ["Maps that changed most.", "before", "after", "after − before"]
    assert tiles(block) == 3  # channel 4 before, after and the difference
    assert words(block).count("4") == 3
    share = 8 / np.linalg.norm(before)
    assert f"changed by {100 * share:.3g} % of its norm" in words(block)
    assert "6 maps of 8 × 8" in " ".join(words(block))


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        (
            RANDOM.normal(size=(4, 8, 8)),
            RANDOM.normal(size=(4, 4, 4)),
            "other shapes: 4 × 8 × 8 before, 4 × 4 × 4 after",
        ),
        (RANDOM.normal(size=(4, 8, 8)), RANDOM.normal(size=(9, 8, 8)), "9 × 8 × 8 after"),
        (RANDOM.normal(size=(4, 8, 8)), None, "not there any more"),
        (None, RANDOM.normal(size=(4, 8, 8)), "not there before"),
        (RANDOM.normal(size=(4, 8, 8)), RANDOM.normal(size=7), "7 after"),
        (np.zeros((4, 8, 8)), np.ones((4, 8, 8)), "was zero, is now up to 16"),
        (np.ones((4, 8, 8)), np.ones((4, 8, 8)), "as before"),
        (np.ones((4, 8, 8)), np.full((4, 8, 8), np.nan), "not finite any more"),
        (np.ones(300), np.full(300, 30.0), "changed by 29 times of its norm"),
        (np.ones((49, 20)), np.full((49, 20), 2.0), "changed by 100 % of its norm"),
    ],
)
def test_layers_of_every_kind(before: np.ndarray | None, after: np.ndarray | None, said: str) -> None:
    _, block = layers_blocks([LayerPair("layer", "Kind", before, after)])
    assert said in " ".join(words(block))
    assert all(m.x + m.width <= PAGE_WIDTH - 79 for m in block.marks if isinstance(m, Raster | Box))
    assert page("t", [], [block]).png()[:4] == b"\x89PNG"


def test_a_layer_of_another_kind_says_both_and_its_size() -> None:
    _, block = layers_blocks(
        [LayerPair("pool1", "MaxPool2d → AvgPool2d", RANDOM.normal(size=(4, 8, 8)), np.ones((4, 8, 8)))]
    )
    assert "MaxPool2d → AvgPool2d · 4 × 8 × 8" in words(block)


def test_a_layer_without_values_is_refused() -> None:
    with pytest.raises(BadInput, match=r"the values of x must be \(C, H, W\), \(L, C\) or \(F,\). Got 'nothing'"):
        layers_blocks([LayerPair("x", "Kind", None, None)])


def test_shares() -> None:
    rows = [SharePair("cat", 0.75, 0.2), SharePair("dog", 0.25, None, "of 3"), SharePair("eel", float("nan"), 0.8)]
    block = shares_block("answer", "told", rows)
    said = words(block)
    assert "75.0 % → 20.0 %" in said
    assert "25.0 % → –   of 3" in said
    assert "– → 80.0 %" in said
    strong = [m.text for m in block.marks if isinstance(m, Words) and m.strong]
    assert strong == ["answer", "cat", "75.0 % → 20.0 %", "eel", "– → 80.0 %"]
    only = shares_block("answer", "", rows, first=True)
    assert [m.text for m in only.marks if isinstance(m, Words) and m.strong] == ["answer", "cat", "75.0 % → 20.0 %"]
    wide = [m.width for m in block.marks if isinstance(m, Box) and m.height == 10]
    assert wide[1] / wide[0] == pytest.approx(0.2 / 0.75)


def test_flips_picture_and_words() -> None:
    pixels = RANDOM.integers(0, 256, (20, 30, 3), dtype=np.uint8)
    block = flips_block(
        "turned", [FlipTile(pixels, "cat 90 %", "dog 80 %", good) for good in (True, False, None)] * 9, 5
    )
    assert words(block).count("→ dog 80 %") == 27
    assert words(block)[-1] == "and 5 more photos"
    colours = {m.colour for m in block.marks if isinstance(m, Words) and m.strong and m.text.startswith("→")}
    assert len(colours) == 3
    many = picture_block(pixels, "cat.png", [f"edit {n}" for n in range(9)])
    assert words(many) == ["cat.png", *(f"{n + 1}.  edit {n}" for n in range(5)), "6.  and 4 more edits"]
    assert words(picture_block(pixels, "cat.png", ["set it"]))[1] == "Set it"
    assert words(words_block("a", "b")) == ["a", "b"]
