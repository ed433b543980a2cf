"""Small picture files, made in memory: what the tests of this room feed to it."""

from __future__ import annotations

import io
import struct
import zlib

import numpy as np
from numpy.typing import NDArray
from PIL import Image


def scene(height: int = 64, width: int = 96) -> NDArray[np.uint8]:
    """Colours that differ at every corner, so that a wrong turn or channel order shows."""
    y, x = np.mgrid[0:height, 0:width]
    across, down = x * 255 // max(1, width - 1), y * 255 // max(1, height - 1)
    return np.stack([across, down, 255 - (across + down) // 2], -1).astype(np.uint8)


def saved(picture: Image.Image, kind: str, **settings: object) -> bytes:
    held = io.BytesIO()
    picture.save(held, kind, **settings)
    return held.getvalue()


def jpeg(height: int = 64, width: int = 96, **settings: object) -> bytes:
    return saved(Image.fromarray(scene(height, width)), "JPEG", **settings)


def png(height: int = 64, width: int = 96, **settings: object) -> bytes:
    return saved(Image.fromarray(scene(height, width)), "PNG", **settings)


def turned(kind: str, orientation: int, **settings: object) -> bytes:
    exif = Image.Exif()
    exif[0x0112] = orientation
    return saved(Image.fromarray(scene()), kind, exif=exif.tobytes(), **settings)


def png_header(width: int, height: int) -> bytes:
    """A PNG that promises a size and holds next to nothing."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    body = chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(bytes(9))) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + body


def jpeg_header(width: int, height: int, *, progressive: bool = False) -> bytes:
    """A small JPEG whose header promises another size."""
    data = bytearray(jpeg(progressive=progressive))
    at = data.find(b"\xff\xc2" if progressive else b"\xff\xc0")
    data[at + 5 : at + 9] = struct.pack(">HH", height, width)
    return bytes(data)
