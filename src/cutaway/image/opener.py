"""Bytes -> a Pillow image whose header is read and whose size is allowed, but whose pixels are not decoded yet.

Pillow's own `Image.open` is not used: it tries every registered parser (one of them starts Ghostscript), it warns, and
it refuses pictures over `Image.MAX_IMAGE_PIXELS`, a global of the caller's process that would have to be changed to let
a 200-megapixel phone photo in. The registered factories are called directly instead: our header check does not read
that global, and nothing here writes it.
"""

from __future__ import annotations

import importlib
import io
import struct
from collections.abc import Callable
from typing import Any

from PIL import Image as Pillow
from PIL import ImageFile

from cutaway.errors import BadPicture

MOST_BYTES = 512 * 2**20
MOST_PIXELS = 100_000_000
MOST_PIXELS_DRAFT = 400_000_000
"""A baseline JPEG decodes in strips at 1/2, 1/4 or 1/8 size, so only the reduced picture needs memory."""

READS = "JPEG, PNG, WebP, GIF, BMP, TIFF, AVIF, HEIC"
# Pillow's name -> the module that registers it; MPO (two JPEGs in one file) comes through JPEG.
_PLUGINS = {
    "JPEG": "PIL.JpegImagePlugin",
    "PNG": "PIL.PngImagePlugin",
    "WEBP": "PIL.WebPImagePlugin",
    "GIF": "PIL.GifImagePlugin",
    "BMP": "PIL.BmpImagePlugin",
    "TIFF": "PIL.TiffImagePlugin",
    "AVIF": "PIL.AvifImagePlugin",
}
_HEIC_BRANDS = (b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"hevm", b"hevs", b"mif1", b"msf1")

Factory = Callable[..., ImageFile.ImageFile]


def open_header(data: bytes, name: str) -> ImageFile.ImageFile:
    """File's bytes, name for messages -> Pillow image with its header read. The content decides, not the file's name.

    Raises BadPicture empty or not-an-image, and whatever a parser raises where the format is clear but broken.
    """
    if not data:
        raise empty(name)
    problems = []
    for format_name, factory in _factories(data[:16], name):
        try:
            return factory(io.BytesIO(data), "")
        except (SyntaxError, IndexError, TypeError, struct.error) as error:  # Pillow's way to say "not mine after all"
            why = "damaged" if "not identified" in str(error) else " ".join(str(error).split())
            problems.append(f"begins like {format_name}, but its header cannot be read: {why}")
    raise BadPicture(name, "not-an-image", "; ".join(problems) or f"its content is none of {READS}")


def empty(name: str) -> BadPicture:
    return BadPicture(name, "empty", "the file has 0 bytes: copy it again from where it came")


def check_pixels(picture: ImageFile.ImageFile, name: str, *, scaled: bool) -> None:
    """Opened picture -> nothing, or BadPicture too-many-pixels. `scaled`: a reduced decode was asked for."""
    width, height = picture.size
    streamed = scaled and is_jpeg(picture) and not picture.info.get("progressive")
    most = MOST_PIXELS_DRAFT if streamed else MOST_PIXELS
    if width * height > most:
        found = f"{width} x {height} = {width * height / 1e6:,.0f} megapixels"
        raise BadPicture(name, "too-many-pixels", f"{found}, the limit is {most / 1e6:.0f}: store a smaller copy")


def is_jpeg(picture: ImageFile.ImageFile) -> bool:
    """Opened picture -> whether its first frame is a JPEG, which can be decoded at a fraction of its size."""
    return picture.format in ("JPEG", "MPO")


def _factories(prefix: bytes, name: str) -> list[tuple[str, Factory]]:
    """First 16 bytes -> the formats that claim them, each with the function that parses it."""
    claims: list[tuple[str, Factory]] = []
    for format_name, (factory, accepts) in _registered().items():
        if accepts is None or accepts(prefix) is True:
            claims.append((format_name, factory))
    if prefix[4:8] == b"ftyp" and prefix[8:12] in _HEIC_BRANDS:
        claims.append(("HEIF", _heif_factory(name)))
    return claims


def _heif_factory(name: str) -> Factory:
    try:
        factory: Factory = importlib.import_module("pi_heif").HeifImageFile
    except ImportError:
        how = "a HEIC photo needs an optional library: pip install 'cutaway[heic]'"
        raise BadPicture(name, "not-an-image", how) from None
    return factory


_openers: dict[str, tuple[Any, Any]] = {}


def _registered() -> dict[str, tuple[Any, Any]]:
    """Pillow's parsers of the formats in the list; imported at the first picture, not with the package."""
    if not _openers:
        found = {}
        for format_name, module in _PLUGINS.items():
            try:
                importlib.import_module(module)
            except ImportError:  # AVIF came with Pillow 11.3
                continue
            found[format_name] = Pillow.OPEN[format_name]
        _openers.update(found)
    return _openers
