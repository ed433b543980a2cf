"""Pillow's warnings do not get out, and the caller's filters come back as they were."""

from __future__ import annotations

import io
import threading
import warnings

import numpy as np
import pytest
from picture_files import saved
from PIL import Image as Pillow

from cutaway.image import decode
from cutaway.image.quiet import quiet_decoders


def noisy_file() -> bytes:
    """A TIFF whose orientation tag claims more values than the file holds: Pillow warns while it opens and loads."""
    exif = Pillow.Exif()
    exif[0x0112] = 6
    data = bytearray(saved(Pillow.new("RGB", (4, 4)), "TIFF", exif=exif))
    at = data.find(b"\x12\x01")
    data[at + 4 : at + 8] = b"\xff\xff\xff\x00"  # the tag claims 16 million values
    return bytes(data)


def test_the_sample_is_noisy_and_decode_is_not() -> None:
    with pytest.warns(UserWarning, match="Tag data larger than file"), Pillow.open(io.BytesIO(noisy_file())) as picture:
        picture.load()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert decode(noisy_file(), "photo").pixels.shape == (4, 4, 3)


def test_a_callers_own_warnings_are_still_heard() -> None:
    with quiet_decoders(), pytest.warns(UserWarning, match="mine"):
        warnings.warn("mine", UserWarning, stacklevel=1)


def test_filters_come_back_after_many_threads() -> None:
    before = list(warnings.filters)
    data = noisy_file()
    failed: list[BaseException] = []

    def read_some() -> None:
        try:
            for _ in range(50):
                assert np.all(decode(data, "photo").pixels == 0)
        except BaseException as error:
            failed.append(error)

    threads = [threading.Thread(target=read_some) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failed == []
    assert list(warnings.filters) == before


def test_filters_come_back_when_a_catch_warnings_overlaps() -> None:
    before = list(warnings.filters)
    ours = quiet_decoders()
    ours.__enter__()
    with warnings.catch_warnings():
        ours.__exit__(None, None, None)
    assert list(warnings.filters) == before
