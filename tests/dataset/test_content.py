"""Formats by content, whatever the ending says; stores without files have none to tell."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from cutaway.dataset.content import formats
from cutaway.dataset.folder import FolderStore
from cutaway.dataset.samples import Dataset, Sample
from cutaway.dataset.scan import open_dataset


def dataset(folder: Path, names: list[str]) -> Dataset:
    samples = tuple(Sample(name, 0, None, name) for name in names)
    return Dataset(str(folder), ("a",), samples, FolderStore(str(folder)))


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF", "AVIF"])
def test_every_format_that_pillow_writes_is_known_by_its_first_bytes(kind: str, tmp_path: Path) -> None:
    Image.fromarray(np.full((8, 8, 3), 90, np.uint8)).save(tmp_path / "a.jpg", kind)
    assert formats(dataset(tmp_path, ["a.jpg"])) == (kind,)


def test_files_that_are_no_pictures_or_not_there_are_unknown(tmp_path: Path) -> None:
    (tmp_path / "text.png").write_text("hello, this is not a picture")
    (tmp_path / "short.png").write_bytes(b"\x89")
    assert formats(dataset(tmp_path, ["text.png", "short.png", "gone.png"])) == ("", "", "")


def test_heic_is_told_from_avif(tmp_path: Path) -> None:
    (tmp_path / "a.heic").write_bytes(b"\x00\x00\x00\x18ftypheic\x00\x00\x00\x00")
    (tmp_path / "b.heic").write_bytes(b"\x00\x00\x00\x18ftypabcd\x00\x00\x00\x00")
    assert formats(dataset(tmp_path, ["a.heic", "b.heic"])) == ("HEIF", "")


def test_arrays_have_no_formats() -> None:
    assert formats(open_dataset("digits")) == ()
