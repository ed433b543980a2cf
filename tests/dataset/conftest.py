"""Small pictures on disk for the tests of this room; every test has a cache folder of its own."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

Draw = Callable[..., bytes]


@pytest.fixture(autouse=True)
def cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path_factory.mktemp("cutaway-cache")
    monkeypatch.setenv("CUTAWAY_CACHE", str(folder))
    return folder


def png(seed: int, height: int = 6, width: int = 8, kind: str = "PNG") -> bytes:
    """Seed -> the bytes of a picture of random pixels that no other seed gives."""
    pixels = np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)
    held = io.BytesIO()
    Image.fromarray(pixels).save(held, kind)
    return held.getvalue()


@pytest.fixture(scope="session")
def draw() -> Draw:
    return png


@pytest.fixture
def plant() -> Callable[..., Path]:
    """(root, 'cats/1.png', ...) -> pictures at these paths, each different; anything that is no picture gets text."""

    def planted(root: Path, *paths: str) -> Path:
        for number, path in enumerate(paths):
            file = root / path
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(png(number) if file.suffix.lower() in (".png", ".jpg") else b"no picture")
        root.mkdir(exist_ok=True)
        return root

    return planted
