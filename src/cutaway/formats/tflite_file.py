"""TensorFlow Lite files: float32, 16-bit weights, 8-bit weights, 8-bit throughout. No TensorFlow.

Only what is asked of every file is here; the schema (200 small modules) is imported when a TFLite file is read.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cutaway.formats.parts import Parts


def matches(head: bytes, path: Path) -> bool:
    """First bytes of a file -> whether it is a TFLite model."""
    del path
    return head[4:8] == b"TFL3"


def read(path: Path) -> Parts:
    """Path of a .tflite file -> its Parts.

    Raises BadModel where it is damaged; OnlyView, which lists its operators, where one of them is not on the list.
    """
    from cutaway.formats.tflite_parts import tflite_parts

    return tflite_parts(path)
