"""sample:cat, sample:coffee, ...: the real photos that scikit-image installs inside its wheel; no download."""

from __future__ import annotations

import functools
import importlib.util
from pathlib import Path

from cutaway.dataset.words import did_you_mean
from cutaway.errors import BadInput
from cutaway.image import Image

PREFIX = "sample:"
FILES = {
    "astronaut": "astronaut.png",
    "bricks": "brick.png",
    "camera": "camera.png",
    "cat": "chelsea.png",
    "cells": "ihc.png",
    "clock": "clock_motion.png",
    "coffee": "coffee.png",
    "coins": "coins.png",
    "galaxies": "hubble_deep_field.jpg",
    "grass": "grass.png",
    "gravel": "gravel.png",
    "moon": "moon.png",
    "motorcycle": "motorcycle_left.png",
    "page": "page.png",
    "retina": "retina.jpg",
    "rocket": "rocket.jpg",
    "text": "text.png",
}


def sample_names() -> tuple[str, ...]:
    """() -> names of the sample pictures that are installed here, alphabetical."""
    return tuple(name for name, file in FILES.items() if (_folder() / file).is_file())


def sample_path(name: str) -> Path:
    """'cat' or 'sample:cat' -> the file. Raises BadInput with the nearest names for any other."""
    plain = name.removeprefix(PREFIX)
    if plain not in sample_names():
        raise BadInput(
            f"{PREFIX}{plain} is no sample picture; there are {', '.join(sample_names())}."
            + did_you_mean(plain, sample_names())
        )
    return _folder() / FILES[plain]


def sample_picture(name: str) -> Image:
    """'cat' or 'sample:cat' -> that photo, named 'sample:cat'. Raises BadInput for a name that is not there."""
    from cutaway.image.read import read_image

    return read_image(sample_path(name), name=PREFIX + name.removeprefix(PREFIX))


@functools.cache
def _folder() -> Path:
    """scikit-image's data folder, found without importing it (that takes a second)."""
    spec = importlib.util.find_spec("skimage")
    return Path((spec.submodule_search_locations or [""])[0] if spec else "") / "data"
