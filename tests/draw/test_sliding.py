"""The sliding window: frames stop where they say, every format can be read back and shows the same."""

from __future__ import annotations

import io
import sys
from dataclasses import dataclass
from typing import Any
from xml.etree import ElementTree as ET

import numpy as np
import pytest
from PIL import Image

from cutaway.draw.film import HOLD, VIDEO_RATE, to_gif, to_mp4, to_svg
from cutaway.draw.sliding import HIGH, WIDE, animation, visited
from cutaway.errors import BadInput, MissingExtra


@dataclass
class Window:
    """A 2 x 2 convolution over C channels of 4 x 4, one row and column of padding before it."""

    step = "conv"
    kind = "Conv2d"
    input_step = "relu"
    channel = 5
    channels: tuple[int, ...] = (0,)
    does: str = "sum"
    bias: float | None = 0.5
    side: int = 4

    def __post_init__(self) -> None:
        self.inputs = np.arange(len(self.channels) * self.side**2, dtype=float).reshape(-1, self.side, self.side) / 9
        self.kernel = np.full((len(self.channels), 2, 2), 0.25) if self.does == "sum" else None
        self.row_spans = self.column_spans = tuple((i - 1, i + 1) for i in range(self.side))
        self.output = np.zeros((self.side, self.side))
        for r, c in np.ndindex(self.side, self.side):
            patch = self.patch(r, c)
            self.output[r, c] = patch.sum() / 4 + (self.bias or 0) if self.does == "sum" else patch[0].max()

    def patch(self, row: int, column: int) -> Any:
        return np.pad(self.inputs, ((0, 0), (1, 0), (1, 0)))[:, row : row + 2, column : column + 2]

    def outside(self, row: int, column: int) -> Any:
        return np.pad(np.zeros((4, 4), bool), ((1, 0), (1, 0)), constant_values=True)[
            row : row + 2, column : column + 2
        ]


@pytest.mark.parametrize(
    ("rows", "columns", "most", "count"),
    [(4, 4, 16, 16), (4, 4, 15, 12), (112, 112, 60, 56), (1, 500, 30, 30), (500, 1, 30, 30), (3, 90, 50, 50),
     (90, 3, 50, 50), (9, 9, 2, 2)],
)  # fmt: skip
def test_cells_are_visited_in_reading_order_ends_included(rows: int, columns: int, most: int, count: int) -> None:
    cells = visited(rows, columns, most)
    assert list(cells) == sorted(set(cells))
    assert len(cells) == pytest.approx(count, abs=4)
    assert len(cells) <= most
    assert cells[0] == (0, 0)
    assert cells[-1] == (rows - 1, columns - 1) or most < 4


def said(svg: str, frame: int) -> list[str]:
    groups = [g for g in ET.fromstring(svg) if g.tag.endswith("}g")]
    return ["".join(t.itertext()) for t in groups[frame] if t.tag.endswith("}text")]


def test_a_frame_says_its_sum() -> None:
    film = animation(Window())
    assert film.cells[5] == (1, 1)
    words = said(to_svg(film), 5)
    patch = np.array([[0, 1], [4, 5]]) / 9
    assert {f"{v:.2f}" for v in patch.ravel()} <= set(words)
    assert f"{patch.sum() / 4:.2f}  + 0.50 (bias) =" in words
    assert f"{patch.sum() / 4 + 0.5:.2f}" in words
    assert "conv[5, 1, 1]" in words


def test_many_channels_are_summed_up_and_colours_are_named() -> None:
    many = Window(channels=(3, 4, 5, 6, 7))
    film = animation(many)
    still = [m.text for m in film.still if hasattr(m, "text")]
    assert "channel 7 of relu, the strongest of 5" in still
    assert any("(2 other channels)" in w for w in said(to_svg(film), 0))
    picture = np.zeros((4, 4, 3), np.uint8)
    still = [
        m.text
        for m in animation(Window(channels=(0, 1, 2)), picture, ("red", "green", "blue")).still
        if hasattr(m, "text")
    ]
    assert [w for w in still if w in ("red", "green", "blue")] == ["red", "green", "blue"]
    assert "the picture as the network gets it, 4 × 4" in still


def test_pooling_rings_the_largest() -> None:
    film = animation(Window(does="max", bias=None))
    assert any(w == "largest of 4 cells =" for w in said(to_svg(film), 3))


def test_gif() -> None:
    film = animation(Window(), seconds=3.2)
    made = Image.open(io.BytesIO(to_gif(film)))
    assert made.n_frames == 16
    assert made.size == (round(2 * WIDE), round(2 * HIGH))
    assert made.info["loop"] == 0
    times = []
    for n in range(16):
        made.seek(n)
        times.append(made.info["duration"])
    assert times == [200] * 15 + [200 + 1000 * HOLD]
    last = np.asarray(made.convert("RGB")).astype(int)
    truth = np.asarray(list(film.images())[-1]).astype(int)
    assert np.abs(last - truth).mean() < 1.5  # levels of 255: the palette's rounding


def test_svg_shows_one_frame_at_a_time_and_the_last_without_motion() -> None:
    film = animation(Window(), seconds=4)
    root = ET.fromstring(to_svg(film))
    groups = [g for g in root if g.tag.endswith("}g")]
    assert [g.get("visibility") for g in groups] == ["hidden"] * 15 + ["visible"]
    turns = [next(iter(g)) for g in groups]
    assert {t.get("dur") for t in turns} == {f"{4 + HOLD:g}s"}
    starts = [float((t.get("keyTimes") or "").split(";")[0 if n == 0 else 1]) for n, t in enumerate(turns)]
    assert starts == pytest.approx([n * 0.25 / 6 for n in range(16)], abs=1e-5)
    assert "http" not in to_svg(film).replace("http://www.w3.org/2000/svg", "")


def test_mp4() -> None:
    av = pytest.importorskip("av", reason="PyAV is not installed")
    film = animation(Window(), seconds=1.6)
    with av.open(io.BytesIO(to_mp4(film))) as container:
        stream = container.streams.video[0]
        frames = [f.to_ndarray(format="rgb24") for f in container.decode(stream)]
        assert stream.codec_context.name == "h264"
    assert len(frames) == round((1.6 + HOLD) * VIDEO_RATE)
    truth = np.asarray(list(film.images())[-1]).astype(int)
    assert frames[-1].shape == truth.shape
    assert np.abs(frames[-1].astype(int) - truth).mean() < 4  # half the colour resolution, lossy


def test_without_the_video_library(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "av", None)
    with pytest.raises(MissingExtra, match=r"Writing an MP4 needs an optional library .* 'cutaway\[video\]'"):
        to_mp4(animation(Window()))


def test_what_is_no_animation() -> None:
    with pytest.raises(BadInput, match=r"frames must be at least 2\. Got 1\."):
        animation(Window(), most=1)
    with pytest.raises(BadInput, match=r"seconds must be above 0 and at most 600\. Got 0\."):
        animation(Window(), seconds=0)
