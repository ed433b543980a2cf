"""Film: what stays and what each frame adds -> GIF, MP4 or an SVG that moves by itself."""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import numpy as np

from cutaway.draw.scene import PAPER, Mark, Raster, Scene, markup
from cutaway.draw.svg import hover, tag
from cutaway.errors import MissingExtra

if TYPE_CHECKING:
    from PIL.Image import Image as PilImage

HOLD = 2.0
"""Seconds that the last frame stays longer."""
VIDEO_RATE = 25


@dataclass(frozen=True, slots=True, eq=False)
class Film:
    """What stays, what each frame adds, and the output cells that the frames stand at, in reading order."""

    title: str
    width: float
    height: float
    still: tuple[Mark, ...]
    frames: tuple[tuple[Mark, ...], ...]
    cells: tuple[tuple[int, int], ...]
    seconds: float

    @property
    def each(self) -> float:
        """Seconds of a frame; the last one stays HOLD longer."""
        return self.seconds / len(self.frames)

    def images(self) -> Iterator[PilImage]:
        """-> each frame's picture; what stays is drawn once."""
        still = np.asarray(Scene(self.width, self.height, self.title, self.still).image())
        ground = Raster(0, 0, self.width, self.height, still)
        for marks in self.frames:
            yield Scene(self.width, self.height, self.title, (ground, *marks)).image()


def to_gif(film: Film) -> bytes:
    """Film -> GIF that repeats; one palette for all frames, so that nothing flickers."""
    return gif_of(film, list(film.images()))


def gif_of(film: Film, images: Sequence[PilImage]) -> bytes:
    """Film and the pictures of its frames, drawn one by one elsewhere -> the same GIF."""
    from PIL import Image

    palette = _palette(images)
    small = [image.quantize(palette=palette, dither=Image.Dither.NONE) for image in images]
    steps = [max(20, round(film.each * 100) * 10)] * len(small)  # hundredths of a second are all a GIF knows
    steps[-1] += round(HOLD * 1000)
    out = io.BytesIO()
    small[0].save(out, "GIF", save_all=True, append_images=small[1:], duration=steps, loop=0, disposal=1)
    return out.getvalue()


def to_mp4(film: Film) -> bytes:
    """Film -> H.264 MP4. Raises MissingExtra without PyAV."""
    try:
        import av
    except ImportError:
        raise MissingExtra("Writing an MP4", "video") from None
    out = io.BytesIO()
    with av.open(out, "w", format="mp4") as container:
        stream: Any = container.add_stream("libx264", rate=Fraction(VIDEO_RATE))
        stream.pix_fmt, stream.options = "yuv420p", {"crf": "18", "preset": "veryfast"}
        shown = 0
        stream.width, stream.height = (round(2 * side) // 2 * 2 for side in (film.width, film.height))
        for i, image in enumerate(film.images()):
            pixels = np.asarray(image)[: stream.height, : stream.width]
            until = round((i + 1) * film.each * VIDEO_RATE) + (
                round(HOLD * VIDEO_RATE) if i + 1 == len(film.frames) else 0
            )
            for _ in range(max(1, until - shown)):
                container.mux(stream.encode(av.VideoFrame.from_ndarray(pixels, format="rgb24")))
                shown += 1
        container.mux(stream.encode(None))
    return out.getvalue()


def to_svg(film: Film) -> str:
    """Film -> text of an .svg file that moves by itself (SMIL) and needs nothing else."""
    whole = film.seconds + HOLD
    starts = [i * film.each / whole for i in range(len(film.frames))] + [1.0]
    parts = [tag("rect", width=film.width, height=film.height, fill="#ffffff"), *map(markup, film.still)]
    for i, marks in enumerate(film.frames):
        first, last = i == 0, i + 1 == len(film.frames)
        values = ("visible" if first else "hidden;visible") + ("" if last else ";hidden")
        times = [0.0] if first else [0.0, starts[i]]
        times += [] if last else [starts[i + 1]]
        turn = tag("animate", attributeName="visibility", values=values, calcMode="discrete",
                   keyTimes=";".join(f"{t:.5f}".rstrip("0").rstrip(".") for t in times),
                   dur=f"{whole:g}s", repeatCount="indefinite") if len(film.frames) > 1 else ""  # fmt: skip
        parts.append(tag("g", turn, *map(markup, marks), visibility="visible" if last else "hidden"))
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + tag(
        "svg", hover(film.title), *parts,
        xmlns="http://www.w3.org/2000/svg", viewBox=f"0 0 {film.width:g} {film.height:g}",
        width=1.5 * film.width, height=1.5 * film.height,
        font_family="Aileron, system-ui, 'Segoe UI', Roboto, 'Noto Sans', sans-serif",
    ) + "\n"  # fmt: skip


def _palette(images: Sequence[PilImage]) -> PilImage:
    """The colours of some frames, 256 of them, for all."""
    from PIL import Image

    chosen = [images[round(i * (len(images) - 1) / 3)] for i in range(4)]
    tall = Image.new("RGB", (chosen[0].width, chosen[0].height * len(chosen)))
    for i, image in enumerate(chosen):
        tall.paste(image, (0, i * image.height))
    found = tall.quantize(256, method=Image.Quantize.MEDIANCUT)
    colours = np.array(found.getpalette()).reshape(-1, 3)
    colours[np.abs(colours - np.array(PAPER)).max(1) <= 10] = PAPER  # Pillow maps by boxes of colours, not exactly
    found.putpalette(colours.ravel().tolist())
    return found
