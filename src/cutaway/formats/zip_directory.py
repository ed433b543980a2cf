"""The directory at a zip archive's end, weighed before Python's zipfile makes an object of each of its entries."""

from __future__ import annotations

import os
from typing import BinaryIO

from cutaway.errors import BadModel

SIGNATURE = b"PK\x03\x04"
MOST_BYTES = 5_000_000
"""About 50,000 records; a checkpoint has one for each tensor."""
_END, _END_64, _LOCATOR_64 = b"PK\x05\x06", b"PK\x06\x06", b"PK\x06\x07"
_RECORD, _RECORD_64, _LOCATOR = 22, 56, 20  # bytes
_LONGEST_NOTE = 65_535 + _RECORD


def must_be_small(file: BinaryIO, name: str) -> None:
    """Open archive, its name -> nothing. Raises BadModel where its directory has more than MOST_BYTES bytes."""
    size = directory_bytes(file)
    if size > MOST_BYTES:
        raise BadModel(
            f"{name} is a zip archive whose directory has {size:,} bytes; at most {MOST_BYTES:,} are accepted."
        )


def directory_bytes(file: BinaryIO) -> int:
    """Open archive -> bytes of its directory, found where zipfile looks for it; 0 where it has no readable end."""
    length = file.seek(0, os.SEEK_END)
    file.seek(max(0, length - _LONGEST_NOTE - _LOCATOR - _RECORD_64))
    tail = file.read()
    plain = len(tail) - _RECORD
    at = plain if tail[max(plain, 0) :].startswith(_END) else tail.rfind(_END)
    if at < 0 or at + _RECORD > len(tail):
        return 0
    size = int.from_bytes(tail[at + 12 : at + 16], "little")
    large = tail[max(0, at - _LOCATOR - _RECORD_64) : at]  # its own end and the locator, where it is over 4 GB
    if large[_RECORD_64:].startswith(_LOCATOR_64) and large.startswith(_END_64):
        size = int.from_bytes(large[40:48], "little")
    return size
