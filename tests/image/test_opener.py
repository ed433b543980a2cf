"""Which parser gets a file, and that no other is asked."""

from __future__ import annotations

import builtins
import importlib
from types import ModuleType

import pytest
from picture_files import jpeg, png
from PIL import Image as Pillow

from cutaway.errors import BadPicture
from cutaway.image import decode, opener
from cutaway.image.opener import open_header


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF", "AVIF"])
def test_each_format_of_the_list_is_told_by_its_content(kind: str) -> None:
    from picture_files import saved, scene

    assert open_header(saved(Pillow.fromarray(scene()), kind), "photo.xyz").format == kind


@pytest.mark.parametrize("kind", ["PPM", "ICO", "TGA", "PCX", "EPS", "JPEG2000", "PDF"])
def test_formats_outside_the_list_are_no_pictures_though_pillow_has_parsers(kind: str) -> None:
    from picture_files import saved, scene

    with pytest.raises(BadPicture, match="not-an-image"):
        decode(saved(Pillow.fromarray(scene()), kind), "photo.jpg")


def test_header_limits_by_kind() -> None:
    picture = open_header(jpeg(), "photo")
    picture._size = (20000, 20000)
    opener.check_pixels(picture, "photo", scaled=True)
    with pytest.raises(BadPicture, match="400 megapixels, the limit is 100: store a smaller copy"):
        opener.check_pixels(picture, "photo", scaled=False)
    drawing = open_header(png(), "drawing")
    drawing._size = (10000, 10000)
    opener.check_pixels(drawing, "drawing", scaled=False)
    drawing._size = (10000, 10001)
    with pytest.raises(BadPicture, match="too-many-pixels"):
        opener.check_pixels(drawing, "drawing", scaled=True)


def test_a_pillow_without_one_of_the_formats_still_reads_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    real = importlib.import_module

    def without_avif(name: str) -> ModuleType:
        if name == "PIL.AvifImagePlugin":
            raise ImportError
        return real(name)

    monkeypatch.setattr(importlib, "import_module", without_avif)
    monkeypatch.setattr(opener, "_openers", {})
    assert decode(png(), "photo").pixels.shape == (64, 96, 3)
    assert "AVIF" not in opener._openers


def test_no_program_is_started_for_postscript(monkeypatch: pytest.MonkeyPatch) -> None:
    import subprocess

    monkeypatch.setattr(subprocess, "Popen", lambda *_, **__: builtins.exit("a program was started"))
    with pytest.raises(BadPicture, match="not-an-image"):
        decode(b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 10 10\nshowpage\n", "is_eps.jpg")
