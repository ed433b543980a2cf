"""Damaged files by the hundred: each ends as a picture or as a BadPicture, with no warning and without waiting."""

from __future__ import annotations

import random
import time

import pytest
from picture_files import jpeg, png, saved, scene, turned
from PIL import Image as Pillow

from cutaway.errors import BadPicture
from cutaway.image import InputContract, decode, decode_fitted


def seeds() -> list[bytes]:
    """One small file of every kind the loading path knows."""
    small = Pillow.fromarray(scene(18, 24))
    frames = [small, Pillow.new("RGB", (24, 18), "red")]
    clear = small.copy()
    clear.putalpha(100)
    return [
        jpeg(18, 24),
        jpeg(18, 24, progressive=True),
        turned("JPEG", 6),
        saved(small.convert("CMYK"), "JPEG"),
        png(18, 24),
        saved(small.quantize(8), "PNG", transparency=bytes([0, 128])),
        saved(Pillow.new("I;16", (24, 18), 999), "PNG"),
        saved(frames[0], "PNG", save_all=True, append_images=frames[1:]),
        saved(frames[0], "GIF", save_all=True, append_images=frames[1:]),
        saved(small, "WEBP"),
        saved(clear, "WEBP", lossless=True),
        saved(frames[0], "WEBP", save_all=True, append_images=frames[1:]),
        saved(small, "BMP"),
        saved(small.quantize(8), "BMP"),
        saved(small, "TIFF"),
        saved(small, "TIFF", compression="tiff_lzw"),
        saved(small.convert("1"), "TIFF", compression="group4"),
        saved(small, "TIFF", compression="jpeg"),
        saved(small, "AVIF"),
    ]


def damaged(data: bytes, chance: random.Random) -> bytes:
    """A file -> one with a few bits flipped, bytes replaced, a piece cut out, doubled, zeroed, or the end missing."""
    bad = bytearray(data)
    for _ in range(chance.randint(1, 4)):
        at = chance.randrange(len(bad)) if chance.random() < 0.5 else chance.randrange(min(len(bad), 64))
        piece = chance.randint(1, 16)
        match chance.randrange(6):
            case 0:
                bad[at] ^= 1 << chance.randrange(8)
            case 1:
                bad[at : at + 4] = chance.choice([b"\xff\xff\xff\xff", b"\0\0\0\0", b"\x7f\xff\xff\xff", b"\x80\0\0\0"])
            case 2:
                del bad[at : at + piece]
            case 3:
                bad[at:at] = bad[at : at + piece]
            case 4:
                bad[at : at + piece] = bytes(piece)
            case _:
                del bad[max(1, at) :]
        if not bad:
            return b"\0"
    return bytes(bad)


def survives(count: int, seed: int) -> tuple[int, int]:
    """Number of files, seed -> how many were pictures and how many BadPicture; any other error gets out."""
    chance = random.Random(seed)
    kinds, good, bad = seeds(), 0, 0
    for number in range(count):
        data = damaged(kinds[number % len(kinds)], chance)
        begun = time.monotonic()
        said = ""
        try:
            if number % 2:
                assert decode(data, "photo", chance.choice([None, 4])).pixels.shape[2] == 3
            else:
                assert decode_fitted(data, "photo", InputContract((8, 8))).pixels.shape == (8, 8, 3)
            good += 1
        except BadPicture as bad_picture:
            said = str(bad_picture)
            bad += 1
        assert "\n" not in said
        assert time.monotonic() - begun < 20
    return good, bad


def test_six_hundred_damaged_files() -> None:
    good, bad = survives(600, seed=1)
    assert good > 50
    assert bad > 50


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(2, 12))
def test_twenty_thousand_damaged_files(seed: int) -> None:
    good, bad = survives(2000, seed)
    assert good + bad == 2000
