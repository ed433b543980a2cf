"""The figure of one number: every number of a small window is written, large ones are told, SVG and PNG agree."""

from __future__ import annotations

import io
import math
from typing import Any
from xml.etree import ElementTree as ET

import numpy as np
import pytest
from PIL import Image

from cutaway.draw.arithmetic import WINDOWS, arithmetic_scene, brief, full, grown


def window(sum_: float, columns: int = 3, **changed: Any) -> dict[str, Any]:
    values = [[1.5, -2.25, 0.0][:columns]] if columns <= 3 else [[float(i) for i in range(columns)]]
    told = {"step": "pad", "label": "input channel 7", "axes": [[7], [0], list(range(columns))], "values": values,
            "weights": [[0.5] * columns], "terms": [[v / 2 for v in values[0]]], "padding": None, "picked": None,
            "sum": sum_}  # fmt: skip
    return told | changed


def told(windows: list[dict[str, Any]], **changed: Any) -> dict[str, Any]:
    lines = [{"label": "sum <b>", "value": 1.0, "text": "1 + 0"}, {"label": "total", "value": 1.25, "text": ""}]
    shown = {"step": "conv<1>", "kind": "Conv2d", "index": [3, 0, 1], "formula": "patch × kernel"}
    numbers = {"value": 1.25, "total": 1.25, "difference": 3e-8}
    return shown | numbers | {"windows": windows, "lines": lines, "note": "", "unfolded": True} | changed


def words(svg: str) -> list[str]:
    return ["".join(e.itertext()) for e in ET.fromstring(svg).iter() if e.tag.endswith("}text")]


def test_a_small_window_is_written_out() -> None:
    padded = window(-0.375, padding=[[False, False, True]])
    svg = arithmetic_scene([told([padded])], "conv<1>[3, 0, 1] = 1.25").svg()
    said = words(svg)
    for number in ("1.50", "−2.25", "0", "0.500", "0.750", "−1.12", "sum −0.375", "1.25"):
        assert number in said, number
    assert "input channel 7 of pad[7, 0, 0–2]" in said
    assert "the network computed 1.25; difference 3e-08" in said
    assert "sum <b>" in said


def test_png_and_svg_are_the_same_page_and_the_picture_is_marked() -> None:
    picture = np.full((32, 32, 3), 200, np.uint8)
    scene = arithmetic_scene([told([window(1.0)])], "t", picture, ((4, 6), (20, 22)))
    sheet = Image.open(io.BytesIO(scene.png()))
    assert sheet.size == (round(2 * scene.width), round(2 * scene.height))
    assert "sees rows 4–6, columns 20–22 of 32 × 32 px" in words(scene.svg())
    assert "these pixels, enlarged" in words(scene.svg())
    assert (np.asarray(sheet.convert("RGB")) == (214, 51, 108)).all(2).sum() > 200
    whole = words(arithmetic_scene([told([window(1.0)])], "t", picture, ((0, 31), (0, 31))).svg())
    assert "these pixels, enlarged" not in whole


def test_many_channels_and_long_rows_are_summed_up() -> None:
    many = [window(float(s)) for s in (1, -9, 2, 8, 3, 4)]
    said = words(arithmetic_scene([told(many)], "t").svg())
    assert [w for w in said if w.startswith("sum ")][:WINDOWS] == ["sum −9", "sum 8", "sum 4", "sum 3"]
    assert "the other 2 channels, whose sums are smaller: 3 together" in said
    said = words(arithmetic_scene([told([window(99.0, columns=40)])], "t").svg())
    assert "the largest of 40 from pad" in said
    assert "[39]" in said
    assert "the other 30 together: 217.5" in said


def test_a_largest_value_is_ringed_and_later_steps_follow() -> None:
    pool = window(0.0, weights=None, terms=None, sum=None, picked=[0, 0, 1])
    later = [told([], step=f"after{i}") for i in range(3)]
    scene = arithmetic_scene([told([pool]), *later], "t")
    said = words(scene.svg())
    assert [f"then after{i}" in said for i in range(3)] == [True] * 3
    assert not any(w.startswith("×") for w in said)
    assert scene.svg().count('stroke="#d6336c"') == 1


def test_what_is_only_read_and_what_is_not_finite() -> None:
    said = words(arithmetic_scene([told([], unfolded=False, total=None, note="read <i>")], "t").svg())
    assert "read <i>" in said
    assert "not finite" in said
    assert not any("the network computed" in w for w in said)
    said = words(arithmetic_scene([told([window(1.0, values=[[None, 1.0, 2.0]])])], "t").svg())
    assert "–" in said


@pytest.mark.parametrize(
    ("value", "short"),
    [(0.0, "0"), (1.234, "1.23"), (-12.34, "−12.3"), (123.4, "123"), (0.1234, "0.123"), (-0.00004, "−4e−5"),
     (math.inf, "–")],
)  # fmt: skip
def test_numbers_for_small_cells(value: float, short: str) -> None:
    assert brief(value) == short


def test_small_helpers() -> None:
    assert full(-0.5) == "−0.5"
    assert full(None) == "not finite"
    assert grown(10, 10, 2, 40, 14) == (4, 10, 14, 40)
